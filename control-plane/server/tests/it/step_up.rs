//! Passkeys, proofs of presence, and the tokens they give.

use std::time::{SystemTime, UNIX_EPOCH};

use ig_contract::step_up::{SpendRequest, Spent};
use ig_e2e::{
    Authenticator, Authority, ControlPlane, Issuer, RawRequest, Scim, TokenClaims, fill, flags,
    http2,
};
use serde_json::{Value, json};
use sqlx::Connection as _;
use tokio::runtime::Runtime;

use crate::databases::Database;
use crate::oidc::WellKnown;

const AUDIENCE: &str = "console";
const ORIGIN: &str = "http://localhost:8080";

pub(crate) fn seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs()
}

/// A tenant with people, and a graph that is published.
pub(crate) struct Bench {
    pub(crate) control: ControlPlane,
    pub(crate) scim: Scim,
    issuer: Issuer,
    url: String,
    runtime: Runtime,
    database: String,
}

/// Somebody who is logged in.
pub(crate) struct Person<'a> {
    bench: &'a Bench,
    pub(crate) id: String,
    pub(crate) header: String,
}

/// An answer of the API.
pub(crate) type Answer = (u16, Value);

impl Bench {
    pub(crate) fn start(database: &Database) -> Self {
        let issuer = Issuer::new(7).unwrap();
        let well_known = WellKnown::start(json!({"keys": [issuer.jwk()]}));
        let control = database.start();
        fill(|method, path, body| control.call(method, path, body)).unwrap();
        let scim = control.provisioner("alpha", true).unwrap();
        let url = well_known.url.clone();
        for tenant in ["alpha", "bravo"] {
            let settings = json!({"issuers": {url.as_str(): {"attribute": "externalId"}}});
            let (status, said) =
                control.call("PUT", &format!("/tenants/{tenant}"), settings.to_string());
            assert_eq!(status, 204, "{said}");
        }
        let bench = Self {
            scim,
            control,
            issuer,
            url,
            runtime: Runtime::new().unwrap(),
            database: database.url.clone(),
        };
        bench.put_identity(json!({}));
        let (status, said) = bench.control.call("POST", "/snapshots/demo", "");
        assert_eq!(status, 200, "{said}");
        bench
    }

    pub(crate) fn put_identity(&self, more: Value) {
        for (tenant, audience) in [("alpha", AUDIENCE), ("bravo", "other")] {
            let mut identity = json!({"logins": [{"issuer": self.url, "audience": audience}]});
            if tenant == "alpha" {
                identity
                    .as_object_mut()
                    .unwrap()
                    .extend(more.as_object().unwrap().clone());
            }
            let path = format!("/tenants/{tenant}/identity");
            let (status, said) = self.control.call("PUT", &path, identity.to_string());
            assert_eq!(status, 204, "{said}");
        }
    }

    pub(crate) fn user(&self, scim: &Scim, name: &str) -> String {
        let schema = "urn:ietf:params:scim:schemas:core:2.0:User";
        let user = json!({"schemas": [schema], "userName": name, "externalId": name});
        let made = scim.post("/Users", &user);
        assert_eq!(made.status, 201, "{}", made.text);
        made.id()
    }

    pub(crate) fn person(&self, name: &str) -> Person<'_> {
        let id = self.user(&self.scim, name);
        Person {
            bench: self,
            id,
            header: self.login(name, &json!({})),
        }
    }

    /// A token of a login of now.
    pub(crate) fn login(&self, name: &str, more: &Value) -> String {
        let mut claims = json!({
            "iss": self.url, "sub": name, "aud": AUDIENCE, "sid": "s1", "auth_time": seconds(),
        });
        claims
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        format!("Bearer {}", self.issuer.token(&TokenClaims(claims)))
    }

    pub(crate) fn spend(&self, token: &str) -> Spent {
        let request = SpendRequest {
            graph: "demo".into(),
            tenant: "alpha".into(),
            token: token.into(),
        };
        let request = RawRequest {
            method: "POST".into(),
            target: "/directory/v1/spend".into(),
            headers: vec![("content-type".into(), b"application/json".to_vec())],
            chunks: vec![serde_json::to_vec(&request).unwrap()],
            ..RawRequest::default()
        };
        let answer = self
            .runtime
            .block_on(http2(self.control.grpc, &request))
            .unwrap();
        assert_eq!(
            answer.status,
            200,
            "{:?}",
            String::from_utf8_lossy(&answer.body)
        );
        serde_json::from_slice(&answer.body).unwrap()
    }

    pub(crate) fn sql(&self, sql: &'static str) {
        sqlx::any::install_default_drivers();
        self.runtime.block_on(async {
            let mut connection = sqlx::AnyConnection::connect(&self.database).await.unwrap();
            sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    /// A number of the database.
    pub(crate) fn count(&self, sql: &'static str) -> i64 {
        self.query(sql).unwrap()
    }

    /// A value of the database.
    pub(crate) fn query<T>(&self, sql: &'static str) -> Option<T>
    where
        T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Any> + sqlx::Type<sqlx::Any>,
    {
        sqlx::any::install_default_drivers();
        self.runtime.block_on(async {
            let mut connection = sqlx::AnyConnection::connect(&self.database).await.unwrap();
            let value = sqlx::query_scalar(sql).fetch_optional(&mut connection);
            let value = value.await.unwrap();
            connection.close().await.unwrap();
            value
        })
    }

    pub(crate) fn audited(&self, action: &str) -> usize {
        let (_, audit) = self.control.call("GET", "/audit?limit=1000", "");
        let items = audit["items"].as_array().unwrap();
        items.iter().filter(|one| one["action"] == action).count()
    }
}

pub(crate) fn key(seed: u8) -> Authenticator {
    Authenticator::new(seed, ORIGIN, "localhost")
}

pub(crate) fn reason(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["reason"].as_str().unwrap_or_default())
}

impl Person<'_> {
    pub(crate) fn post(&self, path: &str, body: &Value, token: Option<&str>) -> Answer {
        let control = &self.bench.control;
        let mut headers = vec![("authorization", self.header.as_str())];
        headers.extend(token.map(|token| ("x-ig-step-up", token)));
        control.call_with(&headers, "POST", path, body.to_string())
    }

    /// The same user, with another token.
    fn with(&self, more: &Value, name: &str) -> Self {
        Self {
            bench: self.bench,
            id: self.id.clone(),
            header: self.bench.login(name, more),
        }
    }

    pub(crate) fn begin_adding(&self, token: Option<&str>) -> Answer {
        self.post(
            "/webauthn/registration/options",
            &json!({"name": "key"}),
            token,
        )
    }

    fn end_adding(&self, begun: &Value, credential: &Value) -> Answer {
        let body = json!({"ceremony": begun["ceremony"], "credential": credential});
        self.post("/webauthn/registration/verify", &body, None)
    }

    /// Adds the first passkey.
    pub(crate) fn add(&self, key: &mut Authenticator) {
        let (status, begun) = self.begin_adding(None);
        assert_eq!(status, 200, "{begun}");
        let (status, added) = self.end_adding(&begun, &key.create(&begun["publicKey"]));
        assert_eq!(status, 201, "{added}");
    }

    fn begin(&self, intent: &Value) -> Value {
        let (status, begun) = self.post("/webauthn/authentication/options", intent, None);
        assert_eq!(status, 200, "{begun}");
        begun
    }

    fn end(&self, begun: &Value, credential: &Value) -> Answer {
        let body = json!({"ceremony": begun["ceremony"], "credential": credential});
        self.post("/webauthn/authentication/verify", &body, None)
    }

    /// Proves presence for an intent.
    pub(crate) fn prove(&self, key: &mut Authenticator, intent: &Value) -> Answer {
        let begun = self.begin(intent);
        self.end(&begun, &key.get(&begun["publicKey"]))
    }

    pub(crate) fn token(&self, key: &mut Authenticator, intent: &Value) -> (String, String) {
        let (status, granted) = self.prove(key, intent);
        assert_eq!(status, 200, "{granted}");
        let text = |name: &str| granted[name].as_str().unwrap().to_owned();
        (text("token"), text("id"))
    }
}

pub(crate) fn export() -> Value {
    json!({"graph": "demo", "actions": ["export:assets"]})
}

#[test]
fn a_passkey_gives_tokens_that_count_once() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut key = key(3);
        let (status, said) = ada.post("/webauthn/authentication/options", &export(), None);
        assert_eq!(status, 409, "{said}");
        assert!(said["detail"].as_str().unwrap().contains("add one first"));
        ada.add(&mut key);
        let (token, id) = ada.token(&mut key, &export());
        assert!(token.starts_with("ey"));
        assert_eq!(bench.spend(&id), Spent::First);
        assert_eq!(bench.spend(&id), Spent::Again);
        assert_eq!(bench.spend("none"), Spent::Over);
        assert_eq!(bench.audited("passkey.add"), 1);
        assert_eq!(bench.audited("step-up.grant"), 1);
        // One of another graph, which this one knows nothing of.
        let (_, own) = ada.token(&mut key, &json!({"actions": ["passkey:add"]}));
        assert_eq!(bench.spend(&own), Spent::Over);
        bench.control.stop().unwrap();
    }
}

/// Of a crowd that uses one token, one has it.
#[test]
fn one_of_many_uses_a_token() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut key = key(3);
        ada.add(&mut key);
        let (_, id) = ada.token(&mut key, &export());
        let uses = std::thread::scope(|scope| {
            let id = &id;
            let bench = &bench;
            let uses: Vec<_> = (0..30)
                .map(|_| scope.spawn(move || bench.spend(id)))
                .collect();
            uses.into_iter()
                .map(|one| one.join().unwrap())
                .collect::<Vec<_>>()
        });
        let count = |spent: Spent| uses.iter().filter(|one| **one == spent).count();
        assert_eq!((count(Spent::First), count(Spent::Again)), (1, 29));
        bench.control.stop().unwrap();
    }
}

/// Each way in which an answer can be wrong has its reason, and ends its
/// ceremony.
#[test]
fn hostile_answers_are_refused() {
    type Spoil = fn(&mut Authenticator);
    let ways: [(&str, Spoil); 9] = [
        ("challenge", |key| key.challenge = Some("AAAA".repeat(11))),
        ("origin", |key| key.origin = "http://localhost:8081".into()),
        ("origin", |key| {
            key.origin = "http://evil-localhost:8080".into()
        }),
        ("relying-party", |key| key.rp_id = "example.com".into()),
        ("user-presence", |key| key.flags &= !flags::USER_PRESENT),
        ("user-verification", |key| {
            key.flags &= !flags::USER_VERIFIED
        }),
        ("cross-origin", |key| key.cross_origin = true),
        ("type", |key| key.kind = Some("webauthn.payment")),
        ("type", |key| {
            key.kind = Some(match key.counter {
                0 => "webauthn.get",
                _ => "webauthn.create",
            });
        }),
    ];
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    let (ada, bob) = (bench.person("ada"), bench.person("bob"));
    for (expected, spoil) in ways {
        let (_, begun) = bob.begin_adding(None);
        let mut wrong = key(4);
        spoil(&mut wrong);
        let credential = wrong.create(&begun["publicKey"]);
        let answer = bob.end_adding(&begun, &credential);
        assert_eq!(reason(&answer), (403, expected), "adding: {}", answer.1);
        let good = key(4).create(&begun["publicKey"]);
        let again = bob.end_adding(&begun, &good);
        assert_eq!(reason(&again), (403, "ceremony"), "adding: {expected}");
    }
    let mut own = key(3);
    ada.add(&mut own);
    own.counter = 1;
    for (expected, spoil) in ways {
        let begun = ada.begin(&export());
        let mut wrong = own.clone();
        spoil(&mut wrong);
        let answer = ada.end(&begun, &wrong.get(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, expected), "proving: {}", answer.1);
        let again = ada.end(&begun, &own.clone().get(&begun["publicKey"]));
        assert_eq!(reason(&again), (403, "ceremony"), "proving: {expected}");
    }
    // Somebody else's passkey, or its id with another key behind it.
    let mut others = key(5);
    bob.add(&mut others);
    let begun = ada.begin(&export());
    let answer = ada.end(&begun, &others.get(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "passkey"), "{}", answer.1);
    let begun = ada.begin(&export());
    let mut disguised = key(6);
    disguised.credential.clone_from(&own.credential);
    let answer = ada.end(&begun, &disguised.get(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "signature"), "{}", answer.1);
    // An answer of one kind to a question of the other.
    let begun = ada.begin(&export());
    let answer = ada.end(&begun, &own.create(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "malformed"), "{}", answer.1);
    let begun = ada.begin(&export());
    let answer = ada.end_adding(&begun, &own.create(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "type"), "{}", answer.1);
    for credential in [json!(null), json!({}), json!("x"), json!({"id": "x"})] {
        let begun = ada.begin(&export());
        let answer = ada.end(&begun, &credential);
        assert_eq!(reason(&answer), (403, "malformed"), "{credential}");
    }
    // What was refused gave nothing.
    assert_eq!(bench.audited("step-up.grant"), 0);
    assert_eq!(bench.audited("passkey.add"), 2);
    bench.control.stop().unwrap();
}

#[test]
fn a_copy_of_a_passkey_is_found_out() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        own.counter = 1;
        ada.add(&mut own);
        let mut copy = own.clone();
        ada.token(&mut own, &export());
        ada.token(&mut own, &export());
        let answer = ada.prove(&mut copy, &export());
        assert_eq!(reason(&answer), (403, "counter"), "{}", answer.1);
        assert_eq!(bench.audited("passkey.suspect"), 1);
        // Two ceremonies that both know the old counter.
        let (first, second) = (ada.begin(&export()), ada.begin(&export()));
        let mut copy = own.clone();
        assert_eq!(ada.end(&first, &own.get(&first["publicKey"])).0, 200);
        let answer = ada.end(&second, &copy.get(&second["publicKey"]));
        assert_eq!(reason(&answer), (403, "counter"), "{}", answer.1);
        bench.control.stop().unwrap();
    }
}

#[test]
fn a_ceremony_is_one_sessions_and_ends() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        ada.add(&mut own);
        // Another session of the same user, and somebody else.
        let bob = bench.person("bob");
        let elsewhere = ada.with(&json!({"sid": "s2"}), "ada");
        for other in [&elsewhere, &bob] {
            let begun = ada.begin(&export());
            let credential = own.get(&begun["publicKey"]);
            let answer = other.end(&begun, &credential);
            assert_eq!(reason(&answer), (403, "ceremony"), "{}", answer.1);
            // It is still there for whoever began it.
            assert_eq!(ada.end(&begun, &credential).0, 200);
        }
        let begun = ada.begin(&export());
        bench.sql("UPDATE ceremonies SET ends_at = 1");
        let answer = ada.end(&begun, &own.get(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, "ceremony-expired"), "{}", answer.1);
        // Two tabs.
        let begun = ada.begin(&export());
        let credential = own.get(&begun["publicKey"]);
        let ends = std::thread::scope(|scope| {
            let ends: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| ada.end(&begun, &credential).0))
                .collect();
            ends.into_iter()
                .map(|one| one.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(
            ends.iter().filter(|status| **status == 200).count(),
            1,
            "{ends:?}"
        );
        bench.control.stop().unwrap();
    }
}

#[test]
fn a_passkey_is_added_after_a_fresh_login_or_a_proof() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        for at in [
            json!(null),
            json!(seconds() - 400),
            json!(seconds() + 60),
            json!("now"),
        ] {
            let stale = ada.with(&json!({"auth_time": at}), "ada");
            let answer = stale.begin_adding(None);
            assert_eq!(reason(&answer), (401, "stale-login"), "{at}");
        }
        let mut own = key(3);
        ada.add(&mut own);
        // From now on with a proof only, for this and nothing else.
        let answer = ada.begin_adding(None);
        assert_eq!(reason(&answer), (401, "step-up-required"));
        let add = json!({"actions": ["passkey:add"]});
        let (other, _) = ada.token(&mut own, &json!({"actions": ["passkey:remove"]}));
        let answer = ada.begin_adding(Some(&other));
        assert_eq!(reason(&answer), (401, "step-up-action"));
        let (of_graph, _) = ada.token(
            &mut own,
            &json!({"graph": "demo", "actions": ["passkey:add"]}),
        );
        let answer = ada.begin_adding(Some(&of_graph));
        assert_eq!(reason(&answer), (401, "step-up-invalid"));
        let (token, _) = ada.token(&mut own, &add);
        let bob = bench.person("bob");
        let mut bobs = key(9);
        bob.add(&mut bobs);
        let answer = bob.begin_adding(Some(&token));
        assert_eq!(reason(&answer), (401, "step-up-subject"));
        let (status, begun) = ada.begin_adding(Some(&token));
        assert_eq!(status, 200, "{begun}");
        let answer = ada.begin_adding(Some(&token));
        assert_eq!(reason(&answer), (401, "step-up-used"));
        // A credential that somebody has already.
        let answer = ada.end_adding(&begun, &bobs.create(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, "passkey"), "{}", answer.1);
        let (token, _) = ada.token(&mut own, &add);
        let (_, begun) = ada.begin_adding(Some(&token));
        let (status, second) = ada.end_adding(&begun, &key(4).create(&begun["publicKey"]));
        assert_eq!(status, 201, "{second}");
        let list = bench
            .control
            .call_as(Some(&ada.header), "GET", "/webauthn/passkeys", "");
        assert_eq!(list.1.as_array().unwrap().len(), 2);
        // Taking one away needs a proof, too, and is for one's own.
        let path = format!("/webauthn/passkeys/{}", second["id"].as_str().unwrap());
        let remove = |who: &Person<'_>, token: Option<&str>| {
            let mut headers = vec![("authorization", who.header.as_str())];
            headers.extend(token.map(|token| ("x-ig-step-up", token)));
            bench.control.call_with(&headers, "DELETE", &path, "")
        };
        assert_eq!(reason(&remove(&ada, None)), (401, "step-up-required"));
        let intent = json!({"actions": ["passkey:remove"]});
        let (token, _) = bob.token(&mut bobs, &intent);
        assert_eq!(remove(&bob, Some(&token)).0, 404);
        let (token, _) = ada.token(&mut own, &intent);
        assert_eq!(remove(&ada, Some(&token)).0, 204);
        bench.control.stop().unwrap();
    }
}

/// Of two that begin as the first, one is.
#[test]
fn two_first_passkeys_are_one() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let begun: Vec<_> = (0..4).map(|_| ada.begin_adding(None).1).collect();
        let statuses = std::thread::scope(|scope| {
            let ends: Vec<_> = begun
                .iter()
                .zip(1..)
                .map(|(begun, seed)| {
                    let credential = key(seed).create(&begun["publicKey"]);
                    let ada = &ada;
                    scope.spawn(move || ada.end_adding(begun, &credential).0)
                })
                .collect();
            ends.into_iter()
                .map(|one| one.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(
            statuses.iter().filter(|status| **status == 201).count(),
            1,
            "{statuses:?}"
        );
        bench.control.stop().unwrap();
    }
}

#[test]
fn a_token_dies_with_its_session_and_its_user() {
    let suspend = |active: bool| json!([{"op": "replace", "path": "active", "value": active}]);
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        ada.add(&mut own);
        let (_, id) = ada.token(&mut own, &export());
        assert_eq!(ada.post("/step-up/end", &json!({}), None).0, 204);
        assert_eq!(bench.spend(&id), Spent::Over);
        // The next one counts, though it may be of the same second.
        let (_, id) = ada.token(&mut own, &export());
        assert_eq!(bench.spend(&id), Spent::First);
        let (_, id) = ada.token(&mut own, &export());
        let begun = ada.begin(&export());
        let path = format!("/Users/{}", ada.id);
        assert_eq!(bench.scim.patch(&path, &suspend(false)).status, 200);
        assert_eq!(bench.spend(&id), Spent::Over);
        assert_eq!(ada.end(&begun, &own.get(&begun["publicKey"])).0, 401);
        // Coming back does not bring it back.
        assert_eq!(bench.scim.patch(&path, &suspend(true)).status, 200);
        assert_eq!(bench.spend(&id), Spent::Over);
        let answer = ada.end(&begun, &own.get(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, "ceremony"));
        let (_, id) = ada.token(&mut own, &export());
        assert_eq!(bench.scim.delete(&path).status, 204);
        assert_eq!(bench.spend(&id), Spent::Over);
        // Whoever comes after is somebody else, without a passkey.
        let next = bench.person("ada");
        let (status, _) = next.post("/webauthn/authentication/options", &export(), None);
        assert_eq!(status, 409);
        bench.control.stop().unwrap();
    }
}

#[test]
fn a_tenant_says_which_passkeys_it_takes() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    bench.put_identity(json!({"attestation": {"policy": "device-bound"}}));
    let ada = bench.person("ada");
    let (_, begun) = ada.begin_adding(None);
    let mut synced = key(3);
    synced.flags |= flags::BACKUP_ELIGIBLE | flags::BACKED_UP;
    let answer = ada.end_adding(&begun, &synced.create(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "device-bound"));
    ada.add(&mut key(4));
    // Without an authority there is nobody to vouch.
    let empty = json!({"attestation": {"policy": "attested", "authorities": []}});
    let (status, _) = bench
        .control
        .call("PUT", "/tenants/alpha/identity", empty.to_string());
    assert_eq!(status, 422);
    let authority = Authority::new("maker").unwrap().pem;
    let model = "11111111-2222-3333-4444-555555555555";
    bench.put_identity(
        json!({"attestation": {"policy": "attested", "authorities": [
            {"certificate": authority, "models": [model]},
        ]}}),
    );
    let bob = bench.person("bob");
    let (status, begun) = bob.begin_adding(None);
    assert_eq!(status, 200, "{begun}");
    assert_eq!(begun["publicKey"]["attestation"], "direct");
    let answer = bob.end_adding(&begun, &key(5).create(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "attestation"));
    bench.control.stop().unwrap();
}

#[test]
fn intents_are_checked() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    let ada = bench.person("ada");
    ada.add(&mut key(3));
    let long = "x".repeat(200);
    for (intent, expected) in [
        (json!({"graph": "none", "actions": ["a"]}), 404),
        (json!({"graph": "demo", "actions": []}), 422),
        (json!({"graph": "demo", "actions": vec!["a"; 17]}), 422),
        (json!({"graph": "demo", "actions": [""]}), 422),
        (json!({"graph": "demo", "actions": [long]}), 422),
        (json!({"graph": "demo", "actions": ["a\n"]}), 422),
        (
            json!({"graph": "demo", "actions": ["a"], "resource": "x"}),
            422,
        ),
        (json!({"graph": "demo", "actions": ["a"], "more": 1}), 422),
        (json!({"graph": "demo"}), 422),
    ] {
        let answer = ada.post("/webauthn/authentication/options", &intent, None);
        assert_eq!(answer.0, expected, "{intent}: {}", answer.1);
    }
    for name in ["", "  ", "a\u{7}", &"x".repeat(129)] {
        let (status, _) = ada.post(
            "/webauthn/registration/options",
            &json!({"name": name}),
            None,
        );
        assert_eq!(status, 422, "{name:?}");
    }
    bench.control.stop().unwrap();
}

/// Whoever ends a session again and again does not date the next proof into the
/// future.
#[test]
fn a_proof_is_of_now_however_often_tokens_ended() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        ada.add(&mut own);
        for _ in 0..20 {
            assert_eq!(ada.post("/step-up/end", &json!({}), None).0, 204);
        }
        let (status, granted) = ada.prove(&mut own, &export());
        assert_eq!(status, 200, "{granted}");
        assert!(granted["expiresAt"].as_u64().unwrap() <= seconds() + 121);
        assert_eq!(bench.spend(granted["id"].as_str().unwrap()), Spent::First);
        bench.control.stop().unwrap();
    }
}

/// A replica whose clock is ahead dates tokens ahead; they end all the same.
#[test]
fn tokens_of_a_clock_that_is_ahead_end_too() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        ada.add(&mut own);
        let (_, id) = ada.token(&mut own, &export());
        bench.sql("UPDATE step_up_tokens SET made_at = made_at + 4, ends_at = ends_at + 4");
        assert_eq!(ada.post("/step-up/end", &json!({}), None).0, 204);
        assert_eq!(bench.spend(&id), Spent::Over);
        // The next one is of after that.
        let (_, id) = ada.token(&mut own, &export());
        assert_eq!(bench.spend(&id), Spent::First);
        bench.control.stop().unwrap();
    }
}

/// What any user may send is small.
#[test]
fn large_bodies_of_users_are_refused() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    let ada = bench.person("ada");
    let long = json!({"ceremony": "x", "credential": vec![0; 64 << 10]});
    for path in [
        "/webauthn/registration/options",
        "/webauthn/registration/verify",
        "/webauthn/authentication/options",
        "/webauthn/authentication/verify",
        "/otp/registration/verify",
        "/otp/verify",
    ] {
        assert_eq!(ada.post(path, &long, None).0, 413, "{path}");
    }
    bench.control.stop().unwrap();
}
