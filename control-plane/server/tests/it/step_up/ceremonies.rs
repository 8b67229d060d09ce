//! Answers of authenticators: whose, to what, once.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_e2e::{Authenticator, flags};
use serde_json::{Value, json};

use super::{Bench, export, key, reason};
use crate::databases::Database;

/// Each way in which an answer can be wrong has its reason, and ends its
/// ceremony.
#[test]
fn hostile_answers_are_refused() {
    type Spoil = fn(&mut Authenticator);
    let ways: [(&str, Spoil); 10] = [
        ("challenge", |key| key.challenge = Some("AAAA".repeat(11))),
        ("origin", |key| key.origin = "http://localhost:8081".into()),
        ("origin", |key| {
            key.origin = "http://evil-localhost:8080".into()
        }),
        ("relying-party", |key| key.rp_id = "example.com".into()),
        ("user-presence", |key| key.flags &= !flags::USER_PRESENT),
        ("user-verification", |key| {
            key.flags &= !flags::USER_VERIFIED
        }),
        ("cross-origin", |key| key.cross_origin = true),
        // Copied, though it says that it cannot be.
        ("backup", |key| key.flags |= flags::BACKED_UP),
        ("type", |key| key.kind = Some("webauthn.payment")),
        ("type", |key| {
            key.kind = Some(match key.counter {
                0 => "webauthn.get",
                _ => "webauthn.create",
            });
        }),
    ];
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    let (ada, bob) = (bench.person("ada"), bench.person("bob"));
    for (expected, spoil) in ways {
        let (_, begun) = bob.begin_adding(None);
        let mut wrong = key(4);
        spoil(&mut wrong);
        let credential = wrong.create(&begun["publicKey"]);
        let answer = bob.end_adding(&begun, &credential);
        assert_eq!(reason(&answer), (403, expected), "adding: {}", answer.1);
        let good = key(4).create(&begun["publicKey"]);
        let again = bob.end_adding(&begun, &good);
        assert_eq!(reason(&again), (403, "ceremony"), "adding: {expected}");
    }
    let mut own = key(3);
    ada.add(&mut own);
    own.counter = 1;
    for (expected, spoil) in ways {
        let begun = ada.begin(&export());
        let mut wrong = own.clone();
        spoil(&mut wrong);
        let answer = ada.end(&begun, &wrong.get(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, expected), "proving: {}", answer.1);
        let again = ada.end(&begun, &own.clone().get(&begun["publicKey"]));
        assert_eq!(reason(&again), (403, "ceremony"), "proving: {expected}");
    }
    // Somebody else's passkey, or its id with another key behind it.
    let mut others = key(5);
    bob.add(&mut others);
    // Also of another tenant.
    let eve = bench.stranger("eve");
    let mut strangers = key(7);
    eve.add(&mut strangers);
    for other in [&mut others, &mut strangers] {
        let begun = ada.begin(&export());
        let answer = ada.end(&begun, &other.get(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, "passkey"), "{}", answer.1);
    }
    // Nor does eve end what ada has begun, though with a passkey of her own.
    let begun = ada.begin(&export());
    let answer = eve.end(&begun, &strangers.get(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "ceremony"), "{}", answer.1);
    let begun = ada.begin(&export());
    let mut disguised = key(6);
    disguised.credential.clone_from(&own.credential);
    let answer = ada.end(&begun, &disguised.get(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "signature"), "{}", answer.1);
    // One that says that it is somebody else's, and whose it is.
    let (_, begun) = bench.person("carl").begin_adding(None);
    let carls = handle(&begun);
    let (token, _) = ada.token(&mut own, &json!({"actions": ["passkey:add"]}));
    let (_, begun) = ada.begin_adding(Some(&token));
    for (said, expected) in [
        (Some(carls), (403, "user-handle")),
        (Some(vec![1]), (403, "user-handle")),
        (Some(handle(&begun)), (200, "")),
        (None, (200, "")),
    ] {
        own.user_handle = said;
        let answer = ada.prove(&mut own, &export());
        assert_eq!(reason(&answer), expected, "{}", answer.1);
    }
    // One that was excluded.
    let answer = ada.end_adding(&begun, &own.clone().create(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "known"), "{}", answer.1);
    // An answer of one kind to a question of the other.
    let begun = ada.begin(&export());
    let answer = ada.end(&begun, &own.create(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "malformed"), "{}", answer.1);
    let begun = ada.begin(&export());
    let answer = ada.end_adding(&begun, &own.create(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "type"), "{}", answer.1);
    for credential in [json!(null), json!({}), json!("x"), json!({"id": "x"})] {
        let begun = ada.begin(&export());
        let answer = ada.end(&begun, &credential);
        assert_eq!(reason(&answer), (403, "malformed"), "{credential}");
    }
    // What was refused gave nothing.
    assert_eq!(bench.audited("step-up.grant"), 3);
    assert_eq!(bench.audited("passkey.add"), 3);
    assert_eq!(bench.audited("passkey.suspect"), 0);
    bench.control.stop().unwrap();
}

/// The user, as a ceremony tells authenticators.
fn handle(begun: &Value) -> Vec<u8> {
    let id = begun["publicKey"]["user"]["id"].as_str().unwrap();
    URL_SAFE_NO_PAD.decode(id).unwrap()
}

#[test]
fn a_ceremony_is_one_sessions_and_ends() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        ada.add(&mut own);
        // Another session of the same user, and somebody else.
        let bob = bench.person("bob");
        let elsewhere = ada.with(&json!({"sid": "s2"}), "ada");
        for other in [&elsewhere, &bob] {
            let begun = ada.begin(&export());
            let credential = own.get(&begun["publicKey"]);
            let answer = other.end(&begun, &credential);
            assert_eq!(reason(&answer), (403, "ceremony"), "{}", answer.1);
            // It is still there for whoever began it.
            assert_eq!(ada.end(&begun, &credential).0, 200);
        }
        let begun = ada.begin(&export());
        bench.sql("UPDATE ceremonies SET ends_at = 1");
        let answer = ada.end(&begun, &own.get(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, "ceremony-expired"), "{}", answer.1);
        // Two tabs.
        let begun = ada.begin(&export());
        let credential = own.get(&begun["publicKey"]);
        let ends = std::thread::scope(|scope| {
            let ends: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| ada.end(&begun, &credential).0))
                .collect();
            ends.into_iter()
                .map(|one| one.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(
            ends.iter().filter(|status| **status == 200).count(),
            1,
            "{ends:?}"
        );
        bench.control.stop().unwrap();
    }
}

#[test]
fn intents_are_checked() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    let ada = bench.person("ada");
    ada.add(&mut key(3));
    let long = "x".repeat(200);
    for (intent, expected) in [
        (json!({"graph": "none", "actions": ["a"]}), 404),
        (json!({"graph": "demo", "actions": []}), 422),
        (json!({"graph": "demo", "actions": vec!["a"; 17]}), 422),
        (json!({"graph": "demo", "actions": [""]}), 422),
        (json!({"graph": "demo", "actions": [long]}), 422),
        (json!({"graph": "demo", "actions": ["a\n"]}), 422),
        (
            json!({"graph": "demo", "actions": ["a"], "resource": "x"}),
            422,
        ),
        (json!({"graph": "demo", "actions": ["a"], "more": 1}), 422),
        (json!({"graph": "demo"}), 422),
    ] {
        let answer = ada.post("/webauthn/authentication/options", &intent, None);
        assert_eq!(answer.0, expected, "{intent}: {}", answer.1);
    }
    for name in ["", "  ", "a\u{7}", &"x".repeat(129)] {
        let (status, _) = ada.post(
            "/webauthn/registration/options",
            &json!({"name": name}),
            None,
        );
        assert_eq!(status, 422, "{name:?}");
    }
    bench.control.stop().unwrap();
}

/// What any user may send is small.
#[test]
fn large_bodies_of_users_are_refused() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    let ada = bench.person("ada");
    let long = json!({"ceremony": "x", "credential": vec![0; 64 << 10]});
    for path in [
        "/webauthn/registration/options",
        "/webauthn/registration/verify",
        "/webauthn/authentication/options",
        "/webauthn/authentication/verify",
        "/otp/registration/verify",
        "/otp/verify",
    ] {
        assert_eq!(ada.post(path, &long, None).0, 413, "{path}");
    }
    bench.control.stop().unwrap();
}
