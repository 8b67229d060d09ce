//! Users of tenants at the API, by access tokens of the tenants' own issuers.

use ig_e2e::{ControlPlane, Issuer, Scim, TokenClaims};
use serde_json::{Value, json};

use crate::databases::Database;
use crate::oidc::WellKnown;

const AUDIENCE: &str = "console";

struct Tenant {
    control: ControlPlane,
    scim: Scim,
    issuer: Issuer,
    url: String,
}

impl Tenant {
    fn start(database: &Database) -> Self {
        let issuer = Issuer::new(7).unwrap();
        let well_known = WellKnown::start(json!({"keys": [issuer.jwk()]}));
        let control = database.start();
        let scim = control.provisioner("alpha", true).unwrap();
        let url = well_known.url.clone();
        let tenant = json!({"issuers": {url.as_str(): {"attribute": "externalId"}}});
        let put = |path: &str, body: &Value| {
            let (status, said) = control.call("PUT", path, body.to_string());
            assert_eq!(status, 204, "{path}: {said}");
        };
        put("/tenants/alpha", &tenant);
        let identity = json!({
            "adminGroups": ["Admins"], "logins": [{"issuer": url, "audience": AUDIENCE}],
        });
        put("/tenants/alpha/identity", &identity);
        put("/tenants/bravo", &json!({}));
        Self {
            control,
            scim,
            issuer,
            url,
        }
    }

    fn token(&self, subject: &str, audience: &str) -> String {
        let claims = json!({"iss": self.url, "sub": subject, "aud": audience});
        self.issuer.token(&TokenClaims(claims))
    }

    fn as_user(&self, subject: &str) -> Scim {
        let base = self.scim.base.clone();
        Scim::new(base, self.token(subject, AUDIENCE))
    }

    fn user(&self, name: &str) -> String {
        let made = self.scim.post(
            "/Users",
            &json!({
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": name, "externalId": name,
            }),
        );
        assert_eq!(made.status, 201, "{}", made.text);
        made.id()
    }
}

#[test]
fn a_user_reads_itself_and_nothing_else() {
    for database in Database::each() {
        let tenant = Tenant::start(&database);
        let id = tenant.user("ada");
        let ada = tenant.as_user("ada");
        let me = ada.get("/Me?attributes=userName");
        assert_eq!(
            (me.status, me.body["id"].as_str()),
            (200, Some(id.as_str()))
        );
        let tag = ada.get("/Me?excludedAttributes=groups");
        let tag = tag.header("etag").unwrap().to_owned();
        let same = [("if-none-match", tag.as_str())];
        let known = ada.send("GET", "/Me?excludedAttributes=groups", &same, b"");
        assert_eq!(known.status, 304);
        assert_eq!(ada.put("/Me", &json!({})).status, 403);
        assert_eq!(ada.delete("/Me").status, 403);
        for path in ["/Users", "/Groups", &format!("/Users/{id}"), "/Schemas"] {
            let answer = ada.get(path);
            assert_eq!(answer.status, 403, "{path}");
            assert_eq!(answer.body["status"], "403");
        }
        let header = format!("Bearer {}", ada.token);
        let status = |path: &str| tenant.control.call_as(Some(&header), "GET", path, "").0;
        assert_eq!(status("/tenants/alpha"), 403);
        // Nobody is logged in who may do nothing.
        let suspend = json!([{"op": "replace", "path": "active", "value": false}]);
        tenant.scim.patch(&format!("/Users/{id}"), &suspend);
        assert_eq!(ada.get("/Me").status, 401);
        assert_eq!(tenant.as_user("stranger").get("/Me").status, 401);
        let elsewhere = Scim::new(tenant.scim.base.clone(), tenant.token("ada", "graph"));
        assert_eq!(elsewhere.get("/Me").status, 401);
        assert_eq!(tenant.scim.get("/Me").status, 404);
        tenant.control.stop().unwrap();
    }
}

#[test]
fn admins_are_made_by_a_group() {
    for database in Database::each() {
        let tenant = Tenant::start(&database);
        let id = tenant.user("ada");
        let header = format!("Bearer {}", tenant.token("ada", AUDIENCE));
        let status = |method: &str, path: &str, body: &str| {
            tenant.control.call_as(Some(&header), method, path, body).0
        };
        assert_eq!(status("GET", "/tenants/alpha", ""), 403);
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "admins", "members": [{"value": id}],
        });
        // It makes admins, so not every provisioner may fill it.
        let of_alpha = json!({"tenant": "alpha"});
        let plain = tenant.control.make_token("provisioner", &of_alpha).unwrap();
        let plain = Scim::new(tenant.scim.base.clone(), plain);
        assert_eq!(plain.post("/Groups", &group).status, 403);
        assert_eq!(tenant.scim.post("/Groups", &group).status, 201);
        assert_eq!(status("GET", "/tenants/alpha", ""), 200);
        assert_eq!(status("GET", "/tenants/bravo", ""), 404);
        let (_, own) = tenant.control.call("GET", "/tenants/alpha", "");
        assert_eq!(status("PUT", "/tenants/alpha", &own.to_string()), 204);
        // Whose tokens count is not an admin's to say.
        let other = json!({"issuers": {"https://evil.example": {}}}).to_string();
        assert_eq!(status("PUT", "/tenants/alpha", &other), 403);
        assert_eq!(status("PUT", "/tenants/alpha/identity", "{}"), 403);
        tenant.control.stop().unwrap();
    }
}

#[test]
fn no_two_tenants_have_one_login() {
    for database in Database::each() {
        let tenant = Tenant::start(&database);
        let identity = json!({"logins": [{"issuer": tenant.url, "audience": AUDIENCE}]});
        let path = "/tenants/bravo/identity";
        assert_eq!(
            tenant.control.call("PUT", path, identity.to_string()).0,
            409
        );
        for (issuer, jwks) in [
            ("http://login.example", "https://login.example/keys"),
            ("https://login.example", "http://login.example/keys"),
            ("https://login.example", "localhost"),
            ("https://login.example", "/etc/hostname"),
            ("localhost", "https://login.example/keys"),
        ] {
            let plain = json!({"logins": [{"issuer": issuer, "audience": "x", "jwks": jwks}]});
            let (status, said) = tenant.control.call("PUT", path, plain.to_string());
            assert_eq!(status, 422, "{issuer} {jwks}: {said}");
        }
        tenant.control.stop().unwrap();
    }
}
