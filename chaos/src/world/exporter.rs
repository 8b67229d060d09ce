//! Somebody who exports: a user of the first tenant, who has a passkey.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, ensure};
use ig_e2e::{Authenticator, Fixture, Scim, TokenClaims};
use serde_json::{Value, json};

use super::{ISSUER, Replica, person, tenant_name};

/// Whose exports they are.
pub const TENANT: usize = 0;

/// What is done with a proof of presence.
pub const ACTION: &str = "export:assets";

const NAME: &str = "exporter";
const AUDIENCE: &str = "ig";

/// A user, and what they have.
pub struct Exporter {
    /// `authorization` of theirs.
    pub bearer: String,
    /// Their passkey.
    pub key: Authenticator,
}

impl Exporter {
    /// Makes the user, and has them log in and add a passkey.
    ///
    /// # Errors
    /// What the control plane says to the first request that does not succeed.
    pub(super) fn register(
        control: &Replica,
        token: &str,
        scim: &[Scim],
        fixture: &Fixture,
    ) -> Result<Self> {
        let url = format!("http://{}", control.http);
        let keys = json!({"keys": [fixture.issuer.jwk()]}).to_string();
        fixture.recorder.serve_text("jwks".into(), keys);
        let jwks = format!("http://{}/texts/jwks", fixture.recorder.address);
        let login = json!({"issuer": ISSUER, "audience": AUDIENCE, "jwks": jwks});
        let path = format!("/tenants/{}/identity", tenant_name(TENANT));
        let logins = json!({"logins": [login]});
        say(&url, &format!("Bearer {token}"), "PUT", &path, &logins)?;
        join(scim.get(TENANT).context("no provisioner")?)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
        let claims = TokenClaims::alpha()
            .with("tenant", json!(tenant_name(TENANT)))
            .with("sub", json!(NAME))
            .with("aud", json!(AUDIENCE))
            .with("sid", json!("session"))
            .with("auth_time", json!(now))
            .with("exp", json!(now + 7200));
        let bearer = format!("Bearer {}", fixture.issuer.token(&claims));
        let mut key = Authenticator::new(7, "http://localhost:8080", "localhost");
        let post = |path: &str, body: &Value| say(&url, &bearer, "POST", path, body);
        let begun = post("/webauthn/registration/options", &json!({"name": "key"}))?;
        let credential = key.create(&begun["publicKey"]);
        let answer = json!({"ceremony": begun["ceremony"], "credential": credential});
        post("/webauthn/registration/verify", &answer)?;
        Ok(Self { bearer, key })
    }
}

/// Makes them an analyst.
fn join(scim: &Scim) -> Result<()> {
    let user = scim.post("/Users", &person(NAME));
    ensure!(user.status == 201, "{}", user.text);
    let groups = scim.get("/Groups?filter=displayName%20eq%20%22analyst%22");
    let group = groups.each("/id").into_iter().next();
    let path = format!("/Groups/{}", group.context("no group of analysts")?);
    let member = json!([{"value": user.id()}]);
    let add = json!([{"op": "add", "path": "members", "value": member}]);
    let added = scim.patch(&path, &add);
    ensure!(added.status < 300, "{}", added.text);
    Ok(())
}

fn say(url: &str, bearer: &str, method: &str, path: &str, body: &Value) -> Result<Value> {
    let body = body.to_string();
    let headers = [("authorization", bearer)];
    let (status, said) = ig_e2e::call(url, &headers, method, path, body.as_bytes())?;
    ensure!((200..300).contains(&status), "{path}: {status} {said}");
    Ok(said)
}
