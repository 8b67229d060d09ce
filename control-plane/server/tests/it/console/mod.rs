//! The console over HTTP: who gets in, what pages say, and what forms take.

mod bench;
mod logins;
mod own;

use ig_e2e::Authenticator;
use serde_json::json;

use crate::databases::Database;
use bench::{Bench, Browser, CLIENT, ORIGIN, SECRET, seconds};

const PAGES: [&str; 9] = [
    "/console",
    "/console/login",
    "/console/step-up?graph=demo&actions=export:assets",
    "/console/proxies",
    "/console/revisions",
    "/console/catalogue",
    "/console/tenants",
    "/console/decisions",
    "/console/none",
];

#[test]
fn every_page_is_protected() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    bench.user(&bench.scim, "ada");
    let who = [bench.browser(), bench.log_in("alpha", "ada"), bench.admin()];
    for mut browser in who {
        for path in PAGES
            .into_iter()
            .chain(["/console/callback/a?code=x&state=y"])
        {
            let page = browser.get(path);
            let policy = page.header("content-security-policy");
            for part in [
                "default-src 'none'",
                "script-src 'self'",
                "frame-ancestors 'none'",
                "base-uri 'none'",
                "form-action 'self'",
            ] {
                assert!(policy.contains(part), "{path}: {policy}");
            }
            assert!(!policy.contains("unsafe"), "{path}: {policy}");
            assert_eq!(page.header("referrer-policy"), "no-referrer", "{path}");
            assert_eq!(page.header("x-content-type-options"), "nosniff", "{path}");
            assert!(
                page.header("permissions-policy").contains("camera=()"),
                "{path}"
            );
            assert_eq!(page.header("cache-control"), "no-store", "{path}");
            if page.status == 303 {
                continue;
            }
            assert!(page.text.contains("<html lang=\"en\">"), "{path}");
            assert!(
                page.text.contains("<title>") && page.text.contains("<h1>"),
                "{path}"
            );
            for inline in ["<style", " style=", " onclick=", "javascript:"] {
                assert!(!page.text.contains(inline), "{path}: {inline}");
            }
            assert_eq!(
                page.text.matches("<script").count(),
                page.text.matches("<script src=\"/console/assets/").count(),
                "{path}"
            );
        }
    }
    let mut browser = bench.admin();
    for (before, media) in [
        ("<script src=\"", "text/javascript"),
        ("stylesheet\" href=\"", "text/css"),
    ] {
        let path = browser.get("/console").between(before, "\"");
        let asset = browser.get(&path);
        assert_eq!(asset.status, 200, "{path}");
        assert!(asset.header("content-type").starts_with(media));
        assert!(asset.header("cache-control").contains("immutable"));
    }
    bench.control.stop().unwrap();
}

#[test]
fn a_login_is_one_browsers_and_counts_once() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        bench.user(&bench.scim, "ada");
        let refused = |browser: &mut Browser, path: &str| {
            let page = browser.get(path);
            assert_eq!(page.status, 401, "{path}: {}", page.text);
            assert!(!browser.cookies.contains_key("ig-console"), "{path}");
        };
        let callback = |state: &str| bench.callback("alpha", state);
        // Nobody's login, another state.
        let mut browser = bench.browser();
        let (state, nonce) = bench.begin(&mut browser, "alpha");
        bench.provider.gives(bench.claims("ada", "alpha", &nonce));
        refused(&mut bench.browser(), &callback(&state));
        for path in [callback("other"), callback("")] {
            refused(&mut browser.clone(), &path);
        }
        // An error, another issuer's answer, another client's callback, tokens that
        // are for something else. Whatever it was, the login is over.
        let parts = ["&error=access_denied", "&iss=https://evil.example"];
        for more in parts {
            let (state, nonce) = bench.begin(&mut browser, "alpha");
            bench.provider.gives(bench.claims("ada", "alpha", &nonce));
            let mut copy = browser.clone();
            refused(&mut browser, &format!("{}{more}", callback(&state)));
            refused(&mut copy, &callback(&state));
        }
        for (name, value) in [
            ("nonce", json!("other")),
            ("aud", json!("alpha")),
            ("aud", json!(format!("{CLIENT}-bravo"))),
            ("iss", json!("https://evil.example")),
            ("exp", json!(seconds() - 60)),
            ("azp", json!("another")),
            ("sub", json!("nobody")),
        ] {
            let (state, nonce) = bench.begin(&mut browser, "alpha");
            let mut claims = bench.claims("ada", "alpha", &nonce);
            claims[name] = value;
            bench.provider.gives(claims);
            let mut copy = browser.clone();
            refused(&mut browser, &callback(&state));
            bench.provider.gives(bench.claims("ada", "alpha", &nonce));
            refused(&mut copy, &callback(&state));
        }
        let (state, nonce) = bench.begin(&mut browser, "alpha");
        // What is right, once.
        bench.provider.gives(bench.claims("ada", "alpha", &nonce));
        let copy = browser.clone();
        let page = browser.get(&callback(&state));
        assert_eq!(page.status, 303, "{}", page.text);
        let cookies = page.headers["set-cookie"].join("\n");
        let session = cookies
            .lines()
            .find(|one| one.starts_with("ig-console="))
            .unwrap();
        for flag in ["; HttpOnly", "; SameSite=Lax", "; Path=/"] {
            assert!(session.contains(flag), "{session}");
        }
        assert!(!session.contains("Domain"), "{session}");
        assert!(!browser.cookies.contains_key("ig-console-login"));
        refused(&mut copy.clone(), &callback(&state));
        let asked = bench.provider.asked.lock().unwrap().clone();
        let last = asked.last().unwrap();
        assert!(
            last.contains("code_verifier=") && last.to_lowercase().contains("authorization: basic")
        );
        // Also once it was ended.
        let csrf = browser.csrf();
        assert_eq!(
            browser
                .form("/console/logout", &format!("csrf={csrf}"))
                .status,
            303
        );
        refused(&mut copy.clone(), &callback(&state));
        bench.control.stop().unwrap();
    }
}

#[test]
fn tenants_are_not_to_be_found_out() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    let mut texts = Vec::new();
    for tenant in ["silent", "unknown", "%3Cscript%3E", "..%2F"] {
        let page = bench
            .browser()
            .get(&format!("/console/login?tenant={tenant}"));
        assert_eq!(page.status, 404);
        assert!(!page.text.contains("<script>"), "{}", page.text);
        let (_, alert) = page.text.split_once("role=\"alert\"").unwrap();
        texts.push(alert.split_once("</div>").unwrap().0.to_owned());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
    // Nobody is shown a secret, and it stays where it is not sent again.
    let path = "/tenants/alpha/identity";
    let (_, identity) = bench.control.call("GET", path, "");
    assert!(!identity.to_string().contains(SECRET), "{identity}");
    assert_eq!(identity["logins"][0]["client"]["hasSecret"], true);
    assert_eq!(bench.control.call("PUT", path, identity.to_string()).0, 204);
    let (_, after) = bench.control.call("GET", path, "");
    assert_eq!(after, identity);
    let (_, audit) = bench.control.call("GET", "/audit?limit=1000", "");
    assert!(!audit.to_string().contains(SECRET));
    // A client is one tenant's.
    let (status, _) = bench
        .control
        .call("PUT", "/tenants/bravo/identity", identity.to_string());
    assert_eq!(status, 409);
    bench.control.stop().unwrap();
}

#[test]
fn what_changes_something_comes_from_a_page() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        bench.user(&bench.scim, "ada");
        let mut ada = bench.log_in("alpha", "ada");
        let csrf = ada.csrf();
        let body = json!({"name": "<script>alert(1)</script>"});
        let path = "/webauthn/registration/options";
        let wrong = "0".repeat(csrf.len());
        for headers in [
            vec![],
            vec![("x-csrf-token", "")],
            vec![("x-csrf-token", wrong.as_str())],
            vec![("x-csrf-token", &csrf[1..])],
        ] {
            let (status, said) = ada.call(path, &headers, &body);
            assert_eq!(
                (status, said["reason"].as_str()),
                (403, Some("csrf")),
                "{headers:?}"
            );
        }
        for origin in ["https://evil.example", "null", "http://localhost:8081"] {
            let headers = [("x-csrf-token", csrf.as_str()), ("origin", origin)];
            let (status, said) = ada.call(path, &headers, &body);
            assert_eq!(
                (status, said["reason"].as_str()),
                (403, Some("origin")),
                "{origin}"
            );
        }
        // A token beside the cookie is what counts.
        let mixed = [
            ("authorization", "Bearer x"),
            ("x-csrf-token", csrf.as_str()),
        ];
        assert_eq!(ada.call(path, &mixed, &body).0, 401);
        let right = [("x-csrf-token", csrf.as_str()), ("origin", ORIGIN)];
        let (status, begun) = ada.call(path, &right, &body);
        assert_eq!(status, 200, "{begun}");
        let mut key = Authenticator::new(3, ORIGIN, "localhost");
        let credential = key.create(&begun["publicKey"]);
        let answer = json!({"ceremony": begun["ceremony"], "credential": credential});
        let (status, said) = ada.call("/webauthn/registration/verify", &right, &answer);
        assert_eq!(status, 201, "{said}");
        let start = ada.get("/console").text;
        assert!(start.contains("&lt;script&gt;alert(1)"), "{start}");
        assert!(!start.contains("<script>"), "{start}");
        let step_up = "/console/step-up?graph=demo&actions=%3Cscript%3Ealert(1)%3C/script%3E";
        let page = ada.get(step_up);
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("&lt;script&gt;") && !page.text.contains("<script>"));
        for (query, status) in [("graph=demo", 422), ("graph=none&actions=a", 404)] {
            assert_eq!(
                ada.get(&format!("/console/step-up?{query}")).status,
                status,
                "{query}"
            );
        }
        // Forms too.
        for form in ["", "csrf=", "csrf=x"] {
            assert_eq!(ada.form("/console/logout", form).status, 403, "{form}");
        }
        assert_eq!(ada.get("/console").status, 200);
        bench.control.stop().unwrap();
    }
}

#[test]
fn a_session_ends_with_what_it_is_of() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ids: Vec<_> = ["ada", "bob", "eve"]
            .iter()
            .map(|name| bench.user(&bench.scim, name))
            .collect();
        let [mut ada, mut bob, mut eve] =
            ["ada", "bob", "eve"].map(|name| bench.log_in("alpha", name));
        let is_in = |browser: &mut Browser| {
            let page = browser.get("/console").status;
            assert!(matches!(page, 200 | 401), "{page}");
            let route = browser.get("/webauthn/passkeys").status;
            assert_eq!(page, route);
            page == 200
        };
        let set = |active: bool| {
            let change = json!([{"op": "replace", "path": "active", "value": active}]);
            let path = format!("/Users/{}", ids[0]);
            assert_eq!(bench.scim.patch(&path, &change).status, 200);
        };
        set(false);
        assert!(!is_in(&mut ada) && is_in(&mut bob) && is_in(&mut eve));
        set(true);
        assert!(!is_in(&mut ada), "it does not come back");
        assert_eq!(bench.scim.delete(&format!("/Users/{}", ids[1])).status, 204);
        assert!(!is_in(&mut bob) && is_in(&mut eve));
        // At a logout, for whoever has kept the cookie.
        let mut kept = eve.clone();
        let csrf = eve.csrf();
        assert_eq!(
            eve.form("/console/logout", &format!("csrf={csrf}")).status,
            303
        );
        assert!(!eve.cookies.contains_key("ig-console"));
        assert!(!is_in(&mut kept));
        // With the login, and with the tenant.
        let mut eve = bench.log_in("alpha", "eve");
        assert!(is_in(&mut eve));
        assert_eq!(
            bench.control.call("PUT", "/tenants/alpha/identity", "{}").0,
            204
        );
        assert!(!is_in(&mut eve));
        assert_eq!(bench.control.call("DELETE", "/tenants/alpha", "").0, 204);
        assert!(!is_in(&mut eve));
        // With the token.
        let new = json!({"name": "looker", "role": "viewer"});
        let (_, made) = bench.control.call("POST", "/tokens", new.to_string());
        let mut viewer = bench.browser();
        let token = format!("token={}", made["token"].as_str().unwrap());
        assert_eq!(viewer.form("/console/login", &token).status, 303);
        assert_eq!(viewer.get("/console/proxies").status, 200);
        assert_eq!(bench.control.call("DELETE", "/tokens/looker", "").0, 204);
        assert_eq!(viewer.get("/console/proxies").status, 401);
        assert_eq!(viewer.form("/console/login", &token).status, 401);
        bench.control.stop().unwrap();
    }
}

#[test]
fn everybody_sees_their_own() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let id = bench.user(&bench.scim, "ada");
        bench.user(&bench.scim, "eve");
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "admins", "members": [{"value": id}],
        });
        assert_eq!(bench.scim.post("/Groups", &group).status, 201);
        let mut admin = bench.log_in("alpha", "ada");
        let settings = admin.get("/console/tenants");
        assert_eq!(settings.status, 200);
        assert!(settings.text.contains("alpha-region") && !settings.text.contains("bravo"));
        assert_eq!(admin.get("/console/decisions").status, 200);
        for path in [
            "/console/proxies",
            "/console/revisions",
            "/console/catalogue",
        ] {
            assert_eq!(admin.get(path).status, 403, "{path}");
        }
        let mut user = bench.log_in("alpha", "eve");
        for path in PAGES
            .iter()
            .filter(|path| !["/console", "/console/login"].contains(path))
        {
            let status = user.get(path).status;
            let expected = match *path {
                "/console/none" => 404,
                path if path.starts_with("/console/step-up") => 200,
                _ => 403,
            };
            assert_eq!(status, expected, "{path}");
        }
        // Whoever is nobody in a tenant does not get in by it.
        let mut browser = bench.browser();
        let (state, nonce) = bench.begin(&mut browser, "bravo");
        bench.provider.gives(bench.claims("ada", "bravo", &nonce));
        let page = browser.get(&bench.callback("bravo", &state));
        assert_eq!(page.status, 401);
        let mut owner = bench.admin();
        for path in &PAGES[3..8] {
            assert_eq!(owner.get(path).status, 200, "{path}");
        }
        let residency = owner.get("/console/tenants").text;
        assert!(residency.contains("alpha-region") && residency.contains("bravo-region"));
        assert_eq!(owner.get(PAGES[2]).status, 403);
        for role in ["tenant-admin", "provisioner"] {
            let new = json!({"name": role, "role": role, "tenant": "alpha"});
            let (_, made) = bench.control.call("POST", "/tokens", new.to_string());
            let token = format!("token={}", made["token"].as_str().unwrap());
            assert_eq!(
                bench.browser().form("/console/login", &token).status,
                401,
                "{role}"
            );
        }
        bench.control.stop().unwrap();
    }
}
