//! Proofs of presence through the real Envoy: the control plane that gives
//! tokens, the module that asks for them, and two gateways at once.

mod break_glass;
mod exports;
mod rotation;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_e2e::{Authenticator, ControlPlane, RawRequest, Scim, TokenClaims, http1, module};
use serde_json::{Value, json};

use crate::control_plane::{by_id, gateway_of, publish, start};
use crate::gateway::{ALLOWED, Gateway, denied, request_with_token};
use crate::skip;

const AUDIENCE: &str = "ig";
const ISSUER: &str = "https://issuer.test";
const ACTION: &str = "export:assets";
/// Of each gateway: what one knows the others do not.
const WORKERS: u32 = 4;

fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// A control plane that knows the gateways' people, and two gateways.
struct Bench {
    control: ControlPlane,
    scim: Scim,
    gateways: [Gateway; 2],
    _folder: tempfile::TempDir,
}

/// Somebody with a passkey.
struct Person {
    token: String,
    user: String,
    key: Authenticator,
}

impl Bench {
    async fn start() -> Self {
        Self::with_settings("").await
    }

    /// With more in `guard.toml`.
    async fn with_settings(more: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = start(&folder, module("ig_guard").unwrap());
        let scim = control.provisioner("alpha", true).unwrap();
        let gateways = [
            gateway_of(WORKERS, control.grpc, None).await,
            gateway_of(WORKERS, control.grpc, None).await,
        ];
        let fixture = &gateways[0].fixture;
        let keys = json!({"keys": [fixture.issuer.jwk()]}).to_string();
        fixture.recorder.serve_text("jwks".into(), keys);
        let jwks = format!("http://{}/texts/jwks", fixture.recorder.address);
        let put = |path: &str, body: Value| {
            let (status, said) = control.call("PUT", path, body.to_string());
            assert_eq!(status, 204, "{path}: {said}");
        };
        put(
            "/tenants/alpha",
            json!({
                "region": "eu-west-1", "purposes": ["investigation", "export"],
                "purposesByGroup": {"analyst": ["investigation", "export"]},
                "issuers": {ISSUER: {"attribute": "externalId"}},
            }),
        );
        let login = json!({"issuer": ISSUER, "audience": AUDIENCE, "jwks": jwks});
        put("/tenants/alpha/identity", json!({"logins": [login]}));
        let (_, mut graph) = control.call("GET", "/graphs/demo", "");
        let settings = graph["settings"].as_str().unwrap();
        let directory = "[directory]\ncluster = \"control-plane\"\nauthority = \"ig\"\n";
        graph["settings"] = json!(format!("{settings}{directory}{more}"));
        put("/graphs/demo", graph);
        publish(&control);
        Self {
            control,
            scim,
            gateways,
            _folder: folder,
        }
    }

    /// An analyst of alpha, who has logged in and added a passkey.
    fn person(&self, name: &str, seed: u8) -> Person {
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": name, "externalId": name,
        });
        let user = self.scim.post("/Users", &user).id();
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "analyst", "members": [{"value": user}],
        });
        let made = self.scim.post("/Groups", &group);
        if made.status == 409 {
            let known = self
                .scim
                .get("/Groups?filter=displayName%20eq%20%22analyst%22");
            let path = format!("/Groups/{}", known.each("/id")[0]);
            let add = json!([{"op": "add", "path": "members", "value": [{"value": user}]}]);
            assert!(self.scim.patch(&path, &add).status < 300);
        }
        let at = seconds();
        let claims = TokenClaims::alpha()
            .with("sub", name.into())
            .with("aud", AUDIENCE.into())
            .with("sid", "s1".into())
            .with("auth_time", at.into());
        let token = self.gateways[0].fixture.issuer.token(&claims);
        let key = Authenticator::new(seed, "http://localhost:8080", "localhost");
        let mut person = Person { token, user, key };
        let begun = self.call(&person, "registration/options", &json!({"name": "key"}));
        let credential = person.key.create(&begun["publicKey"]);
        let answer = json!({"ceremony": begun["ceremony"], "credential": credential});
        self.call(&person, "registration/verify", &answer);
        person
    }

    fn call(&self, person: &Person, path: &str, body: &Value) -> Value {
        self.post(person, &format!("/webauthn/{path}"), body, None)
    }

    fn post(&self, person: &Person, path: &str, body: &Value, step_up: Option<&str>) -> Value {
        let header = format!("Bearer {}", person.token);
        let mut headers = vec![("authorization", header.as_str())];
        headers.extend(step_up.map(|token| ("x-ig-step-up", token)));
        let (status, answer) = self
            .control
            .call_with(&headers, "POST", path, body.to_string());
        assert!(
            matches!(status, 200 | 201 | 204),
            "{path}: {status} {answer}"
        );
        answer
    }

    /// A step-up token for what a challenge asks for.
    fn prove(&self, person: &mut Person, challenge: &Value, is_exact: bool) -> String {
        let mut intent = json!({"graph": "demo", "actions": challenge["actions"]});
        if is_exact {
            intent["resource"] = challenge["resource"].clone();
        }
        let begun = self.call(person, "authentication/options", &intent);
        let credential = person.key.get(&begun["publicKey"]);
        let answer = json!({"ceremony": begun["ceremony"], "credential": credential});
        let granted = self.call(person, "authentication/verify", &answer);
        granted["token"].as_str().unwrap().to_owned()
    }

    /// Each worker of a gateway learns by itself who is there: only many answers in a
    /// row are all of them.
    async fn until_ready(&self, person: &Person) {
        for gateway in &self.gateways {
            let mut in_a_row = 0;
            let mut last = None;
            for _ in 0..400 {
                let answer = gateway.send(export(person, None, "a")).await;
                let verdict = answer.verdict();
                if verdict == denied(401, "STEP_UP_REQUIRED") {
                    in_a_row += 1;
                } else {
                    in_a_row = 0;
                }
                last = Some(verdict);
                if in_a_row == 20 {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            assert_eq!(in_a_row, 20, "{last:?} {}", gateway.envoy.log());
        }
    }

    /// What a denied export asks for.
    async fn challenge(&self, person: &Person) -> Value {
        let answer = self.gateways[0].send(export(person, None, "a")).await;
        let body: Value = serde_json::from_slice(&answer.response.body).unwrap();
        let header = answer.response.header("www-authenticate").unwrap();
        assert!(
            header.contains("insufficient_user_authentication"),
            "{header}"
        );
        assert!(
            header.contains(&format!("actions=\"{ACTION}\"")),
            "{header}"
        );
        body["errors"][0]["extensions"]["stepUp"].clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_needs_a_proof_of_presence() {
    if !skip::ready() {
        return;
    }
    let bench = Bench::start().await;
    let mut ada = bench.person("ada", 3);
    let bob = bench.person("bob", 4);
    bench.until_ready(&ada).await;
    let [first, second] = &bench.gateways;
    let challenge = bench.challenge(&ada).await;
    assert_eq!(challenge["actions"], json!([ACTION]));

    let token = bench.prove(&mut ada, &challenge, false);
    // Of somebody else, and for something else.
    let stolen = first.send(export(&bob, Some(&token), "a")).await;
    assert_eq!(stolen.rule().as_deref(), Some("step-up-subject"));
    let other = bench.prove(&mut ada, &json!({"actions": ["export:people"]}), false);
    let other = first.send(export(&ada, Some(&other), "a")).await;
    assert_eq!(other.rule().as_deref(), Some("step-up-action"));
    let exported = first.send(export(&ada, Some(&token), "a")).await;
    assert_eq!(exported.verdict(), ALLOWED);
    assert_eq!(exported.seen.len(), 1);
    assert_eq!(
        exported.seen[0].header("x-ig-step-up").len(),
        0,
        "it stays here"
    );
    // Once, at either gateway.
    for gateway in [first, second] {
        let again = gateway.send(export(&ada, Some(&token), "a")).await;
        assert_eq!(again.verdict(), denied(401, "STEP_UP_REQUIRED"));
        assert_eq!(again.rule().as_deref(), Some("step-up-used"));
        assert!(again.seen.is_empty());
    }
    // One that is good for these variables only.
    let exact = bench.prove(&mut ada, &challenge, true);
    let other = first.send(export(&ada, Some(&exact), "b")).await;
    assert_eq!(other.rule().as_deref(), Some("step-up-resource"));
    assert_eq!(
        first.send(export(&ada, Some(&exact), "a")).await.verdict(),
        ALLOWED
    );
    // It ends with the session.
    let token = bench.prove(&mut ada, &challenge, false);
    let header = format!("Bearer {}", ada.token);
    assert_eq!(
        bench
            .control
            .call_as(Some(&header), "POST", "/step-up/end", "{}")
            .0,
        204
    );
    let ended = first.send(export(&ada, Some(&token), "a")).await;
    assert_eq!(ended.rule().as_deref(), Some("step-up-ended"));
    // And with the user, at both gateways.
    let token = bench.prove(&mut ada, &challenge, false);
    let suspend = json!([{"op": "replace", "path": "active", "value": false}]);
    let path = format!("/Users/{}", ada.user);
    assert_eq!(bench.scim.patch(&path, &suspend).status, 200);
    for gateway in [first, second] {
        let mut last = None;
        for _ in 0..40 {
            let answer = gateway.send(export(&ada, Some(&token), "a")).await;
            assert_ne!(answer.verdict(), ALLOWED, "suspended");
            last = answer.rule();
            if last.as_deref() == Some("suspended") {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(last.as_deref(), Some("suspended"));
    }
    let back = json!([{"op": "replace", "path": "active", "value": true}]);
    assert_eq!(bench.scim.patch(&path, &back).status, 200);
    bench.until_ready(&ada).await;
    let dead = first.send(export(&ada, Some(&token), "a")).await;
    assert_eq!(
        dead.rule().as_deref(),
        Some("step-up-ended"),
        "it does not come back"
    );
    // Nobody says which tokens were used: none counts.
    let token = bench.prove(&mut ada, &challenge, false);
    let Bench {
        control, gateways, ..
    } = bench;
    control.stop().unwrap();
    let answer = gateways[0].send(export(&ada, Some(&token), "a")).await;
    assert_eq!(answer.response.status, 503, "{:?}", answer.rule());
}

/// An export of somebody.
fn export(person: &Person, token: Option<&str>, asset: &str) -> RawRequest {
    let (_, id) = by_id("ExportAssets");
    let body = json!({"documentId": id, "variables": {"ids": [asset]}}).to_string();
    let mut request = request_with_token(&person.token, &body);
    for (name, value) in &mut request.headers {
        if name == "x-ig-purpose" {
            *value = b"export".to_vec();
        }
    }
    let token = token.map(|token| ("x-ig-step-up".to_owned(), token.into()));
    request.headers.extend(token);
    request
}

/// They are not asked about, and yet end at once, at every gateway.
#[tokio::test(flavor = "multi_thread")]
async fn what_counts_more_than_once_ends_too() {
    if !skip::ready() {
        return;
    }
    let bench = Bench::with_settings("[step-up]\nsingle-use = []\n").await;
    let mut ada = bench.person("ada", 3);
    bench.until_ready(&ada).await;
    let challenge = bench.challenge(&ada).await;
    for _ in 0..3 {
        let token = bench.prove(&mut ada, &challenge, false);
        for gateway in bench.gateways.iter().chain(&bench.gateways) {
            let answer = gateway.send(export(&ada, Some(&token), "a")).await;
            assert_eq!(answer.verdict(), ALLOWED, "{:?}", answer.rule());
        }
        let header = format!("Bearer {}", ada.token);
        let ended = bench
            .control
            .call_as(Some(&header), "POST", "/step-up/end", "{}");
        assert_eq!(ended.0, 204);
        for gateway in &bench.gateways {
            let started = Instant::now();
            loop {
                let answer = gateway.send(export(&ada, Some(&token), "a")).await;
                if answer.rule().as_deref() == Some("step-up-ended") {
                    break;
                }
                assert_eq!(answer.verdict(), ALLOWED, "{:?}", answer.rule());
                assert!(
                    started.elapsed() < Duration::from_secs(10),
                    "it does not end"
                );
            }
        }
    }
}

/// Fifty at once, over two gateways: one has it.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_fifty_uses_a_token() {
    if !skip::ready() {
        return;
    }
    let bench = Arc::new(Bench::start().await);
    let mut ada = bench.person("ada", 3);
    bench.until_ready(&ada).await;
    let challenge = bench.challenge(&ada).await;
    for _ in 0..3 {
        let token = bench.prove(&mut ada, &challenge, false);
        let uses = (0..50).map(|number: usize| {
            let request = export(&ada, Some(&token), "a");
            let to = bench.gateways[number % 2].envoy.gateway;
            tokio::spawn(async move { http1(to, &request).await.unwrap() })
        });
        let uses: Vec<_> = uses.collect();
        let mut passed = 0;
        for one in uses {
            let answer = one.await.unwrap();
            match answer.status {
                200 => passed += 1,
                _ => assert_eq!(answer.extension("rule").as_deref(), Some("step-up-used")),
            }
        }
        assert_eq!(passed, 1);
    }
    let reached: usize = bench
        .gateways
        .iter()
        .map(|one| one.fixture.recorder.total())
        .sum();
    assert_eq!(reached, 3);
}
