//! Access tokens of an OIDC issuer: which let in, and as whom.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ig_control_plane::OidcConfig;
use ig_e2e::{ControlPlane, Issuer, TokenClaims};
use serde_json::{Value, json};

use crate::databases::Database;

/// An issuer's well-known documents over HTTP; keys can be exchanged.
pub(crate) struct WellKnown {
    pub(crate) url: String,
    keys: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

impl WellKnown {
    pub(crate) fn start(keys: Value) -> Self {
        Self::naming(keys, None)
    }

    /// Says that its keys are somewhere else.
    fn naming(keys: Value, named: Option<String>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let this = Self {
            url: url.clone(),
            keys: Arc::new(Mutex::new(keys)),
            asked: Arc::default(),
        };
        let (keys, asked) = (this.keys.clone(), this.asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut head = [0; 4096];
                let read = stream.read(&mut head).unwrap_or_default();
                let head = String::from_utf8_lossy(&head[..read]).into_owned();
                let body = if head.contains("/.well-known/openid-configuration") {
                    json!({"issuer": url, "jwks_uri": named.clone().unwrap_or(format!("{url}/keys"))})
                } else {
                    asked.fetch_add(1, Ordering::Relaxed);
                    keys.lock().unwrap().clone()
                };
                let body = body.to_string();
                let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length:";
                let _ = write!(stream, "{head} {}\r\n\r\n{body}", body.len());
            }
        });
        this
    }
}

fn config(issuer: &str) -> OidcConfig {
    let set = |one: &str| [one.to_owned()].into();
    OidcConfig {
        issuer: issuer.into(),
        audience: "ig-admin".into(),
        jwks: None,
        ca: "/etc/ssl/certs/ca-certificates.crt".into(),
        groups_claim: "groups".into(),
        roles: BTreeMap::from([
            ("viewer".into(), set("auditors")),
            ("owner".into(), set("platform")),
        ]),
        tenant_admins: BTreeMap::from([("alpha".into(), set("alpha-admins"))]),
    }
}

fn start(database: &Database, oidc: OidcConfig) -> ControlPlane {
    let mut config = database.config();
    config.oidc = Some(oidc);
    ControlPlane::start(config).unwrap()
}

fn claims(issuer: &str, groups: &[&str]) -> TokenClaims {
    TokenClaims(json!({
        "iss": issuer, "sub": "ada", "aud": "ig-admin", "groups": groups,
    }))
}

#[test]
fn groups_give_roles() {
    let issuer = Issuer::new(7).unwrap();
    let well_known = WellKnown::start(json!({"keys": [issuer.jwk()]}));
    for database in Database::each() {
        let control = start(&database, config(&well_known.url));
        let with =
            |groups: &[&str]| format!("Bearer {}", issuer.token(&claims(&well_known.url, groups)));
        let ask = |token: &str, method: &str, path: &str| {
            control.call_as(Some(token), method, path, "{}").0
        };
        let owner = with(&["platform", "auditors"]);
        assert_eq!(ask(&owner, "PUT", "/tenants/alpha"), 204);
        assert_eq!(ask(&owner, "PUT", "/tenants/bravo"), 204);
        let viewer = with(&["auditors"]);
        assert_eq!(ask(&viewer, "GET", "/tenants"), 200);
        assert_eq!(ask(&viewer, "PUT", "/tenants/alpha"), 403);
        let alpha = with(&["alpha-admins"]);
        assert_eq!(ask(&alpha, "GET", "/tenants/alpha"), 200);
        assert_eq!(ask(&alpha, "GET", "/tenants/bravo"), 404);
        assert_eq!(ask(&with(&["others"]), "GET", "/tenants"), 403);
        assert_eq!(ask(&with(&[]), "GET", "/tenants"), 403);
        let (_, audit) = control.call("GET", "/audit", "");
        assert_eq!(audit["items"][0]["actor"], "oidc:ada");
        control.stop().unwrap();
    }
}

#[test]
fn tokens_that_are_not_good_do_not_let_in() {
    let issuer = Issuer::new(7).unwrap();
    let forger = Issuer::new(8).unwrap();
    let well_known = WellKnown::start(json!({"keys": [issuer.jwk()]}));
    let database = Database::sqlite();
    let control = start(&database, config(&well_known.url));
    let url = well_known.url.as_str();
    let good = claims(url, &["platform"]);
    let token = issuer.token(&good);
    let parts: Vec<_> = token.split('.').collect();
    let none = base64("{\"alg\":\"none\",\"typ\":\"JWT\"}");
    let hmac = base64("{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
    let table = [
        (
            "another key under a known id",
            forged(&forger, &issuer, &good),
        ),
        ("a key that is not the issuer's", forger.token(&good)),
        (
            "expired",
            issuer.token(&good.clone().with("exp", json!(1_000_000_000))),
        ),
        (
            "not yet",
            issuer.token(&good.clone().with("nbf", json!(4_000_000_000_u32))),
        ),
        (
            "another issuer",
            issuer.token(&good.clone().with("iss", json!("https://other"))),
        ),
        (
            "another audience",
            issuer.token(&good.clone().with("aud", json!("graph"))),
        ),
        (
            "no audience",
            issuer.token(&good.clone().with("aud", Value::Null)),
        ),
        (
            "no subject",
            issuer.token(&good.clone().with("sub", Value::Null)),
        ),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        (
            "another payload",
            format!("{}.{}.{}", parts[0], base64(&good.0.to_string()), parts[2]),
        ),
        ("alg none", format!("{none}.{}.", parts[1])),
        ("alg HS256", format!("{hmac}.{}.{}", parts[1], parts[2])),
        ("no token", "a.b.c".to_owned()),
    ];
    assert_eq!(ask(&control, &token), 200);
    for (what, token) in table {
        assert_eq!(ask(&control, &token), 401, "{what}");
    }
    // A stranger's key ids do not make us ask the issuer for each request.
    assert!(well_known.asked.load(Ordering::Relaxed) <= 2);
    control.stop().unwrap();
}

fn ask(control: &ControlPlane, token: &str) -> u16 {
    control
        .call_as(Some(&format!("Bearer {token}")), "GET", "/graphs", "")
        .0
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

/// Signed by one key, under the id of another.
fn forged(forger: &Issuer, issuer: &Issuer, claims: &TokenClaims) -> String {
    forger.clone().with_key_id(issuer).token(claims)
}

#[test]
fn keys_rotate_without_a_restart() {
    let (old, new) = (Issuer::new(7).unwrap(), Issuer::new(8).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    let write = |keys: Value| std::fs::write(&file, json!({"keys": keys}).to_string()).unwrap();
    write(json!([old.jwk()]));
    let database = Database::sqlite();
    let issuer = "https://login.example";
    let mut oidc = config(issuer);
    oidc.jwks = Some(file.display().to_string());
    let control = start(&database, oidc);
    let good = claims(issuer, &["platform"]);
    assert_eq!(ask(&control, &old.token(&good)), 200);
    assert_eq!(ask(&control, &new.token(&good)), 401);
    write(json!([old.jwk(), new.jwk()]));
    // At most one look in ten seconds.
    let started = std::time::Instant::now();
    while ask(&control, &new.token(&good)) != 200 {
        assert!(started.elapsed().as_secs() < 30);
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    assert_eq!(ask(&control, &old.token(&good)), 200);
    control.stop().unwrap();
}

/// The operator says which file has keys; the issuer says no such thing.
#[test]
fn an_issuer_names_no_files() {
    let issuer = Issuer::new(7).unwrap();
    let keys = json!({"keys": [issuer.jwk()]});
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, keys.to_string()).unwrap();
    let file = file.display().to_string();
    for named in [
        file.clone(),
        format!("file://{file}"),
        "http://x.example/k".to_owned(),
    ] {
        let well_known = WellKnown::naming(keys.clone(), Some(named.clone()));
        let database = Database::sqlite();
        let control = start(&database, config(&well_known.url));
        let token = issuer.token(&claims(&well_known.url, &["platform"]));
        assert_eq!(ask(&control, &token), 503, "{named}");
        control.stop().unwrap();
    }
    let database = Database::sqlite();
    let mut oidc = config("https://login.example");
    oidc.jwks = Some(file);
    let control = start(&database, oidc);
    let token = issuer.token(&claims("https://login.example", &["platform"]));
    assert_eq!(ask(&control, &token), 200);
    control.stop().unwrap();
}

#[test]
fn an_issuer_that_cannot_be_asked_is_not_a_wrong_token() {
    let issuer = Issuer::new(7).unwrap();
    let database = Database::sqlite();
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let control = start(&database, config(&url));
    assert_eq!(
        ask(&control, &issuer.token(&claims(&url, &["platform"]))),
        503
    );
    // Our own tokens need no issuer.
    assert_eq!(control.call("GET", "/graphs", "").0, 200);
    control.stop().unwrap();
}
