//! Exports: who may, what is signed, and what the ledger has of it.

mod files;
mod hsm;
mod keys;
mod kill;
mod limits;
mod meanwhile;
mod races;
mod rate;
mod refused;
mod stock;
mod tenancy;

use ig_contract::step_up::{Spent, UsedFor};
use ig_e2e::{Authenticator, Scim};
use ig_ledger::verify::{KeyType, Policy, Proof, VerifierKey};
use ig_signing::{Bundle, Manifest, PublicKey, Sha256, TrustedRoot};
use serde_json::{Value, json};

use crate::databases::Database;
use crate::step_up::{Answer, Bench, Person, export, key};

const ACTION: &str = "export:assets";
const DIGEST: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

/// A graph with a directory, and tenants whose analysts may export.
struct Stage {
    bench: Bench,
    /// Provisioner of the tenant `bravo`.
    bravo: Scim,
    /// Token of a service that is there for `alpha`.
    service: String,
}

/// Somebody with a passkey, who may export.
struct Analyst<'a> {
    person: Person<'a>,
    key: Authenticator,
}

impl Stage {
    fn start(database: &Database) -> Self {
        let bench = Bench::start(database);
        let bravo = bench.control.provisioner("bravo", true).unwrap();
        for tenant in ["alpha", "bravo"] {
            let settings = json!({
                "region": "eu-west-1", "purposes": ["export", "audit"],
                "purposesByGroup": {"analyst": ["export", "audit"]},
                "issuers": {bench.url.as_str(): {"attribute": "externalId"}},
            });
            let path = format!("/tenants/{tenant}");
            let (status, said) = bench.control.call("PUT", &path, settings.to_string());
            assert_eq!(status, 204, "{said}");
        }
        let (_, mut graph) = bench.control.call("GET", "/graphs/demo", "");
        let settings = graph["settings"].as_str().unwrap();
        let directory = "[directory]\ncluster = \"control-plane\"\nauthority = \"ig\"\n";
        graph["settings"] = json!(format!("{settings}{directory}"));
        let (status, said) = bench.control.call("PUT", "/graphs/demo", graph.to_string());
        assert_eq!(status, 204, "{said}");
        let (status, said) = bench.control.call("POST", "/snapshots/demo", "");
        assert_eq!(status, 200, "{said}");
        let service = bench.control.make_token(
            "exporter",
            &json!({"name": "upstream", "tenants": ["alpha"]}),
        );
        Self {
            bench,
            bravo,
            service: format!("Bearer {}", service.unwrap()),
        }
    }

    /// An analyst of `alpha`; seeds of keys are not shared.
    fn analyst(&self, name: &str, seed: u8) -> Analyst<'_> {
        let person = self.bench.person(name);
        join(&self.bench.scim, &person.id);
        let mut key = key(seed);
        person.add(&mut key);
        Analyst { person, key }
    }

    /// An analyst of `bravo`.
    fn stranger(&self, name: &str, seed: u8) -> Analyst<'_> {
        let id = self.bench.user(&self.bravo, name);
        join(&self.bravo, &id);
        let header = self.bench.login(name, &json!({"aud": "other"}));
        let person = self.bench.of(id, header);
        let mut key = key(seed);
        person.add(&mut key);
        Analyst { person, key }
    }

    fn post(&self, headers: &[(&str, &str)], body: &Value) -> Answer {
        let control = &self.bench.control;
        control.call_with(headers, "POST", "/exports", body.to_string())
    }

    fn get(&self, header: &str, path: &str) -> Answer {
        self.bench.control.call_as(Some(header), "GET", path, "")
    }

    /// What a guard had a proof used for.
    fn used_for(&self, subject: &str, decision: &str) -> UsedFor {
        UsedFor {
            decision_id: decision.into(),
            issuer: self.bench.url.clone(),
            subject: subject.into(),
            purpose: Some("export".into()),
            authority: None,
            actions: [ACTION.to_owned()].into(),
        }
    }

    /// Asks as the service does for `ada`, with these headers instead.
    fn relay(&self, decision: &str, more: &[(&str, &str)]) -> Answer {
        self.relay_of(decision, more, &one())
    }

    fn relay_of(&self, decision: &str, more: &[(&str, &str)], body: &Value) -> Answer {
        let usual = relayed(&self.service, decision);
        let is_said = |name: &str| more.iter().any(|(other, _)| *other == name);
        let kept = usual.into_iter().filter(|(name, _)| !is_said(name));
        let headers: Vec<_> = kept
            .chain(more.iter().copied())
            .filter(|(_, value)| !value.is_empty())
            .collect();
        self.post(&headers, body)
    }
}

impl Analyst<'_> {
    /// A step-up token for exports.
    fn proof(&mut self) -> String {
        self.person.token(&mut self.key, &export()).0
    }

    /// The number of a token that a guard will have used.
    fn number(&mut self) -> String {
        self.person.token(&mut self.key, &export()).1
    }
}

/// Headers of a service that asks for `ada`.
fn relayed<'a>(service: &'a str, decision: &'a str) -> [(&'a str, &'a str); 6] {
    [
        ("authorization", service),
        ("idempotency-key", decision),
        ("x-ig-tenant", "alpha"),
        ("x-ig-actor", "ada"),
        ("x-ig-purpose", "export"),
        ("x-ig-decision-id", decision),
    ]
}

fn join(scim: &Scim, user: &str) {
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "analyst", "members": [{"value": user}],
    });
    if scim.post("/Groups", &group).status == 201 {
        return;
    }
    let known = scim.get("/Groups?filter=displayName%20eq%20%22analyst%22");
    let path = format!("/Groups/{}", known.each("/id")[0]);
    let add = json!([{"op": "add", "path": "members", "value": [{"value": user}]}]);
    assert!(scim.patch(&path, &add).status < 300);
}

/// An export of these many assets.
fn of(count: usize) -> Value {
    let items = (0..count).map(|number| json!({"id": format!("asset-{number}"), "sha256": DIGEST}));
    json!({
        "action": ACTION, "items": items.collect::<Vec<_>>(),
        "facts": {"licenseClass": ["cc-by"], "destination.tos": ["internal"]},
    })
}

fn one() -> Value {
    of(1)
}

/// Headers of somebody who asks for themselves.
fn own<'a>(token: &'a str, proof: &'a str, idempotency_key: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("authorization", token),
        ("x-ig-step-up", proof),
        ("x-ig-purpose", "export"),
        ("idempotency-key", idempotency_key),
    ]
}

/// Verifies an answer with what anybody can ask for without a token.
fn verify(stage: &Stage, made: &Value) {
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    let control = &stage.bench.control;
    // The exact bytes are what the file is.
    let path = format!("/exports/{}", text("exportId"));
    let (_, manifest) = control.call("GET", &format!("{path}/manifest"), "");
    let manifest = Manifest::parse(manifest.to_string().as_bytes())
        .unwrap()
        .to_bytes();
    let digest = Sha256::of(&manifest);
    assert_eq!(digest.to_string(), text("manifestSha"));
    assert_eq!(
        Manifest::parse(made["manifest"].to_string().as_bytes())
            .unwrap()
            .to_bytes(),
        manifest
    );
    let (_, pem) = control.call_as(
        None,
        "GET",
        &format!("/exports/keys/{}", url(&text("keyId"))),
        "",
    );
    let key = PublicKey::from_pem(pem.as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(key.key_id(), text("keyId"));
    let (_, bundle) = control.call("GET", &format!("{path}/bundle"), "");
    assert_eq!(bundle, made["bundle"]);
    let bundle = Bundle::parse(bundle.to_string().as_bytes()).unwrap();
    bundle.verify(&key, &digest).unwrap();
    assert_eq!(bundle.signature().to_detached(), text("sig"));
    let [entry] = bundle.log_entries.as_slice() else {
        panic!("{} entries", bundle.log_entries.len());
    };
    assert_eq!(entry.canonicalized_body, bundle.log_body(&key));
    // With the key that the trusted root has, and no other.
    let (_, root) = control.call_as(None, "GET", "/exports/trusted-root.json", "");
    let root = TrustedRoot::parse(root.to_string().as_bytes()).unwrap();
    let log = root.log(&entry.log_id).unwrap();
    let (origin, der) = (log.origin(), log.key.as_ref().unwrap().as_der());
    let p256 = VerifierKey::new(origin, KeyType::EcdsaP256, der).unwrap();
    let policy = Policy::new(origin.parse().unwrap(), vec![p256], Vec::new(), 0).unwrap();
    let proof = Proof::parse(made["ledger"]["proof"].as_str().unwrap().as_bytes()).unwrap();
    proof.verify(&policy, &entry.canonicalized_body).unwrap();
    assert_eq!(made["ledger"]["index"], entry.log_index);
    assert_eq!(proof.checkpoint, entry.inclusion_proof.checkpoint);
    assert!(proof.verify(&policy, b"another").is_err());
}

fn url(id: &str) -> String {
    id.trim_end_matches('=').replace('+', "-").replace('/', "_")
}

#[test]
fn a_users_export_is_signed_and_in_the_ledger() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let proof = ada.proof();
        let headers = own(&ada.person.header, &proof, "\"k-1\"");
        let (status, made) = stage.post(&headers, &of(3));
        assert_eq!(status, 201, "{made}");
        verify(&stage, &made);
        let manifest = &made["manifest"];
        assert_eq!(manifest["createdBy"], "user:alpha:ada");
        assert_eq!(
            (&manifest["tenant"], &manifest["purpose"]),
            (&json!("alpha"), &json!("export"))
        );
        assert_eq!(manifest["items"].as_array().unwrap().len(), 3);
        assert_eq!(made["service"], Value::Null);
        // Once more is the same answer, to the byte, without a proof; quotes or not.
        let (token, key) = (
            ("authorization", &*ada.person.header),
            ("idempotency-key", "k-1"),
        );
        let again = stage.post(&[token, ("x-ig-purpose", "export"), key], &of(3));
        assert_eq!(again, (201, made.clone()));
        let path = format!("/exports/{}", made["exportId"].as_str().unwrap());
        assert_eq!(stage.get(&ada.person.header, &path), (200, made.clone()));
        let other = stage.post(&headers, &of(2));
        assert_eq!(other.0, 422, "{other:?}");
        assert_eq!(stage.bench.audited("export.create"), 1);
        let decided = decision(&stage, made["decisionId"].as_str().unwrap());
        assert_eq!(decided["outcome"], "allow");
        assert_eq!(decided["operation"], "ExportAssets");
        let known = audited(&stage, &made);
        for (name, value) in [
            ("for", json!("ada")),
            ("user", json!(ada.person.id)),
            ("facts", of(3)["facts"].clone()),
            ("authority", Value::Null),
            ("revision", decided["revision"].clone()),
            ("rule", decided["rule"].clone()),
            ("operation", decided["operation"].clone()),
            ("stepUp", decided["stepUp"].clone()),
        ] {
            assert_eq!(known[name], value, "{name}");
        }
        assert!(!known.to_string().contains(&proof), "a token");
        stage.bench.control.stop().unwrap();
    }
}

/// What the audit trail says of an export: all that it was decided by.
fn audited(stage: &Stage, made: &Value) -> Value {
    let (_, page) = stage.bench.control.call("GET", "/audit?limit=1000", "");
    let tenant = made["tenant"].as_str().unwrap();
    let target = format!("{tenant}/export/{}", made["exportId"].as_str().unwrap());
    let mut all = page["items"].as_array().unwrap().iter();
    let record = all.find(|one| one["target"] == target.as_str()).unwrap();
    let known: Value = serde_json::from_str(record["after"].as_str().unwrap()).unwrap();
    for (name, value) in [
        ("manifest", made["manifestSha"].clone()),
        ("keyId", made["keyId"].clone()),
        ("items", made["itemCount"].clone()),
        ("graph", json!("demo")),
        ("action", json!(ACTION)),
        ("purpose", made["purpose"].clone()),
        ("authority", made["authority"].clone()),
        ("decision", made["decisionId"].clone()),
        ("issuer", json!(stage.bench.url)),
        ("groups", json!(["analyst"])),
    ] {
        assert_eq!(known[name], value, "{name}");
    }
    // The state of users and groups, as a number of their changes.
    let last = stage
        .bench
        .count("SELECT MAX(number) FROM directory_changes");
    assert!(known["directory"].as_i64().unwrap() <= last);
    known
}

/// The record of a decision of the control plane's own, once it is written.
fn decision(stage: &Stage, id: &str) -> Value {
    let path = format!("/decisions?decisionId={id}");
    for _ in 0..100 {
        let (_, page) = stage.bench.control.call("GET", &path, "");
        let found = page["items"].as_array().unwrap().iter();
        let mut found = found.filter(|one| one["node"] == "control-plane");
        if let Some(one) = found.next() {
            return one["record"].clone();
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("no record of {id}");
}

#[test]
fn a_service_exports_what_a_guard_let_through() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let number = ada.number();
        let used_for = UsedFor {
            authority: Some("a warrant".into()),
            ..stage.used_for("ada", "decision-1")
        };
        assert_eq!(stage.bench.spend_for(&number, used_for), Spent::First);
        let authority = ("x-ig-authority", "a warrant");
        let (status, made) = stage.relay("decision-1", &[authority]);
        assert_eq!(status, 201, "{made}");
        verify(&stage, &made);
        assert_eq!(made["manifest"]["createdBy"], "user:alpha:ada");
        assert_eq!(made["decisionId"], "decision-1");
        assert_eq!(made["service"], "upstream");
        let known = audited(&stage, &made);
        assert_eq!(known["stepUp"], number.as_str());
        assert_eq!(known["authority"], "a warrant");
        assert_eq!(stage.relay("decision-1", &[authority]), (201, made.clone()));
        // One decision, one export; and the user sees it, as the service does.
        let again = stage.relay("decision-1", &[authority, ("idempotency-key", "another")]);
        assert_eq!(again.0, 409, "{again:?}");
        let path = format!("/exports/{}", made["exportId"].as_str().unwrap());
        for header in [&ada.person.header, &stage.service] {
            assert_eq!(stage.get(header, &path), (200, made.clone()));
        }
        assert_eq!(stage.bench.audited("export.create"), 1);
        stage.bench.control.stop().unwrap();
    }
}
