//! A small graph, its guard, and requests to it.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::Duration;

use ig_contract::TextHash;
use ig_contract::snapshot::{
    DocumentSource, Head, Identity, Limits, Modes, SnapshotSource, Tenant, TextStore,
};
use ig_guard::{Exchange, Forward, Guard, Guards, Reply, RequestHead, Step, VerifiedToken};
use ig_schema::Schema;
use ig_snapshot::{Bundle, compile_policy};

pub(crate) const DECISION_ID: &str = "01a2125f-9b6f-74dd-9869-58ad0d024b3c";

const SDL: &str = r#"
type Query {
  me: String  cases(first: Int): String  secret: String
  items(first: Int): [Item] @listSize(slicingArguments: ["first"], assumedSize: 2)
}
type Item { id: ID }
type Mutation { create(retention: String @fact(name: "retention")): String }
"#;

pub(crate) const ME: &str = "query Me { me }";
pub(crate) const CASES: &str = "query Cases($first: Int) { cases(first: $first) }";
/// As many of them as are asked for.
pub(crate) const ITEMS: &str = "query Items($first: Int) { items(first: $first) { id } }";
pub(crate) const CREATE: &str =
    "mutation Create($retention: String) { create(retention: $retention) }";
/// For the client `kiosk` only.
pub(crate) const KIOSK: &str = "query Kiosk { secret }";
/// Takes data out, and reaches into other tenants.
pub(crate) const EXPORT: &str = "query Export { me }";
pub(crate) const EVERYWHERE: &str = "query Everywhere { me }";
/// Of which the snapshot has no text.
pub(crate) const REMOTE: [&str; 2] = ["query RemoteOne { me }", "query RemoteTwo { me }"];

const POLICY: &str = r#"package ig
import rego.v1
default decision := {"allow": false, "rule": "default-deny", "obligations": []}
decision := {"allow": true, "rule": "allow", "obligations": ["log"]} if {
	input.purpose in input.actor.purposes
	count(violations) == 0
}
decision := {"allow": false, "rule": min(violations), "obligations": []} if count(violations) > 0
violations contains "banned" if "banned" in input.actor.groups
violations contains "retention-too-long" if {
	some value in input.facts.retention
	value != "short-30d"
}
"#;

static PROGRAM: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let manifest = r#"{"revision": "r1", "roots": ["ig"]}"#;
    let files = [(".manifest", manifest), ("ig/decision.rego", POLICY)];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    let files = BTreeMap::from(files);
    compile_policy(&Bundle::from_files(files).unwrap()).unwrap()
});

/// Seconds since the epoch.
pub(crate) const NOW: u64 = 1_800_000_000;

pub(crate) const BOTH: Guards = Guards {
    persisted_query: true,
    policy: true,
};

pub(crate) fn head() -> Head {
    let tenant = |region: &str| Tenant {
        region: Some(region.to_owned()),
        purposes: ["investigation", "audit"].map(str::to_owned).into(),
        ..Tenant::default()
    };
    Head {
        graph: "test".into(),
        schema_tag: "test".into(),
        policy_revision: "r1".into(),
        endpoint: "/graphql".into(),
        limits: Limits {
            max_body_bytes: 2_000,
            max_batch: 3,
            ..Limits::default()
        },
        identity: Identity::default(),
        modes: Modes::default(),
        tenants: [("alpha", "eu"), ("bravo", "us")]
            .map(|(name, region)| (name.to_owned(), tenant(region)))
            .into(),
        texts: Some(TextStore {
            cluster: "texts".into(),
            authority: "texts".into(),
            path_prefix: "/".into(),
            timeout_ms: 100,
            cache_bytes: 1_000,
        }),
        directory: None,
        step_up: None,
        rate_limit: None,
        residency: None,
        subscriptions: None,
    }
}

/// The bytes of a snapshot with this head.
pub(crate) fn snapshot(head: Head) -> Vec<u8> {
    let schema = Schema::parse(SDL, ig_schema::Limits::SCHEMA).unwrap();
    let document = |text: &str, clients: &[&str], embed| {
        let mut operations =
            ig_schema::compile(&schema, text, ig_schema::Limits::DOCUMENT).unwrap();
        for operation in &mut operations {
            operation.clients = clients.iter().map(|client| (*client).to_owned()).collect();
            operation.cross_tenant = text == EVERYWHERE;
            if text == EXPORT {
                operation.actions[0].name = "export:cases".into();
            }
        }
        let document = DocumentSource {
            text: text.to_owned(),
            embed,
            operations,
        };
        (TextHash::of(text.as_bytes()), document)
    };
    let documents = [
        document(ME, &[], true),
        document(CASES, &[], true),
        document(CREATE, &[], true),
        document(ITEMS, &[], true),
        document(KIOSK, &["kiosk"], true),
        document(EXPORT, &[], true),
        document(EVERYWHERE, &[], true),
        document(REMOTE[0], &[], false),
        document(REMOTE[1], &[], false),
    ];
    let source = SnapshotSource {
        head,
        program: PROGRAM.clone(),
        documents: documents.into(),
        aliases: BTreeMap::new(),
    };
    source.encode().unwrap()
}

pub(crate) fn guard(guards: Guards, edit: impl FnOnce(&mut Head)) -> Rc<Guard> {
    Rc::new(made(guards, edit))
}

/// The same, for the host to say more of.
pub(crate) fn made(guards: Guards, edit: impl FnOnce(&mut Head)) -> Guard {
    let mut head = head();
    edit(&mut head);
    Guard::new(snapshot(head), guards).unwrap()
}

/// base64url of claims, as `jwt_authn` forwards them.
pub(crate) fn payload(claims: &str) -> Vec<u8> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = Vec::new();
    for chunk in claims.as_bytes().chunks(3) {
        let mut group = [0; 3];
        group[..chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        for place in 0..=chunk.len() {
            let six = bits >> (18 - 6 * place) & 63;
            out.push(ALPHABET[six as usize]);
        }
    }
    out
}

pub(crate) const ALPHA: &str = r#"{"iss":"https://issuer.test","sub":"a@alpha.io","tenant":"alpha","purposes":["investigation"]}"#;
pub(crate) const BRAVO: &str = r#"{"iss":"https://issuer.test","sub":"b@bravo.io","tenant":"bravo","purposes":["investigation"]}"#;

/// What reaches the adapter.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) headers: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) verified: Option<VerifiedToken>,
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.headers {
            writeln!(f, "{}: {}", name.escape_ascii(), value.escape_ascii())?;
        }
        write!(f, "{}", self.body.escape_ascii())
    }
}

pub(crate) fn by_id(text: &str, more: &str) -> String {
    format!(
        r#"{{"documentId":"sha256:{}"{more}}}"#,
        TextHash::of(text.as_bytes())
    )
}

impl Sent {
    /// A good POST of an analyst of alpha.
    pub(crate) fn post(body: impl Into<Vec<u8>>) -> Self {
        let headers = [
            (":method", "POST"),
            (":path", "/graphql"),
            (":authority", "test"),
            ("content-type", "application/json"),
            ("x-ig-purpose", "investigation"),
        ];
        let sent = Self {
            headers: headers
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            body: body.into(),
            verified: None,
        };
        sent.of(ALPHA)
    }

    /// By whom: claims that the host has verified.
    pub(crate) fn of(mut self, claims: &str) -> Self {
        let issuer = b"https://issuer.test".to_vec();
        let subject = claims.split(r#""sub":""#).nth(1);
        let subject = subject.and_then(|rest| rest.split('"').next());
        self.verified = subject.map(|subject| VerifiedToken {
            issuer,
            subject: subject.as_bytes().to_vec(),
        });
        self.without("x-ig-jwt-payload")
            .with("x-ig-jwt-payload", payload(claims))
    }

    /// By a caller without a token.
    pub(crate) fn of_nobody(mut self) -> Self {
        self.verified = None;
        self.without("x-ig-jwt-payload")
    }

    pub(crate) fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.into(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(known, _)| known != name.as_bytes());
        self
    }

    pub(crate) fn set(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.without(name).with(name, value)
    }

    /// Up to where the guard has decided, or wants texts.
    pub(crate) fn begin(&self, guard: Option<&Rc<Guard>>) -> (Exchange, Step) {
        let pairs = self.headers.iter();
        let head = RequestHead::read(pairs.map(|(name, value)| (&name[..], &value[..])));
        let mut exchange = Exchange::new(guard.cloned(), DECISION_ID.to_owned(), head);
        if exchange.needs_time() {
            exchange.set_time(Duration::from_secs(NOW));
        }
        exchange.identify(|| self.verified.clone());
        let is_get = self
            .headers
            .iter()
            .any(|(name, value)| name == b":method" && value == b"GET");
        let step = match exchange.on_head(is_get && self.body.is_empty()) {
            Step::AwaitBody => exchange.on_body(self.body.clone()),
            step => step,
        };
        (exchange, step)
    }

    pub(crate) fn to(&self, guard: &Rc<Guard>) -> Step {
        self.begin(Some(guard)).1
    }

    pub(crate) fn forwarded(&self, guard: &Rc<Guard>) -> Forward {
        match self.to(guard) {
            Step::Forward(forward) => forward,
            step => panic!("not forwarded: {step:?}"),
        }
    }

    pub(crate) fn denied(&self, guard: &Rc<Guard>) -> Reply {
        match self.to(guard) {
            Step::Reply(reply) => reply,
            step => panic!("not denied: {step:?}"),
        }
    }

    /// Status and rule of the deny; `(200, "")` where there is none.
    pub(crate) fn verdict(&self, guard: &Rc<Guard>) -> (u16, String) {
        match self.to(guard) {
            Step::Forward(_) => (200, String::new()),
            Step::Reply(reply) => (reply.status, rule(&reply)),
            step => panic!("undecided: {step:?}"),
        }
    }
}

/// The rule of the first error.
pub(crate) fn rule(reply: &Reply) -> String {
    let body = std::str::from_utf8(&reply.body).unwrap();
    let rest = body.split(r#""rule":""#).nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

pub(crate) fn header<'a>(forward: &'a Forward, name: &str) -> Option<&'a str> {
    let mut found = forward.set.iter().filter(|(known, _)| *known == name);
    let value = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "{name} is set twice");
    value
}
