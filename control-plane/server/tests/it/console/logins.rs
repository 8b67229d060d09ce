//! Logins that somebody else would have a hand in.

use serde_json::{Value, json};

use super::bench::{Bench, Browser, CLIENT, ORIGIN, Provider, SECRET};
use crate::databases::Database;

fn is_in(browser: &mut Browser) -> bool {
    browser.get("/console").status == 200
}

fn put_logins(bench: &Bench, logins: &Value) -> u16 {
    let identity = json!({"logins": logins, "adminGroups": ["admins"]});
    let path = "/tenants/alpha/identity";
    bench.control.call("PUT", path, identity.to_string()).0
}

/// What one issuer was sent is exchanged at no other, and no other answers for it.
#[test]
fn no_issuer_answers_for_another() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        bench.user(&bench.scim, "ada");
        let mut browser = bench.browser();
        let (state, nonce) = bench.begin(&mut browser, "alpha");
        bench.provider.gives(bench.claims("ada", "alpha", &nonce));
        // At another client's callback, that of nobody, or the one of all.
        let own = bench.callback("alpha", &state);
        let query = own.split_once('?').unwrap().1;
        for (path, status) in [
            (bench.callback("bravo", &state), 401),
            (format!("/console/callback/{}?{query}", "0".repeat(32)), 401),
            (format!("/console/callback?{query}"), 404),
        ] {
            assert_eq!(browser.clone().get(&path).status, status, "{path}");
        }
        assert!(bench.provider.asked.lock().unwrap().is_empty());
        assert_eq!(browser.get(&own).status, 303);
        // An issuer that names itself does so always.
        let other = Provider::saying(true);
        let settings = json!({"region": "r", "issuers": {
            other.url.as_str(): {"attribute": "externalId"},
        }});
        let (status, _) = bench
            .control
            .call("PUT", "/tenants/alpha", settings.to_string());
        assert_eq!(status, 204);
        let client = json!({"id": CLIENT, "secret": SECRET});
        let login = json!({"issuer": other.url, "audience": "x", "client": client});
        assert_eq!(put_logins(&bench, &json!([login])), 204);
        for (iss, status) in [
            (String::new(), 401),
            (format!("&iss={}", bench.provider.url), 401),
            (format!("&iss={}/", other.url), 401),
            (format!("&iss={}", other.url), 303),
        ] {
            let mut browser = bench.browser();
            let page = browser.get("/console/login?tenant=alpha");
            let url = page.between("content=\"0;url=", "\"");
            let part = |name: &str| {
                let (_, rest) = url.split_once(&format!("&{name}=")).unwrap();
                rest.split('&').next().unwrap().to_owned()
            };
            let mut claims = bench.claims("ada", "alpha", &part("nonce"));
            claims["iss"] = json!(other.url);
            claims["aud"] = json!(CLIENT);
            other.gives(claims);
            let path = bench.callback("alpha", &part("state"));
            assert_eq!(browser.get(&format!("{path}{iss}")).status, status, "{iss}");
        }
        assert_eq!(other.asked.lock().unwrap().len(), 1);
        bench.control.stop().unwrap();
    }
}

/// Another site sends nobody through a login; a new session ends the old one.
#[test]
fn nobody_is_logged_in_by_another_site() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        bench.user(&bench.scim, "ada");
        let path = "/console/login?tenant=alpha";
        for (sites, goes_on) in [
            (vec!["none"], true),
            (vec!["same-origin"], true),
            (vec!["same-site"], false),
            (vec!["cross-site"], false),
            (vec!["none", "cross-site"], false),
            (vec![], false),
        ] {
            let headers: Vec<_> = sites.iter().map(|site| ("sec-fetch-site", *site)).collect();
            let page = bench.browser().send("GET", path, &headers, "");
            assert_eq!(page.status, 200);
            let refresh = page.text.contains("http-equiv=\"refresh\"");
            assert_eq!(refresh, goes_on, "{sites:?}");
            assert!(page.text.contains("Go on to the login"), "{sites:?}");
        }
        let token = format!("token={}", bench.control.token.clone().unwrap());
        for (from, status) in [
            (vec![], 403),
            (vec![("sec-fetch-site", "cross-site")], 403),
            (vec![("sec-fetch-site", "none")], 403),
            (vec![("origin", "https://evil.example")], 403),
            (vec![("origin", "null")], 403),
            (
                vec![("origin", "null"), ("sec-fetch-site", "same-origin")],
                303,
            ),
            (vec![("origin", ORIGIN)], 303),
        ] {
            let page = bench.browser().form_from("/console/login", &from, &token);
            assert_eq!(page.status, status, "{from:?}");
        }
        // By a token, and at the issuer.
        let mut browser = bench.log_in("alpha", "ada");
        let mut old = browser.clone();
        assert_eq!(browser.form("/console/login", &token).status, 303);
        assert!(is_in(&mut browser) && !is_in(&mut old));
        let mut old = browser.clone();
        let (state, nonce) = bench.begin(&mut browser, "alpha");
        bench.provider.gives(bench.claims("ada", "alpha", &nonce));
        assert_eq!(browser.get(&bench.callback("alpha", &state)).status, 303);
        assert!(is_in(&mut browser) && !is_in(&mut old));
        bench.control.stop().unwrap();
    }
}

#[test]
fn a_session_is_of_one_client_and_one_of_twenty() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        bench.user(&bench.scim, "ada");
        bench.user(&bench.scim, "eve");
        let mut eve = bench.log_in("alpha", "eve");
        let mut all: Vec<_> = (0..21).map(|_| bench.log_in("alpha", "ada")).collect();
        let are_in: Vec<_> = all.iter_mut().map(is_in).collect();
        assert_eq!(are_in.iter().filter(|one| **one).count(), 20);
        assert!(!are_in[0] && is_in(&mut eve));
        // A new secret is the same client; another id is another, and what ended
        // with it does not come back.
        let login = |client: &str, secret: &str| {
            let client = json!({"id": client, "secret": secret});
            json!({"issuer": bench.provider.url, "audience": "alpha", "client": client})
        };
        let client = format!("{CLIENT}-alpha");
        assert_eq!(put_logins(&bench, &json!([login(&client, "new")])), 204);
        assert!(is_in(&mut eve));
        assert_eq!(put_logins(&bench, &json!([login("other", SECRET)])), 204);
        assert!(!is_in(&mut eve));
        assert_eq!(put_logins(&bench, &json!([login(&client, SECRET)])), 204);
        assert!(!is_in(&mut eve));
        // A client's tokens are for nothing else, whoever's the audience is.
        for id in ["alpha", "bravo", "silent"] {
            assert_eq!(put_logins(&bench, &json!([login(id, SECRET)])), 409, "{id}");
        }
        let taken = json!([{"issuer": bench.provider.url, "audience": format!("{CLIENT}-bravo")}]);
        assert_eq!(put_logins(&bench, &taken), 409);
        bench.control.stop().unwrap();
    }
}

/// Names of tenants are guessed as often as tokens, and so are callbacks tried.
#[test]
fn guesses_at_the_console_have_an_end() {
    for path in [
        "/console/login?tenant=unknown",
        "/console/login?tenant=silent",
    ] {
        let database = Database::sqlite();
        let bench = Bench::of(database.start_with_failures(10));
        let mut browser = bench.browser();
        let statuses: Vec<_> = (0..30).map(|_| browser.get(path).status).collect();
        let looked_at = statuses.iter().position(|status| *status == 429);
        assert!(
            looked_at.is_some_and(|looked_at| looked_at >= 10),
            "{path}: {statuses:?}"
        );
        // Who is there is not told either.
        let known = browser.get("/console/login?tenant=alpha").status;
        assert_eq!(known, 429, "{path}");
        bench.control.stop().unwrap();
    }
}

/// Any site can send its visitors to a callback: that locks nobody out.
#[test]
fn who_began_no_login_guesses_nothing() {
    let database = Database::sqlite();
    let bench = Bench::of(database.start_with_failures(10));
    let mut browser = bench.browser();
    for _ in 0..30 {
        let path = "/console/callback/a?code=c&state=s";
        assert_eq!(browser.get(path).status, 401);
    }
    bench.control.stop().unwrap();
}
