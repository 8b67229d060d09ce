//! Passkeys, proofs of presence, and the tokens they give.

mod ceremonies;
mod copies;
mod policies;
mod races;
mod registration;
mod spend;
mod successors;
mod tokens;

use std::time::{SystemTime, UNIX_EPOCH};

use ig_contract::directory::{Facts, FactsRequest};
use ig_contract::step_up::{SpendRequest, Spent, UsedFor};
use ig_e2e::{Authenticator, ControlPlane, Issuer, RawRequest, Scim, TokenClaims, fill, http2};
use serde::Serialize;
use serde::de::DeserializeOwned;
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
    pub(crate) url: String,
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
        let bench = Self {
            scim,
            control,
            issuer,
            url,
            runtime: Runtime::new().unwrap(),
            database: database.url.clone(),
        };
        bench.put_tenants();
        let (status, said) = bench.control.call("POST", "/snapshots/demo", "");
        assert_eq!(status, 200, "{said}");
        bench
    }

    fn put_tenants(&self) {
        for tenant in ["alpha", "bravo"] {
            let settings = json!({"issuers": {self.url.as_str(): {"attribute": "externalId"}}});
            let path = format!("/tenants/{tenant}");
            let (status, said) = self.control.call("PUT", &path, settings.to_string());
            assert_eq!(status, 204, "{said}");
        }
        self.put_identity(json!({}));
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

    /// Somebody of the tenant `bravo`.
    fn stranger(&self, name: &str) -> Person<'_> {
        let scim = self.control.provisioner("bravo", true).unwrap();
        // Which made the tenant anew, without issuers.
        self.put_tenants();
        Person {
            bench: self,
            id: self.user(&scim, name),
            header: self.login(name, &json!({"aud": "other"})),
        }
    }

    /// Somebody who is known otherwise.
    pub(crate) fn of(&self, id: String, header: String) -> Person<'_> {
        Person {
            bench: self,
            id,
            header,
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
            used_for: None,
        };
        self.ask("spend", &request)
    }

    /// Uses a token for something, as a guard does.
    pub(crate) fn spend_for(&self, token: &str, used_for: UsedFor) -> Spent {
        let request = SpendRequest {
            graph: "demo".into(),
            tenant: "alpha".into(),
            token: token.into(),
            used_for: Some(used_for),
        };
        self.ask("spend", &request)
    }

    /// What a guard is told of a subject.
    fn facts(&self, subject: &str) -> Facts {
        let request = FactsRequest {
            graph: "demo".into(),
            tenant: "alpha".into(),
            issuer: self.url.clone(),
            subject: subject.into(),
            link: Some(subject.into()),
        };
        self.ask("facts", &request)
    }

    fn ask<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> T {
        let request = RawRequest {
            method: "POST".into(),
            target: format!("/directory/v1/{path}"),
            headers: vec![("content-type".into(), b"application/json".to_vec())],
            chunks: vec![serde_json::to_vec(body).unwrap()],
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
    /// Suspends the user, or lets them in again.
    pub(crate) fn set_active(&self, active: bool) -> u16 {
        let step = json!([{"op": "replace", "path": "active", "value": active}]);
        let path = format!("/Users/{}", self.id);
        self.bench.scim.patch(&path, &step).status
    }

    pub(crate) fn logout(&self) -> u16 {
        self.post("/step-up/end", &json!({}), None).0
    }

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
