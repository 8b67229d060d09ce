//! Each reason for which a token does not count, and that nothing else does.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use ig_contract::snapshot::{Action, VerificationKey};
use ig_contract::step_up::{Acr, Claims, MAX_TOKEN_BYTES};
use ig_contract::{Deny, snapshot};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{Proof, Question, StepUp};

const NOW: u64 = 1_800_000_000;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn settings() -> snapshot::StepUp {
    snapshot::StepUp {
        issuer: "https://ig.example".into(),
        keys: vec![VerificationKey {
            kid: "k1".into(),
            x: URL_SAFE_NO_PAD.encode(key().verifying_key().as_bytes()),
        }],
        single_use: snapshot::StepUp::default_single_use(),
        max_age_seconds: 120,
        acr: Acr::PhishingResistant,
    }
}

fn guard() -> StepUp {
    StepUp::new(&settings(), "demo").unwrap()
}

fn claims() -> Value {
    json!({
        "iss": "https://ig.example", "aud": "demo", "sub": "ada",
        "sub_iss": "https://login.example", "tid": "alpha",
        "actions": ["case:close", "case:open"], "acr": "phr", "amr": ["pop", "user"],
        "auth_time": NOW - 1, "iat": NOW - 1, "nbf": NOW - 1, "exp": NOW + 119, "jti": "j1",
    })
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "step-up+jwt", "kid": "k1"})
}

fn signed(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(header), part(claims));
    let signature = key().sign(signed.as_bytes()).to_bytes();
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn token(claims: &Value) -> String {
    signed(&header(), claims)
}

fn actions(names: &[&str]) -> Vec<Action> {
    let action = |name: &&str| Action {
        name: (*name).into(),
        purposes: Vec::new(),
    };
    names.iter().map(action).collect()
}

fn ask(guard: &StepUp, token: Option<&str>, names: &[&str]) -> Result<Proof, Deny> {
    at(guard, token, names, NOW)
}

fn at(guard: &StepUp, token: Option<&str>, names: &[&str], now: u64) -> Result<Proof, Deny> {
    asked(guard, token, names, now, false)
}

fn asked(
    guard: &StepUp,
    token: Option<&str>,
    names: &[&str],
    now: u64,
    is_asked: bool,
) -> Result<Proof, Deny> {
    guard.check(Question {
        is_asked,
        token,
        issuer: "https://login.example",
        subject: "ada",
        tenant: "alpha",
        from: NOW - 10,
        actions: &actions(names),
        is_cross_tenant: false,
        resource: &|| "r".to_owned(),
        now: Some(now),
    })
}

fn rule(result: Result<Proof, Deny>) -> String {
    result.map_or_else(|deny| deny.rule.into_owned(), |_| "passes".into())
}

#[test]
fn a_token_counts_for_its_actions() {
    let guard = guard();
    let token = token(&claims());
    // The second time without a look at the signature.
    for _ in 0..2 {
        for names in [&["case:close"][..], &["case:open", "case:close"]] {
            let proof = ask(&guard, Some(&token), names).unwrap();
            assert!(!proof.is_single_use);
            assert_eq!(proof.claims.jti, "j1");
        }
    }
    for names in [&["case:delete"][..], &["case:close", "x"], &["case:*"], &[]] {
        assert_eq!(rule(ask(&guard, Some(&token), names)), "step-up-action");
    }
    assert_eq!(rule(ask(&guard, None, &["case:close"])), "step-up-required");
}

#[test]
fn exports_count_once() {
    let guard = guard();
    for action in ["export:assets", "crossTenant:search"] {
        let token = token(&with("actions", json!([action])));
        assert!(ask(&guard, Some(&token), &[action]).unwrap().is_single_use);
    }
}

/// One-time passwords count where the control plane is asked, once, for the exact
/// request and a shorter time.
#[test]
fn a_one_time_password_is_asked_about() {
    let guard = guard();
    let otp = |more: &[(&str, Value)]| {
        let mut claims = with("acr", "otp");
        claims["amr"] = json!(["otp"]);
        claims["exp"] = json!(NOW + 59);
        claims["resource"] = json!("r");
        for (name, value) in more {
            claims[*name] = value.clone();
        }
        token(&claims)
    };
    let names = &["case:close"];
    let ask = |token: &str, is_asked| asked(&guard, Some(token), names, NOW, is_asked);
    let proof = ask(&otp(&[]), true).unwrap();
    assert!(proof.is_single_use, "whatever the action");
    assert_eq!(rule(ask(&otp(&[]), false)), "step-up-weak");
    for (name, value, expected) in [
        ("resource", json!(null), "step-up-resource"),
        ("resource", json!("other"), "step-up-resource"),
        ("exp", json!(NOW + 60), "step-up-invalid"),
        ("actions", json!(["case:open"]), "step-up-action"),
        ("sub", json!("eve"), "step-up-subject"),
        ("iat", json!(NOW - 11), "step-up-invalid"),
    ] {
        let token = otp(&[(name, value.clone())]);
        assert_eq!(rule(ask(&token, true)), expected, "{name}: {value}");
    }
    // However strong a proof is asked for otherwise: who declares an emergency
    // says what it is for.
    let mut strict = settings();
    strict.acr = Acr::Hardware;
    let strict = StepUp::new(&strict, "demo").unwrap();
    assert!(asked(&strict, Some(&otp(&[])), names, NOW, true).is_ok());
    let weaker = token(&claims());
    let denied = asked(&strict, Some(&weaker), names, NOW, true);
    assert_eq!(rule(denied), "step-up-weak");
}

#[test]
fn each_claim_has_its_reason() {
    let guard = guard();
    for (claims, expected) in [
        (with("iss", "https://other"), "step-up-invalid"),
        (with("aud", "other"), "step-up-invalid"),
        (with("sub", "eve"), "step-up-subject"),
        (with("sub_iss", "https://other"), "step-up-subject"),
        (with("tid", "bravo"), "step-up-subject"),
        (with("actions", json!([])), "step-up-action"),
        (
            with("actions", json!(vec!["case:close"; 17])),
            "step-up-invalid",
        ),
        (with("resource", "other"), "step-up-resource"),
        (with("resource", "r"), "passes"),
        // Such a token is never good for as long.
        (with("acr", "otp"), "step-up-invalid"),
        (with("acr", "phrh"), "passes"),
        (with("acr", "none"), "step-up-invalid"),
        (with("extra", 1), "step-up-invalid"),
        (with("exp", NOW + 120), "step-up-invalid"),
        (with("exp", NOW - 2), "step-up-invalid"),
        (with("exp", -1), "step-up-invalid"),
        (with("exp", 1.5), "step-up-invalid"),
        (with("nbf", NOW + 6), "step-up-early"),
        (with("nbf", NOW + 5), "passes"),
        (with("auth_time", NOW + 6), "step-up-early"),
        (with("auth_time", NOW - 125), "passes"),
        (with("auth_time", NOW - 126), "step-up-expired"),
        (with("iat", NOW - 11), "step-up-invalid"),
    ] {
        let found = rule(ask(&guard, Some(&token(&claims)), &["case:close"]));
        assert_eq!(found, expected, "{claims}");
    }
    // Made before the user logged out.
    let mut old = with("iat", NOW - 11);
    old["exp"] = json!(NOW + 60);
    assert_eq!(
        rule(ask(&guard, Some(&token(&old)), &["case:close"])),
        "step-up-ended"
    );
}

#[test]
fn time_goes_on_for_remembered_tokens_too() {
    let guard = guard();
    let token = token(&claims());
    for (now, expected) in [
        (NOW, "passes"),
        (NOW + 123, "passes"),
        (NOW + 124, "step-up-expired"),
        (NOW - 6, "passes"),
        (NOW - 7, "step-up-early"),
        (u64::MAX, "step-up-expired"),
    ] {
        let found = rule(at(&guard, Some(&token), &["case:close"], now));
        assert_eq!(found, expected, "{now}");
    }
    let unknown = guard.check(Question {
        is_asked: false,
        token: Some(&token),
        issuer: "https://login.example",
        subject: "ada",
        tenant: "alpha",
        from: 0,
        actions: &actions(&["case:close"]),
        is_cross_tenant: false,
        resource: &|| "r".to_owned(),
        now: None,
    });
    assert_eq!(rule(unknown), "step-up-undecided");
}

#[test]
fn no_other_token_is_one() {
    let guard = guard();
    let good = token(&claims());
    let parts: Vec<_> = good.split('.').collect();
    let [head, body, signature] = parts[..] else {
        panic!("three parts");
    };
    let headers = [
        json!({"alg": "none", "typ": "step-up+jwt", "kid": "k1"}),
        json!({"alg": "HS256", "typ": "step-up+jwt", "kid": "k1"}),
        json!({"alg": "EdDSA", "typ": "JWT", "kid": "k1"}),
        json!({"alg": "EdDSA", "typ": "at+jwt", "kid": "k1"}),
        json!({"alg": "EdDSA", "typ": "step-up+jwt", "kid": "k2"}),
        json!({"alg": "EdDSA", "kid": "k1"}),
        json!({"alg": "EdDSA", "typ": "step-up+jwt", "kid": "k1", "crit": ["x"]}),
        json!({"alg": "EdDSA", "typ": "step-up+jwt", "kid": "k1", "jwk": {}}),
    ];
    let mut tokens: Vec<_> = headers
        .iter()
        .map(|header| signed(header, &claims()))
        .collect();
    let other = SigningKey::from_bytes(&[8; 32]);
    let by_other = other.sign(format!("{head}.{body}").as_bytes()).to_bytes();
    let elsewhere = URL_SAFE_NO_PAD.encode(with("sub", "eve").to_string());
    tokens.extend([
        String::new(),
        "..".into(),
        format!("{head}.{body}"),
        format!("{head}.{body}."),
        format!("{head}..{signature}"),
        format!("{head}.{elsewhere}.{signature}"),
        format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode(by_other)),
        format!("{head}.{body}.{}", URL_SAFE_NO_PAD.encode([0; 64])),
        format!("{good}="),
        format!("{good}.x"),
        format!(" {good}"),
        "x".repeat(MAX_TOKEN_BYTES + 1),
    ]);
    for token in tokens {
        let found = rule(ask(&guard, Some(&token), &["case:close"]));
        assert_eq!(found, "step-up-invalid", "{token}");
    }
}

/// Of bytes that are no key, or one under which signatures mean nothing.
#[test]
fn keys_are_keys() {
    for x in [
        "",
        "AAAA",
        &URL_SAFE_NO_PAD.encode([0; 32]),
        &URL_SAFE_NO_PAD.encode([2; 33]),
        "!",
    ] {
        let mut settings = settings();
        settings.keys[0].x = x.to_owned();
        assert!(StepUp::new(&settings, "demo").is_err(), "{x}");
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let guard = guard();
    for number in 0..1100 {
        let claims = with("jti", format!("j{number}"));
        ask(&guard, Some(&token(&claims)), &["case:close"]).unwrap();
    }
    assert!(guard.verified_count() <= 1024);
}

/// An independent implementation makes tokens that this one takes, and takes
/// those that this one takes.
#[test]
fn another_implementation_agrees() {
    use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
    // RFC 8410: PKCS #8 of the seed.
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend([7; 32]);
    let header: jsonwebtoken::Header = serde_json::from_value(header()).unwrap();
    let claims: Claims = serde_json::from_value(claims()).unwrap();
    let made = jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&der)).unwrap();
    assert_eq!(rule(ask(&guard(), Some(&made), &["case:close"])), "passes");
    let decoding = DecodingKey::from_ed_components(&settings().keys[0].x).unwrap();
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.set_audience(&["demo"]);
    validation.validate_exp = false;
    let token = token(&serde_json::to_value(&claims).unwrap());
    jsonwebtoken::decode::<Claims>(&token, &decoding, &validation).unwrap();
}

proptest! {
    /// Whatever is changed in a token, it is no token any more.
    #[test]
    fn a_changed_token_is_none(at in 0_usize..400, to in proptest::char::any()) {
        let good = token(&claims());
        let at = at % good.len();
        let changed: String = good
            .chars()
            .enumerate()
            .map(|(index, character)| if index == at { to } else { character })
            .collect();
        prop_assume!(changed != good);
        // The last character of each part has bits that are not of any byte.
        let found = rule(ask(&guard(), Some(&changed), &["case:close"]));
        prop_assert_eq!(found, "step-up-invalid");
    }

    #[test]
    fn any_text_is_refused(text in ".*") {
        prop_assert_eq!(rule(ask(&guard(), Some(&text), &["case:close"])), "step-up-invalid");
    }
}
