//! Who may call, what is kept, what is refused.

use ig_control_plane::{CannotServe, Server};
use serde_json::{Value, json};

use crate::control_plane::{ControlPlane, config};

const SDL: &str = "type Query { me: String  cases(first: Int): [String] }";

/// Every route that is not for probes.
const ROUTES: [(&str, &str); 19] = [
    ("GET", "/schemas/demo"),
    ("PUT", "/schemas/demo/dev"),
    ("GET", "/schemas/demo/dev"),
    ("POST", "/catalogue/demo?tag=dev"),
    ("GET", "/catalogue/demo"),
    ("DELETE", "/catalogue/demo/x"),
    ("POST", "/policies/bundles"),
    ("GET", "/policies/bundles"),
    ("GET", "/policies/bundles/1"),
    ("PUT", "/graphs/demo"),
    ("GET", "/graphs/demo"),
    ("GET", "/tenants"),
    ("PUT", "/tenants/alpha"),
    ("DELETE", "/tenants/alpha"),
    ("POST", "/snapshots/demo"),
    ("GET", "/snapshots/demo"),
    ("GET", "/snapshots/demo/revision"),
    ("GET", "/proxies"),
    ("GET", "/audit"),
];

#[test]
fn nobody_gets_in_without_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let control = ControlPlane::start(folder.path());
    let token = control.token.clone().unwrap();
    let truncated = format!("Bearer {}", &token[..token.len() - 1]);
    let attempts = [
        None,
        Some("Bearer "),
        Some("Bearer x"),
        Some(token.as_str()),
        Some(truncated.as_str()),
        Some("Basic YTpi"),
    ];
    for (method, path) in ROUTES {
        for attempt in attempts {
            // A body that would be taken, were the caller known.
            let (status, body) = control.call(attempt, method, path, "{}");
            assert_eq!(status, 401, "{method} {path} {attempt:?}: {body}");
        }
    }
    assert_eq!(control.call(None, "GET", "/healthz", "").0, 200);
    assert_eq!(control.call(None, "GET", "/readyz", "").0, 200);
    control.stop();
}

/// (what is sent, status, a word of the answer), in this order.
#[test]
fn what_is_there_is_not_contradicted() {
    let folder = tempfile::tempdir().unwrap();
    let control = ControlPlane::start(folder.path());
    let token = format!("Bearer {}", control.token.as_ref().unwrap());
    let catalogue = "/catalogue/demo?tag=dev";
    let one = r#"{"app-1": "query Me { me }"}"#;
    let other = r#"{"app-1": "query Other { me }"}"#;
    let wrong = r#"{"app-2": "query Wrong { nothing }"}"#;
    let cyclic = r#"{"app-3": "{ ...A } fragment A on Query { ...A }"}"#;
    let graph = |bundle| json!({"settings": "", "schemaTag": "dev", "bundle": bundle}).to_string();
    let table: Vec<(&str, &str, String, u16, &str)> = vec![
        (
            "PUT",
            "/schemas/demo/dev",
            "type Query {".into(),
            422,
            "problems",
        ),
        ("PUT", "/schemas/demo/dev", SDL.into(), 201, ""),
        ("PUT", "/schemas/demo/dev", SDL.into(), 200, ""),
        (
            "PUT",
            "/schemas/demo/dev",
            format!("{SDL} type X {{ a: Int }}"),
            409,
            "new tag",
        ),
        ("PUT", "/schemas/.demo/dev", SDL.into(), 422, "letters"),
        ("GET", "/schemas/demo/none", String::new(), 404, "not here"),
        (
            "POST",
            "/catalogue/demo?tag=none",
            one.into(),
            404,
            "not here",
        ),
        ("POST", catalogue, one.into(), 200, "\"added\":2"),
        ("POST", catalogue, one.into(), 200, "\"added\":0"),
        ("POST", catalogue, other.into(), 409, "app-1"),
        ("POST", catalogue, wrong.into(), 422, "Wrong"),
        ("POST", catalogue, cyclic.into(), 422, "problems"),
        ("POST", catalogue, "{".into(), 422, "problems"),
        ("DELETE", "/catalogue/demo/app-1", String::new(), 204, ""),
        (
            "DELETE",
            "/catalogue/demo/app-1",
            String::new(),
            404,
            "app-1",
        ),
        // Retired under every id, and still taken.
        (
            "POST",
            catalogue,
            one.into(),
            200,
            "\"retired\":[\"app-1\",",
        ),
        (
            "POST",
            "/catalogue/demo?tag=dev&client=kiosk",
            one.into(),
            409,
            "other clients",
        ),
        ("POST", catalogue, other.into(), 409, "app-1"),
        (
            "POST",
            "/policies/bundles",
            "no archive".into(),
            422,
            "tar.gz",
        ),
        ("PUT", "/graphs/demo", graph("none"), 404, "none"),
        ("PUT", "/graphs/demo", "{}".into(), 422, ""),
        ("POST", "/snapshots/demo", String::new(), 404, "demo"),
        (
            "PUT",
            "/tenants/alpha",
            r#"{"regoin": "x"}"#.into(),
            422,
            "",
        ),
        (
            "PUT",
            "/tenants/alpha",
            r#"{"region": "eu"}"#.into(),
            204,
            "",
        ),
        ("DELETE", "/tenants/bravo", String::new(), 404, "bravo"),
    ];
    for (method, path, body, status, word) in table {
        let (got, answer) = control.call(Some(&token), method, path, &body);
        assert_eq!(got, status, "{method} {path} {body}: {answer}");
        assert!(answer.to_string().contains(word), "{word}: {answer}");
    }
    let (_, audit) = control.call(Some(&token), "GET", "/audit", "");
    let actions: Vec<_> = audit
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["action"])
        .collect();
    // What was refused changed nothing, so it is no change.
    assert_eq!(
        actions,
        [
            "tenant.put",
            "catalogue.push",
            "catalogue.retire",
            "catalogue.push",
            "catalogue.push",
            "schema.push"
        ]
    );
    control.stop();
}

#[test]
fn a_restart_keeps_everything_and_makes_no_second_token() {
    let folder = tempfile::tempdir().unwrap();
    let first = ControlPlane::start(folder.path());
    let token = format!("Bearer {}", first.token.as_ref().unwrap());
    let pushed = first.call(Some(&token), "PUT", "/schemas/demo/dev", SDL);
    assert_eq!(pushed.0, 201);
    first.stop();
    let second = ControlPlane::start(folder.path());
    assert_eq!(second.token, None);
    let (status, sdl) = second.call(Some(&token), "GET", "/schemas/demo/dev", "");
    assert_eq!((status, sdl), (200, Value::String(SDL.into())));
    second.stop();
}

#[tokio::test]
async fn a_database_that_is_not_there_is_a_clear_error() {
    let missing = config("sqlite:/nowhere/at/all/test.db".into());
    let refused = Server::bind(&missing).await.map(drop);
    assert!(matches!(refused, Err(CannotServe::Store(_))), "{refused:?}");
}
