//! One-time passwords: when they count, for what, and how often.

use data_encoding::BASE32_NOPAD;
use ig_contract::step_up::Spent;
use ring::hmac;
use serde_json::{Value, json};

use crate::databases::Database;
use crate::step_up::{Answer, Bench, Person, export, key, reason, seconds};

const ACTION: &str = "export:assets";
const DECLARATION: &str = "/tenants/alpha/break-glass";
/// As if time had passed.
const LATER: &str = "UPDATE otp_secrets SET last_step = 0";
const UNLOCKED: &str = "UPDATE otp_failures SET failures = 0, locked_until = 0";

/// What an authenticator app has.
struct App {
    secret: Vec<u8>,
    recovery: Vec<String>,
}

impl App {
    fn code(&self, seconds: u64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = hmac::sign(&key, &(seconds / 30).to_be_bytes());
        let at = usize::from(tag.as_ref()[19] & 0xf);
        let four = tag.as_ref()[at..at + 4].try_into().unwrap();
        format!(
            "{:06}",
            (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000
        )
    }

    /// What it shows now.
    fn now(&self) -> Value {
        json!({"code": self.code(seconds())})
    }

    /// What it shows neither now nor a step before or after.
    fn wrong(&self) -> Value {
        let at = seconds();
        let near: Vec<_> = (0..5).map(|step| self.code(at + 30 * step - 60)).collect();
        let mut all = (0..10).map(|number| format!("{number:06}"));
        json!({"code": all.find(|code| !near.contains(code)).unwrap()})
    }

    fn recovery(&self, number: usize) -> Value {
        json!({"recoveryCode": self.recovery[number]})
    }
}

fn declare(bench: &Bench, actions: Value) {
    let until = (seconds() + 3600) * 1000;
    let body = json!({"until": until, "actions": actions}).to_string();
    let (status, said) = bench.control.call("PUT", DECLARATION, body);
    assert_eq!(status, 204, "{said}");
}

fn own(action: &str) -> Value {
    json!({"actions": [action]})
}

/// Begins to set one-time passwords up, with a passkey of this seed.
fn begin(ada: &Person<'_>, seed: u8) -> App {
    let mut passkey = key(seed);
    ada.add(&mut passkey);
    let (token, _) = ada.token(&mut passkey, &own("otp:add"));
    let (status, shown) = ada.post("/otp/registration", &json!({}), Some(&token));
    assert_eq!(status, 201, "{shown}");
    let secret = shown["secret"].as_str().unwrap();
    let uri = shown["uri"].as_str().unwrap();
    assert!(
        uri.starts_with("otpauth://totp/IntelGraph%20Guard:"),
        "{uri}"
    );
    assert!(uri.contains(&format!("secret={secret}")), "{uri}");
    let recovery = shown["recoveryCodes"].as_array().unwrap().iter();
    App {
        secret: BASE32_NOPAD.decode(secret.as_bytes()).unwrap(),
        recovery: recovery.map(|one| one.as_str().unwrap().into()).collect(),
    }
}

fn enrol(bench: &Bench, ada: &Person<'_>, seed: u8) -> App {
    let app = begin(ada, seed);
    let (status, said) = ada.post("/otp/registration/verify", &app.now(), None);
    assert_eq!(status, 204, "{said}");
    bench.sql(LATER);
    app
}

fn ask(ada: &Person<'_>, action: &str, given: &Value) -> Answer {
    let mut body = json!({"graph": "demo", "actions": [action], "resource": "a".repeat(64)});
    let object = body.as_object_mut().unwrap();
    object.extend(given.as_object().unwrap().clone());
    ada.post("/otp/verify", &body, None)
}

fn id(answer: &Answer) -> String {
    assert_eq!(answer.0, 200, "{}", answer.1);
    answer.1["id"].as_str().unwrap().to_owned()
}

fn last(bench: &Bench, action: &str) -> Value {
    let (_, audit) = bench.control.call("GET", "/audit?limit=1000", "");
    let items = audit["items"].as_array().unwrap();
    let found = items.iter().find(|one| one["action"] == action);
    found.cloned().unwrap()
}

#[test]
fn they_count_while_an_owner_says_so() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let off = (
            200,
            json!({"isOn": false, "until": null, "actions": [],
            "declaredBy": null, "declaredAt": null}),
        );
        assert_eq!(bench.control.call("GET", DECLARATION, ""), off);
        let app = enrol(&bench, &ada, 3);
        // Off by default.
        assert_eq!(
            reason(&ask(&ada, ACTION, &app.now())),
            (403, "break-glass-off")
        );
        declare(&bench, json!(["export:*"]));
        let (_, shown) = bench.control.call("GET", DECLARATION, "");
        assert_eq!(
            (&shown["isOn"], &shown["declaredBy"]),
            (&json!(true), &json!("bootstrap"))
        );
        // Only for what is named.
        let answer = ask(&ada, "crossTenant:search", &app.now());
        assert_eq!(reason(&answer), (403, "break-glass-scope"));
        // Tokens of a user's first second are of the one after it.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let answer = ask(&ada, ACTION, &app.now());
        let token = id(&answer);
        assert_eq!(answer.1["acr"], "otp");
        let life = answer.1["expiresAt"].as_u64().unwrap() - seconds();
        assert!(life <= 60, "{life}");
        assert_eq!(
            (bench.spend(&token), bench.spend(&token)),
            (Spent::First, Spent::Again)
        );
        let used = last(&bench, "break-glass.use");
        assert_eq!(used["target"], ada.id);
        assert!(
            used["before"]
                .as_str()
                .unwrap()
                .contains("\"with\":\"code\""),
            "{used}"
        );
        assert!(used["after"].as_str().unwrap().contains(&token), "{used}");
        let numbers = bench.control.call("GET", "/metrics", "").1.to_string();
        assert!(numbers.contains("ig_break_glass_uses_total 1"), "{numbers}");
        // What was given before it ended does not count after.
        bench.sql(LATER);
        let token = id(&ask(&ada, ACTION, &app.now()));
        bench.sql("UPDATE break_glass SET until_at = 1");
        assert_eq!(bench.spend(&token), Spent::Over);
        bench.sql(LATER);
        assert_eq!(
            reason(&ask(&ada, ACTION, &app.now())),
            (403, "break-glass-off")
        );
        assert_eq!(bench.control.call("GET", DECLARATION, ""), off);
        // Nor where it is for something else by then.
        declare(&bench, json!(["case:*"]));
        assert_eq!(bench.spend(&token), Spent::Over);
        declare(&bench, json!([ACTION]));
        let audited = last(&bench, "break-glass.declare");
        let declared = |name: &str| {
            let said: Value = serde_json::from_str(audited[name].as_str().unwrap()).unwrap();
            said["actions"].clone()
        };
        assert_eq!(declared("before"), json!(["case:*"]), "{audited}");
        assert_eq!(declared("after"), json!([ACTION]), "{audited}");
        assert_eq!(bench.spend(&token), Spent::First);
        let token = id(&ask(&ada, ACTION, &app.now()));
        assert_eq!(bench.control.call("DELETE", DECLARATION, "").0, 204);
        assert_eq!(bench.control.call("DELETE", DECLARATION, "").0, 404);
        assert_eq!(bench.spend(&token), Spent::Over);
        for (action, count) in [
            ("break-glass.declare", 3),
            ("break-glass.end", 1),
            ("break-glass.use", 3),
            ("otp.add", 1),
            ("step-up.grant", 1),
        ] {
            assert_eq!(bench.audited(action), count, "{action}");
        }
        bench.control.stop().unwrap();
    }
}

/// However many come with one code, at once or one after the other, one has it.
#[test]
fn a_code_counts_once() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let app = begin(&ada, 3);
        declare(&bench, json!([ACTION]));
        // Before it is set up, none counts.
        assert_eq!(ask(&ada, ACTION, &app.now()).0, 409);
        assert_eq!(ask(&ada, ACTION, &app.recovery(0)).0, 409);
        let first = app.now();
        let set_up = || ada.post("/otp/registration/verify", &first, None);
        assert_eq!((set_up().0, set_up().0), (204, 409));
        // Not even the one that it was set up with.
        assert_eq!(reason(&ask(&ada, ACTION, &first)), (403, "code"));
        bench.sql(LATER);
        id(&ask(&ada, ACTION, &first));
        assert_eq!(reason(&ask(&ada, ACTION, &first)), (403, "code"));
        for given in [app.now(), app.recovery(0)] {
            bench.sql(LATER);
            bench.sql(UNLOCKED);
            let statuses = std::thread::scope(|scope| {
                let asks: Vec<_> = (0..50)
                    .map(|_| scope.spawn(|| ask(&ada, ACTION, &given).0))
                    .collect();
                asks.into_iter()
                    .map(|one| one.join().unwrap())
                    .collect::<Vec<_>>()
            });
            let count = |status: u16| statuses.iter().filter(|one| **one == status).count();
            assert_eq!(count(200), 1, "{statuses:?}");
            assert!(count(403) + count(429) + count(503) == 49, "{statuses:?}");
        }
        assert_eq!(bench.audited("break-glass.use"), 3);
        bench.sql(UNLOCKED);
        assert_eq!(reason(&ask(&ada, ACTION, &app.recovery(0))), (403, "code"));
        id(&ask(&ada, ACTION, &app.recovery(1)));
        let left = last(&bench, "break-glass.use");
        let left = left["before"].as_str().unwrap();
        assert!(left.contains("\"recoveryCodesLeft\":8"), "{left}");
        bench.control.stop().unwrap();
    }
}

#[test]
fn who_guesses_is_locked_out() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let (ada, bob) = (bench.person("ada"), bench.person("bob"));
        let (app, bobs) = (enrol(&bench, &ada, 3), begin(&bob, 4));
        declare(&bench, json!([ACTION]));
        for _ in 0..4 {
            assert_eq!(reason(&ask(&ada, ACTION, &app.wrong())), (403, "code"));
        }
        // A right one begins anew; another kind of wrong one counts as well.
        id(&ask(&ada, ACTION, &app.now()));
        bench.sql(LATER);
        for _ in 0..4 {
            assert_eq!(reason(&ask(&ada, ACTION, &bobs.recovery(0))), (403, "code"));
        }
        assert_eq!(reason(&ask(&ada, ACTION, &app.wrong())), (403, "code"));
        for right in [app.now(), app.recovery(0)] {
            assert_eq!(reason(&ask(&ada, ACTION, &right)), (429, "code-locked"));
        }
        let answer = ada.post("/otp/registration", &json!({}), None);
        assert_eq!(reason(&answer), (429, "code-locked"));
        assert_eq!(bench.audited("break-glass.lock"), 1);
        // Nobody else is; and guessing the first code is no other.
        let set_up = |given: Value| bob.post("/otp/registration/verify", &given, None);
        for _ in 0..5 {
            assert_eq!(reason(&set_up(bobs.wrong())), (403, "code"));
        }
        assert_eq!(reason(&set_up(bobs.now())), (429, "code-locked"));
        let minutes = |sql| (bench.count(sql) - i64::try_from(seconds()).unwrap() * 1000) / 60_000;
        const UNTIL: &str = "SELECT MAX(locked_until) FROM otp_failures";
        assert!((13..=15).contains(&minutes(UNTIL)));
        bench.sql(UNLOCKED);
        assert_eq!(set_up(bobs.now()).0, 204);
        // The second time for longer.
        for _ in 0..5 {
            ask(&ada, ACTION, &app.wrong());
        }
        assert!((28..=30).contains(&minutes(UNTIL)));
        bench.sql(UNLOCKED);
        id(&ask(&ada, ACTION, &app.now()));
        let numbers = bench.control.call("GET", "/metrics", "").1.to_string();
        assert!(
            numbers.contains("ig_break_glass_failures_total 19"),
            "{numbers}"
        );
        bench.control.stop().unwrap();
    }
}

/// Whoever has a one-time password changes no factor with it.
#[test]
fn they_change_no_factor() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let app = enrol(&bench, &ada, 3);
        let owns = ["passkey:add", "passkey:remove", "otp:add", "otp:remove"];
        declare(&bench, json!(owns));
        let delete = |path: &str, token: Option<&str>| {
            let mut headers = vec![("authorization", ada.header.as_str())];
            headers.extend(token.map(|token| ("x-ig-step-up", token)));
            bench.control.call_with(&headers, "DELETE", path, "")
        };
        let (_, listed) = bench
            .control
            .call_as(Some(&ada.header), "GET", "/webauthn/passkeys", "");
        let passkey = format!("/webauthn/passkeys/{}", listed[0]["id"].as_str().unwrap());
        for (number, action) in owns.into_iter().enumerate() {
            let answer = ask(&ada, action, &app.recovery(number));
            let token = answer.1["token"].as_str().unwrap();
            for answer in [
                ada.begin_adding(Some(token)),
                ada.post("/otp/registration", &json!({}), Some(token)),
                delete("/otp", Some(token)),
                delete(&passkey, Some(token)),
            ] {
                assert_eq!(reason(&answer), (401, "step-up-invalid"), "{action}");
            }
        }
        // For the control plane itself there is none to be had.
        for graph in [json!(null), json!("http://localhost:8080"), json!("")] {
            let answer = ask(
                &ada,
                "passkey:add",
                &json!({"graph": graph, "code": "123456"}),
            );
            assert!(matches!(answer.0, 404 | 422), "{graph}: {}", answer.1);
        }
        for answer in [
            ada.post("/otp/registration", &json!({}), None),
            delete("/otp", None),
        ] {
            assert_eq!(reason(&answer), (401, "step-up-required"));
        }
        // With a passkey they are taken away, and what they gave with them.
        let token = id(&ask(&ada, "otp:add", &app.recovery(5)));
        let mut passkey = key(3);
        passkey.counter = 100;
        let (add, _) = ada.token(&mut passkey, &own("otp:add"));
        assert_eq!(ada.post("/otp/registration", &json!({}), Some(&add)).0, 409);
        let (remove, _) = ada.token(&mut passkey, &own("otp:remove"));
        assert_eq!(delete("/otp", Some(&remove)).0, 204);
        assert_eq!(bench.spend(&token), Spent::Over);
        assert_eq!(ask(&ada, "otp:add", &app.now()).0, 409);
        assert_eq!(bench.audited("otp.remove"), 1);
        bench.control.stop().unwrap();
    }
}

#[test]
fn each_tenant_and_user_has_its_own() {
    const ROWS: &str = "SELECT (SELECT COUNT(*) FROM otp_secrets) \
        + (SELECT COUNT(*) FROM otp_recovery_codes) + (SELECT COUNT(*) FROM otp_failures) \
        + (SELECT COUNT(*) FROM break_glass)";
    for database in Database::each() {
        let bench = Bench::start(&database);
        let (ada, bob) = (bench.person("ada"), bench.person("bob"));
        let (adas, bobs) = (enrol(&bench, &ada, 3), enrol(&bench, &bob, 4));
        // What another tenant declares does not count here.
        let until = (seconds() + 3600) * 1000;
        let body = json!({"until": until, "actions": [ACTION]}).to_string();
        let put = |path: &str| bench.control.call("PUT", path, &body).0;
        assert_eq!(put("/tenants/bravo/break-glass"), 204);
        assert_eq!(put("/tenants/none/break-glass"), 404);
        assert_eq!(
            bench.control.call("GET", "/tenants/none/break-glass", "").0,
            404
        );
        assert_eq!(
            reason(&ask(&ada, ACTION, &adas.now())),
            (403, "break-glass-off")
        );
        declare(&bench, json!([ACTION]));
        // Nor does what another user has.
        for given in [bobs.now(), bobs.recovery(0)] {
            assert_eq!(reason(&ask(&ada, ACTION, &given)), (403, "code"));
        }
        id(&ask(&bob, ACTION, &bobs.recovery(0)));
        // Nothing of it can be read in the database.
        let sealed: Option<String> = bench.query("SELECT MIN(secret) FROM otp_secrets");
        assert_eq!(sealed.unwrap().len(), 64, "12 of nonce, 20, 16 of tag");
        assert_eq!(
            bench.count("SELECT MIN(LENGTH(hash)) FROM otp_recovery_codes"),
            64
        );
        // It goes with its user, and with its tenant.
        assert_eq!(bench.count(ROWS), 2 + 20 + 1 + 2);
        assert_eq!(bench.scim.delete(&format!("/Users/{}", ada.id)).status, 204);
        assert_eq!(bench.count(ROWS), 1 + 10 + 2);
        assert_eq!(bench.control.call("DELETE", "/tenants/alpha", "").0, 204);
        assert_eq!(bench.count(ROWS), 1);
        bench.control.stop().unwrap();
    }
}

#[test]
fn what_is_asked_is_checked() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    let ada = bench.person("ada");
    let soon = (seconds() + 60) * 1000;
    for (body, word) in [
        (json!({"until": soon, "actions": []}), "actions"),
        (json!({"until": soon, "actions": ["*"]}), "actions"),
        (json!({"until": soon, "actions": ["a*b"]}), "actions"),
        (json!({"until": soon - 120_000, "actions": ["a"]}), "until"),
        (
            json!({"until": soon + 86_400_000, "actions": ["a"]}),
            "until",
        ),
        (json!({"until": soon}), "actions"),
        (json!({"until": soon, "actions": ["a"], "more": 1}), "more"),
    ] {
        let (status, said) = bench.control.call("PUT", DECLARATION, body.to_string());
        assert_eq!(status, 422, "{body}: {said}");
        assert!(said.to_string().contains(word), "{body}: {said}");
    }
    let code = json!({"code": "123456"});
    for given in [
        json!({}),
        json!({"code": "12345"}),
        json!({"code": "12345x"}),
        json!({"recoveryCode": "short"}),
        json!({"code": "123456", "recoveryCode": "AAAA-AAAA-AAAA-AAAA"}),
        json!({"code": "123456", "resource": null}),
        json!({"code": "123456", "resource": "x"}),
        json!({"code": "123456", "actions": []}),
        json!({"code": "123456", "more": 1}),
    ] {
        let (status, said) = ask(&ada, ACTION, &given);
        assert_eq!(status, 422, "{given}: {said}");
    }
    assert_eq!(ada.post("/otp/registration/verify", &code, None).0, 409);
    // One that took too long to be shown.
    let app = begin(&ada, 3);
    bench.sql("UPDATE otp_secrets SET made_at = 1");
    assert_eq!(
        ada.post("/otp/registration/verify", &app.now(), None).0,
        409
    );
    let (status, _) = bench
        .control
        .call("POST", "/otp/verify", export().to_string());
    assert!(matches!(status, 403 | 422), "{status}");
    bench.control.stop().unwrap();
}
