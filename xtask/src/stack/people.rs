//! The demo's people, as an identity provider sends them, and the token of the
//! service that exports for them.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::control::Control;
use super::materials::ISSUER;

/// User, tenant, purposes of the tenant's analysts: those of `ig token`.
const PEOPLE: [(&str, &str, &[&str]); 2] = [
    ("a@alpha.io", "alpha", &["investigation", "audit", "export"]),
    ("b@bravo.io", "bravo", &["investigation"]),
];

/// The demo's configuration, where a control plane knows who somebody is.
pub(super) fn with_directory(config: &str) -> String {
    let mut config = format!(
        "{config}\n[directory]\ncluster = \"control-plane\"\nauthority = \"ig-control-plane\"\n"
    );
    for (_, tenant, purposes) in PEOPLE {
        config.push_str(&format!(
            "\n[tenants.{tenant}.purposes-by-group]\nanalyst = {purposes:?}\n\
             \n[tenants.{tenant}.issuers.\"{ISSUER}\"]\nattribute = \"userName\"\n"
        ));
    }
    config
}

/// Sends users and groups, and says whose tokens the API takes: those of the dev
/// issuer, whose keys are at a URL.
pub(super) fn provide(control: &Control, keys: Option<&str>) -> Result<()> {
    for (user, tenant, _) in PEOPLE {
        let new = json!({"name": format!("{tenant}-idp"), "role": "provisioner", "tenant": tenant});
        let token = made_token(control, &new)?;
        let schema = |name: &str| json!([format!("urn:ietf:params:scim:schemas:core:2.0:{name}")]);
        let of = json!({"schemas": schema("User"), "userName": user});
        let made = control.call_as(&token, "POST", "/scim/v2/Users", &of)?;
        let members = json!([{"value": made["id"]}]);
        let of = json!({"schemas": schema("Group"), "displayName": "analyst", "members": members});
        control.call_as(&token, "POST", "/scim/v2/Groups", &of)?;
        if let Some(keys) = keys {
            // No two tenants have the same issuer and audience: at this API, the
            // demo's tokens are those of alpha.
            let logins = match tenant {
                "alpha" => json!([{"issuer": ISSUER, "audience": "ig", "jwks": keys}]),
                _ => json!([]),
            };
            let path = format!("/tenants/{tenant}/identity");
            control.call("PUT", &path, &json!({"logins": logins}))?;
        }
    }
    Ok(())
}

/// Somebody comes and goes, so that SCIM has something to do.
pub(crate) fn come_and_go(control: &Control) -> Result<()> {
    let new = json!({"name": "alpha-load", "role": "provisioner", "tenant": "alpha"});
    let token = made_token(control, &new)?;
    for round in 0..20 {
        let of = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": format!("guest-{round}@alpha.io"),
        });
        let made = control.call_as(&token, "POST", "/scim/v2/Users", &of)?;
        let id = made["id"].as_str().context("no user was made")?;
        let path = format!("/scim/v2/Users/{id}");
        control.call_as(&token, "GET", &path, &Value::Null)?;
        control.call_as(&token, "DELETE", &path, &Value::Null)?;
    }
    Ok(())
}

/// A token for the service behind the gateway.
pub(super) fn exporter(control: &Control) -> Result<String> {
    let tenants = PEOPLE.map(|(_, tenant, _)| tenant);
    let new = json!({"name": "demo-upstream", "role": "exporter", "tenants": tenants});
    made_token(control, &new)
}

fn made_token(control: &Control, new: &Value) -> Result<String> {
    let made = control.call("POST", "/tokens", new)?;
    let token = made["token"].as_str().context("no token was made")?;
    Ok(token.to_owned())
}
