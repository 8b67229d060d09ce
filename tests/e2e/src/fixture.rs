//! A small graph with one of everything, its snapshot and its issuer.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_contract::TextHash;
use ig_contract::snapshot::{
    DocumentSource, Head, Identity, Limits, Modes, SnapshotSource, Tenant, TextStore,
};
use ig_envoy::{AccessLog, Address, Guard, Jwks, JwtProvider, StaticOptions, Upstream};
use ig_schema::Schema;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};

use crate::{Recorder, module};

/// Issuer of the tests' tokens.
pub(crate) const ISSUER: &str = "https://issuer.test";

/// An issuer with one key.
#[derive(Clone)]
pub struct Issuer {
    key: SigningKey,
    key_id: String,
}

/// Claims of a token.
#[derive(Clone, Debug)]
pub struct TokenClaims(pub Value);

impl TokenClaims {
    /// The demo's analyst of tenant alpha.
    pub fn alpha() -> Self {
        Self(json!({
            "iss": ISSUER, "sub": "a@alpha.io", "tenant": "alpha", "azp": "portal",
            "groups": ["analyst"], "purposes": ["investigation", "audit", "export"],
        }))
    }

    /// With a claim set.
    #[must_use]
    pub fn with(mut self, name: &str, value: Value) -> Self {
        self.0[name] = value;
        self
    }
}

impl Issuer {
    /// An issuer whose key is made of `seed`.
    ///
    /// # Errors
    /// For a seed that is no private key.
    pub fn new(seed: u8) -> Result<Self> {
        let key = SigningKey::from_slice(&[seed.max(1); 32]).context("seed")?;
        Ok(Self {
            key,
            key_id: format!("key-{seed}"),
        })
    }

    /// The same key under the id of another issuer's: a forgery.
    #[must_use]
    pub fn with_key_id(mut self, of: &Self) -> Self {
        self.key_id.clone_from(&of.key_id);
        self
    }

    /// Its public key, as a JWK.
    pub fn jwk(&self) -> Value {
        let point = self.key.verifying_key().to_encoded_point(false);
        let part = |part: Option<&p256::FieldBytes>| {
            URL_SAFE_NO_PAD.encode(part.map(|bytes| bytes.as_slice()).unwrap_or_default())
        };
        json!({
            "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": self.key_id,
            "x": part(point.x()), "y": part(point.y()),
        })
    }

    /// Signs a token that is good for an hour, unless the claims say otherwise.
    pub fn token(&self, claims: &TokenClaims) -> String {
        let mut claims = claims.0.clone();
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs();
        if claims.get("exp").is_none() {
            claims["exp"] = json!(now + 3600);
        }
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": self.key_id});
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let signature: Signature = self.key.sign(signed.as_bytes());
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes()))
    }
}

const SDL: &str = r#"
type Query { case(id: ID!): Case  cases(first: Int): [Case!]!  me: String  secret: String }
type Mutation {
  createAsset(input: AssetInput!): Asset @authz(purpose: ["investigation"])
  createAssets(inputs: [AssetInput!]!): [Asset!]! @authz(purpose: ["investigation"])
}
type Subscription { events: String }
type Case { id: ID!  title: String }
type Asset @resource(pii: true) { id: ID! }
input AssetInput { label: String!  retention: String @fact(name: "retention") }
"#;

/// (short name, text, client that may use it, whether the text is embedded)
const DOCUMENTS: [(&str, &str, Option<&str>, bool); 10] = [
    (
        "Case",
        "query Case($id: ID!) { case(id: $id) { id title } }",
        None,
        true,
    ),
    (
        "Cases",
        "query Cases($first: Int) { cases(first: $first) { id title } }",
        None,
        true,
    ),
    (
        "CreateAsset",
        "mutation CreateAsset($input: AssetInput!) { createAsset(input: $input) { id } }",
        None,
        true,
    ),
    (
        "CreateAssets",
        "mutation CreateAssets($inputs: [AssetInput!]!) { createAssets(inputs: $inputs) { id } }",
        None,
        true,
    ),
    (
        "Several",
        "query One { me } query Two { me } mutation Three { createAsset(input: {label: \"x\", retention: \"short-30d\"}) { id } }",
        None,
        true,
    ),
    ("Anonymous", "{ me }", None, true),
    ("Portal", "query Portal { me }", Some("portal"), true),
    ("Kiosk", "query Kiosk { secret }", Some("kiosk"), true),
    ("Remote", "query Remote { me }", None, false),
    ("Events", "subscription Events { events }", None, true),
];

const POLICY: &str = r#"package ig
import rego.v1
default decision := {"allow": false, "rule": "default-deny", "obligations": []}
decision := {"allow": true, "rule": "allow", "obligations": []} if count(violations) == 0
decision := {"allow": false, "rule": min(violations), "obligations": []} if count(violations) > 0
violations contains "purpose-not-held" if not input.purpose in input.actor.purposes
violations contains "retention-too-long" if {
	some value in input.facts.retention
	not value in {"short-30d", "legal-hold"}
}
violations contains "warrant-required" if {
	input.purpose == "audit"
	input.operation.type == "mutation"
	input.authority == null
}
"#;

/// What a test runs against.
#[derive(Clone)]
pub struct Fixture {
    /// The upstream.
    pub recorder: Recorder,
    /// The issuer.
    pub issuer: Issuer,
    /// The parts of the snapshot.
    pub head: Head,
    /// Documents by short name.
    pub texts: BTreeMap<String, String>,
    documents: BTreeMap<TextHash, DocumentSource>,
    program: Vec<u8>,
}

/// The default fixture.
///
/// # Errors
/// If a part does not compile.
pub async fn demo() -> Result<Fixture> {
    let recorder = Recorder::start().await?;
    let schema = Schema::parse(SDL, ig_schema::Limits::SCHEMA)?;
    let mut documents = BTreeMap::new();
    let mut texts = BTreeMap::new();
    for (name, text, client, embed) in DOCUMENTS {
        let mut operations = ig_schema::compile(&schema, text, ig_schema::Limits::DOCUMENT)?;
        for operation in &mut operations {
            operation.clients = client.into_iter().map(ToOwned::to_owned).collect();
        }
        let hash = TextHash::of(text.as_bytes());
        if !embed {
            recorder.serve_text(hash.to_string(), text.to_owned());
        }
        texts.insert(name.to_owned(), text.to_owned());
        documents.insert(
            hash,
            DocumentSource {
                text: text.to_owned(),
                embed,
                operations,
            },
        );
    }
    let files = BTreeMap::from([
        (
            ".manifest".to_owned(),
            br#"{"revision": "test", "roots": ["ig"]}"#.to_vec(),
        ),
        ("decision.rego".to_owned(), POLICY.as_bytes().to_vec()),
    ]);
    let bundle = ig_snapshot::Bundle::from_files(files)?;
    let program = ig_snapshot::compile_policy(&bundle)?;
    Ok(Fixture {
        recorder,
        issuer: Issuer::new(7)?,
        head: head(),
        texts,
        documents,
        program,
    })
}

fn head() -> Head {
    let tenant = |region: &str| Tenant {
        region: Some(region.to_owned()),
        purposes: ["investigation", "audit", "export"]
            .map(ToOwned::to_owned)
            .into(),
        ..Tenant::default()
    };
    Head {
        graph: "test".into(),
        schema_tag: "test".into(),
        policy_revision: "test".into(),
        endpoint: "/graphql".into(),
        limits: Limits {
            max_batch: 4,
            ..Limits::default()
        },
        identity: Identity::default(),
        modes: Modes::default(),
        tenants: BTreeMap::from([
            ("alpha".to_owned(), tenant("eu-west-1")),
            ("bravo".to_owned(), tenant("us-east-1")),
        ]),
        texts: Some(TextStore {
            cluster: "texts".into(),
            authority: "texts".into(),
            path_prefix: "/texts/".into(),
            timeout_ms: 2_000,
            cache_bytes: 1 << 20,
        }),
        directory: None,
        step_up: None,
        rate_limit: None,
        residency: None,
        subscriptions: None,
    }
}

impl Fixture {
    /// The snapshot.
    ///
    /// # Errors
    /// If it does not fit.
    pub fn snapshot(&self) -> Result<Vec<u8>> {
        let aliases = BTreeMap::from([
            (
                "8a1fce2b3ad2c6a4a1e6f4b6a5d6c7e8".to_owned(),
                self.hash("Cases"),
            ),
            ("x-app:cases".to_owned(), self.hash("Cases")),
            ("../../etc/passwd".to_owned(), self.hash("Case")),
        ]);
        let source = SnapshotSource {
            head: self.head.clone(),
            program: self.program.clone(),
            documents: self.documents.clone(),
            aliases,
        };
        Ok(source.encode()?)
    }

    /// Hash of a document by its short name.
    pub fn hash(&self, name: &str) -> TextHash {
        TextHash::of(
            self.texts
                .get(name)
                .map(String::as_bytes)
                .unwrap_or_default(),
        )
    }

    /// Adds a document whose records come with it.
    pub fn add_document(&mut self, name: &str, source: DocumentSource) {
        self.texts.insert(name.to_owned(), source.text.clone());
        self.documents
            .insert(TextHash::of(source.text.as_bytes()), source);
    }

    /// Removes a document.
    pub fn retire(&mut self, name: &str) {
        let hash = self.hash(name);
        self.documents.remove(&hash);
    }

    /// Options of an Envoy in front of the recorder.
    ///
    /// # Errors
    /// If the module is not built.
    pub fn options(
        &self,
        listen: std::net::SocketAddr,
        admin: std::net::SocketAddr,
    ) -> Result<StaticOptions> {
        let address = |of: std::net::SocketAddr| Address::new(of.ip().to_string(), of.port());
        let upstream = address(self.recorder.address);
        let mut options = StaticOptions::new(
            address(listen),
            address(admin),
            Upstream::plain([upstream.clone()]),
        );
        options.guards = vec![Guard::new(self.module()?, self.snapshot()?)];
        options.jwt_providers = vec![JwtProvider {
            name: "test".into(),
            issuer: ISSUER.into(),
            audiences: vec![],
            jwks: Jwks::Inline(json!({"keys": [self.issuer.jwk()]}).to_string()),
            clock_skew_seconds: 5,
        }];
        options.text_store = Some(ig_envoy::TextStore {
            cluster: "texts".into(),
            endpoints: ig_envoy::Endpoints::plain([upstream]),
        });
        options.access_log = AccessLog::Stdout;
        Ok(options)
    }

    fn module(&self) -> Result<PathBuf> {
        module("ig_guard").map_err(anyhow::Error::msg)
    }
}
