//! Who may call what.

use ig_control_plane::document;
use ig_e2e::ControlPlane;
use serde_json::{Value, json};

use crate::databases::Database;

/// Who a call is made as.
#[derive(Clone, Copy, Debug)]
enum As {
    Viewer,
    Publisher,
    Owner,
    /// Admin of the tenant `alpha`.
    Alpha,
    /// Provisioner of the tenant `alpha`.
    Provisioner,
    /// A service that exports for the tenant `alpha`.
    Exporter,
    /// An Alertmanager.
    Notifier,
}

impl As {
    const ALL: [Self; 7] = [
        Self::Viewer,
        Self::Publisher,
        Self::Owner,
        Self::Alpha,
        Self::Provisioner,
        Self::Exporter,
        Self::Notifier,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Publisher => "publisher",
            Self::Owner => "owner",
            Self::Alpha => "tenant-admin",
            Self::Provisioner => "provisioner",
            Self::Exporter => "exporter",
            Self::Notifier => "notifier",
        }
    }
}

/// What a route needs.
enum Needs {
    /// Nothing: probes.
    Nothing,
    /// Nothing either; what is asked for here is not there, or not readable.
    Public,
    /// At least this role.
    Viewer,
    Publisher,
    Owner,
    /// A role, or the admin of the tenant in the path: of another one, it is
    /// not there.
    Tenant(&'static str),
    /// The role, or the own tenant's admin, who sees only that.
    Scoped,
    /// A user of a tenant, whom no token of the API is of.
    User,
    /// A user of a tenant, or a service that exports for some.
    Export,
    /// An Alertmanager, and nobody else.
    Notifier,
    /// As scoped; a service that exports sees what it asked for.
    Exports,
}

/// Method, path as the document has it, what it needs. A route without a row
/// here fails the test.
const ROUTES: &[(&str, &str, Needs)] = &[
    ("get", "/healthz", Needs::Nothing),
    ("get", "/readyz", Needs::Nothing),
    ("get", "/openapi.json", Needs::Nothing),
    ("get", "/metrics", Needs::Viewer),
    ("get", "/schemas/{graph}", Needs::Viewer),
    ("put", "/schemas/{graph}/{tag}", Needs::Publisher),
    ("get", "/schemas/{graph}/{tag}", Needs::Viewer),
    ("post", "/catalogue/{graph}", Needs::Publisher),
    ("get", "/catalogue/{graph}", Needs::Viewer),
    ("delete", "/catalogue/{graph}/{id}", Needs::Publisher),
    ("post", "/policies/bundles", Needs::Publisher),
    ("get", "/policies/bundles", Needs::Viewer),
    ("get", "/policies/bundles/{revision}", Needs::Viewer),
    ("get", "/graphs", Needs::Viewer),
    ("put", "/graphs/{graph}", Needs::Publisher),
    ("get", "/graphs/{graph}", Needs::Viewer),
    ("put", "/graphs/{graph}/bundle", Needs::Publisher),
    ("get", "/graphs/{graph}/bundle", Needs::Viewer),
    ("get", "/graphs/{graph}/preview", Needs::Viewer),
    ("get", "/tenants", Needs::Scoped),
    ("put", "/tenants/{tenant}", Needs::Tenant("owner")),
    ("get", "/tenants/{tenant}", Needs::Tenant("viewer")),
    ("delete", "/tenants/{tenant}", Needs::Owner),
    ("put", "/tenants/{tenant}/identity", Needs::Owner),
    ("get", "/tenants/{tenant}/identity", Needs::Tenant("viewer")),
    ("get", "/tenants/{tenant}/access", Needs::Tenant("viewer")),
    ("get", "/access/roles", Needs::Owner),
    (
        "get",
        "/tenants/{tenant}/users/{user}/passkeys",
        Needs::Tenant("viewer"),
    ),
    (
        "delete",
        "/tenants/{tenant}/users/{user}/passkeys/{id}",
        Needs::Tenant("owner"),
    ),
    ("put", "/tenants/{tenant}/break-glass", Needs::Owner),
    (
        "get",
        "/tenants/{tenant}/break-glass",
        Needs::Tenant("viewer"),
    ),
    ("delete", "/tenants/{tenant}/break-glass", Needs::Owner),
    ("post", "/snapshots/{graph}", Needs::Publisher),
    ("get", "/snapshots/{graph}", Needs::Viewer),
    ("post", "/snapshots/{graph}/{revision}", Needs::Publisher),
    ("get", "/snapshots/{graph}/{revision}", Needs::Viewer),
    ("get", "/alerts", Needs::Viewer),
    ("post", "/alerts/webhook", Needs::Notifier),
    ("get", "/proxies", Needs::Viewer),
    ("get", "/decisions", Needs::Scoped),
    ("post", "/tokens", Needs::Owner),
    ("get", "/tokens", Needs::Owner),
    ("delete", "/tokens/{id}", Needs::Owner),
    ("get", "/audit", Needs::Viewer),
    ("get", "/ledger/checkpoint", Needs::Nothing),
    ("get", "/ledger/tile/{path}", Needs::Public),
    ("get", "/ledger/entries/{index}/proof", Needs::Public),
    ("get", "/ledger/keys", Needs::Nothing),
    ("post", "/ledger/witness/add-checkpoint", Needs::Public),
    ("post", "/webauthn/registration/options", Needs::User),
    ("post", "/webauthn/registration/verify", Needs::User),
    ("post", "/webauthn/authentication/options", Needs::User),
    ("post", "/webauthn/authentication/verify", Needs::User),
    ("get", "/webauthn/passkeys", Needs::User),
    ("delete", "/webauthn/passkeys/{id}", Needs::User),
    ("post", "/step-up/end", Needs::User),
    ("get", "/.well-known/jwks.json", Needs::Nothing),
    ("post", "/step-up/keys", Needs::Owner),
    ("get", "/step-up/keys", Needs::Viewer),
    ("post", "/otp/registration", Needs::User),
    ("post", "/otp/registration/verify", Needs::User),
    ("delete", "/otp", Needs::User),
    ("post", "/otp/verify", Needs::User),
    ("post", "/exports", Needs::Export),
    ("post", "/exports/items", Needs::Export),
    ("get", "/exports", Needs::Exports),
    ("get", "/exports/{id}", Needs::Exports),
    ("get", "/exports/{id}/manifest", Needs::Exports),
    ("get", "/exports/{id}/bundle", Needs::Exports),
    ("get", "/exports/keys", Needs::Nothing),
    ("post", "/exports/keys", Needs::Owner),
    ("get", "/exports/keys/{keyId}", Needs::Public),
    ("delete", "/exports/keys/{keyId}", Needs::Owner),
    ("get", "/exports/trusted-root.json", Needs::Nothing),
    ("put", "/cost/prices", Needs::Owner),
    ("get", "/cost/prices", Needs::Viewer),
    ("post", "/cost/usage", Needs::Publisher),
    ("get", "/cost/bills", Needs::Viewer),
    ("put", "/cost/bills/{month}", Needs::Owner),
    ("get", "/cost/budgets", Needs::Viewer),
    ("put", "/cost/budgets/{name}", Needs::Owner),
    ("delete", "/cost/budgets/{name}", Needs::Owner),
    ("get", "/cost/report", Needs::Scoped),
    ("get", "/cost/focus", Needs::Scoped),
    ("post", "/v1/traces", Needs::Publisher),
];

fn documented() -> Vec<(String, String)> {
    let document = serde_json::to_value(document()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let routes = paths.iter().flat_map(|(path, item)| {
        let methods = item.as_object().unwrap().keys();
        methods.map(move |method| (method.clone(), path.clone()))
    });
    routes.collect()
}

/// A call of a route that would be taken, were the caller allowed to make it.
fn path(route: &str, tenant: &str) -> String {
    let path = route
        .replace("{graph}", "demo")
        .replace("{tag}", "dev")
        .replace("{tenant}", tenant)
        .replace("{revision}", "none")
        .replace("{user}", "none")
        .replace("{index}", "1000000")
        .replace("{id}", "none")
        .replace("{month}", "none")
        .replace("{name}", "none")
        .replace("{keyId}", "none");
    match route {
        "/catalogue/{graph}" => format!("{path}?tag=none"),
        _ => path,
    }
}

fn body(method: &str, route: &str) -> Value {
    match (method, route) {
        ("put", "/graphs/{graph}") => json!({"settings": "", "schemaTag": "x", "bundle": "x"}),
        // A name that is not valid, so that nothing is made.
        ("put", "/tenants/{tenant}/break-glass") => json!({"until": 1, "actions": []}),
        // Bodies that can be read, so that what is refused is the caller.
        ("put", "/cost/prices") => {
            json!({"version": ".", "currency": "", "effectiveFrom": 1, "regions": {}})
        }
        ("post", "/cost/usage") => json!({"source": "none", "usage": []}),
        ("put", "/cost/bills/{month}") => json!({"amount": "1"}),
        ("put", "/cost/budgets/{name}") => json!({"period": "month", "amount": "0"}),
        ("post", "/tokens") => json!({"name": ".", "role": "viewer"}),
        _ => json!({}),
    }
}

fn call(
    control: &ControlPlane,
    token: Option<&str>,
    method: &str,
    route: &str,
    tenant: &str,
) -> u16 {
    let body = match method {
        "get" => String::new(),
        _ => body(method, route).to_string(),
    };
    let method = method.to_uppercase();
    control
        .call_as(token, &method, &path(route, tenant), body)
        .0
}

fn tokens(control: &ControlPlane) -> Vec<(As, String)> {
    let make = |role: As| {
        let tenant = matches!(role, As::Alpha | As::Provisioner).then_some("alpha");
        let tenants: &[&str] = match role {
            As::Exporter => &["alpha"],
            _ => &[],
        };
        let new = json!({
            "name": role.name(), "role": role.name(), "tenant": tenant, "tenants": tenants,
        });
        let (status, made) = control.call("POST", "/tokens", new.to_string());
        assert_eq!(status, 201, "{made}");
        (role, format!("Bearer {}", made["token"].as_str().unwrap()))
    };
    As::ALL.into_iter().map(make).collect()
}

#[test]
fn every_route_has_its_row() {
    let mut rows: Vec<_> = ROUTES
        .iter()
        .map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    let mut documented = documented();
    rows.sort();
    documented.sort();
    assert_eq!(documented, rows);
}

#[test]
fn nobody_gets_in_without_a_token() {
    let database = Database::sqlite();
    let control = database.start_with_failures(100_000);
    let token = control.token.clone().unwrap();
    let truncated = format!("Bearer {}", &token[..token.len() - 1]);
    let lower = format!("Bearer {}", token.to_uppercase());
    let long = format!("Bearer ig_{}", "0".repeat(10_000));
    let attempts = [
        None,
        Some("Bearer "),
        Some("Bearer x"),
        Some("Bearer ig_"),
        Some(token.as_str()),
        Some(truncated.as_str()),
        Some(lower.as_str()),
        Some(long.as_str()),
        Some("Basic YTpi"),
    ];
    for (method, route, needs) in ROUTES {
        let expected = match (needs, *method) {
            (Needs::Nothing, _) => 200,
            (Needs::Public, "get") => 404,
            (Needs::Public, _) => 400,
            _ => 401,
        };
        for attempt in attempts {
            let status = call(&control, attempt, method, route, "alpha");
            assert_eq!(status, expected, "{method} {route} {attempt:?}");
        }
    }
    control.stop().unwrap();
}

#[test]
fn every_route_asks_for_its_role() {
    let database = Database::sqlite();
    let control = database.start();
    let region = json!({"region": "eu"}).to_string();
    for tenant in ["alpha", "bravo"] {
        assert_eq!(
            control
                .call("PUT", &format!("/tenants/{tenant}"), &region)
                .0,
            204
        );
    }
    for (who, token) in tokens(&control) {
        for (method, route, needs) in ROUTES {
            let may = |role: &str| match (who, role) {
                (As::Alpha | As::Provisioner | As::Exporter | As::Notifier, _) => false,
                (As::Owner, _) | (As::Publisher, "viewer" | "publisher") => true,
                (As::Viewer, "viewer") => true,
                _ => false,
            };
            let allowed = match needs {
                Needs::Nothing | Needs::Public => true,
                Needs::Viewer => may("viewer"),
                Needs::Publisher => may("publisher"),
                Needs::Owner => may("owner"),
                Needs::Tenant(role) => may(role) || matches!(who, As::Alpha),
                Needs::User => false,
                Needs::Export => matches!(who, As::Exporter),
                Needs::Exports => may("viewer") || matches!(who, As::Alpha | As::Exporter),
                Needs::Notifier => matches!(who, As::Notifier),
                Needs::Scoped => may("viewer") || matches!(who, As::Alpha),
            };
            let deletes = (*method, *route) == ("delete", "/tenants/{tenant}");
            let tenant = if deletes { "none" } else { "alpha" };
            // A tenant's admin is told of no other tenant.
            if matches!(who, As::Alpha) && route.contains("{tenant}") {
                let is_owners = (*method == "put" && route.ends_with("/identity"))
                    || (*method != "get" && route.ends_with("/break-glass"));
                for other in ["bravo", "none"] {
                    let status = call(&control, Some(&token), method, route, other);
                    let expected = if is_owners { 403 } else { 404 };
                    assert_eq!(status, expected, "{method} {route} {other}");
                }
                if deletes {
                    let status = call(&control, Some(&token), method, route, "alpha");
                    assert_eq!(status, 403);
                    continue;
                }
            }
            // The own tenant, without a region: that is for owners to change.
            let changes_region = (*method, *route) == ("put", "/tenants/{tenant}");
            if matches!(who, As::Alpha) && changes_region {
                let own = control.call_as(Some(&token), "PUT", "/tenants/alpha", &region);
                assert_eq!(own.0, 204);
            }
            let status = call(&control, Some(&token), method, route, tenant);
            let expected = allowed && !(matches!(who, As::Alpha) && changes_region);
            assert_eq!(
                status != 403,
                expected,
                "{who:?} {method} {route}: {status}"
            );
            assert_ne!(status, 401, "{who:?} {method} {route}");
            if who.name() == "owner" && changes_region {
                assert_eq!(control.call("PUT", "/tenants/alpha", &region).0, 204);
            }
        }
    }
    control.stop().unwrap();
}

#[test]
fn a_tenants_admin_sees_one_tenant() {
    let database = Database::sqlite();
    let control = database.start();
    for tenant in ["alpha", "bravo"] {
        control.call(
            "PUT",
            &format!("/tenants/{tenant}"),
            r#"{"purposes": ["audit"]}"#,
        );
    }
    let tokens = tokens(&control);
    let alpha = tokens
        .iter()
        .find(|(who, _)| matches!(who, As::Alpha))
        .unwrap()
        .1
        .as_str();
    let ask = |path: &str| control.call_as(Some(alpha), "GET", path, "");
    let (status, tenants) = ask("/tenants");
    assert_eq!((status, tenants.as_object().unwrap().len()), (200, 1));
    assert!(tenants.get("alpha").is_some());
    assert_eq!(ask("/decisions").0, 200);
    assert_eq!(ask("/decisions?tenant=alpha").0, 200);
    assert_eq!(ask("/decisions?tenant=bravo").0, 404);
    control.stop().unwrap();
}

#[test]
fn a_token_ends() {
    for database in Database::each() {
        let control = database.start();
        let make = |body: Value| control.call("POST", "/tokens", body.to_string());
        let (status, made) = make(json!({"name": "ci", "role": "viewer", "expiresInDays": 1}));
        assert_eq!(status, 201, "{made}");
        let token = format!("Bearer {}", made["token"].as_str().unwrap());
        let ask = || control.call_as(Some(&token), "GET", "/graphs", "").0;
        assert_eq!(ask(), 200);
        assert_eq!(control.call("DELETE", "/tokens/ci", "").0, 204);
        assert_eq!(ask(), 401);
        assert_eq!(control.call("DELETE", "/tokens/ci", "").0, 404);
        // The audit trail names it: nobody else gets the name.
        assert_eq!(make(json!({"name": "ci", "role": "owner"})).0, 409);
        for refused in [
            json!({"name": "a", "role": "tenant-admin"}),
            json!({"name": "a", "role": "owner", "tenant": "alpha"}),
            json!({"name": "a:b", "role": "viewer"}),
            json!({"name": "a", "role": "viewer", "expiresInDays": 0}),
            json!({"name": "a", "role": "boss"}),
            json!({"name": "01a2125f-9b6f-74dd-9869-58ad0d024b3c", "role": "viewer"}),
        ] {
            assert_eq!(make(refused.clone()).0, 422, "{refused}");
        }
        // Nobody locks everybody out.
        let (status, answer) = control.call("DELETE", "/tokens/bootstrap", "");
        assert_eq!(status, 409, "{answer}");
        assert_eq!(make(json!({"name": "second", "role": "owner"})).0, 201);
        // Nowhere is a token again, or its hash.
        let (_, listed) = control.call("GET", "/tokens", "");
        assert!(!listed.to_string().contains("ig_"), "{listed}");
        assert!(listed[0].get("hash").is_none());
        assert_eq!(control.call("DELETE", "/tokens/bootstrap", "").0, 204);
        assert_eq!(control.call("GET", "/tokens", "").0, 401);
        control.stop().unwrap();
    }
}
