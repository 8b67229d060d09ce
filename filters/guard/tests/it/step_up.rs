//! Operations that need a proof of presence.

use std::rc::Rc;

use ig_contract::snapshot::{Head, StepUp, VerificationKey};
use ig_contract::step_up::{Acr, Spent, UsedFor};
use ig_contract::{Mode, headers};
use ig_guard::{Exchange, Guard, Reply, Step};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::directory::{facts, poll, with_directory};
use crate::fixture::{BOTH, EVERYWHERE, EXPORT, ME, NOW, Sent, by_id, guard, rule};

/// RFC 8037, A.1.
const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";

fn with_step_up(head: &mut Head) {
    head.step_up = Some(StepUp {
        issuer: "https://ig.example".into(),
        keys: vec![VerificationKey {
            kid: "k1".into(),
            x: X.into(),
        }],
        single_use: StepUp::default_single_use(),
        max_age_seconds: 60,
        acr: Acr::PhishingResistant,
    });
}

fn proving() -> Rc<Guard> {
    guard(BOTH, with_step_up)
}

/// A token of `a@alpha.io` for exports, but for what is said otherwise.
fn token(more: Value) -> String {
    let mut claims = json!({
        "iss": "https://ig.example", "aud": "test", "sub": "a@alpha.io",
        "sub_iss": "https://issuer.test", "tid": "alpha", "actions": ["export:cases"],
        "acr": "phr", "amr": ["pop", "user"], "auth_time": NOW, "iat": NOW, "nbf": NOW,
        "exp": NOW + 120, "jti": "j1",
    });
    claims
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let seed: Vec<u8> = (0..32)
        .map(|at| u8::from_str_radix(&SEED[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    // RFC 8410: PKCS #8 of a seed.
    let mut der = vec![
        0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20,
    ];
    der.extend(seed);
    let header = json!({"alg": "EdDSA", "typ": "step-up+jwt", "kid": "k1"});
    let header: Header = serde_json::from_value(header).unwrap();
    jsonwebtoken::encode(&header, &claims, &EncodingKey::from_ed_der(&der)).unwrap()
}

fn export(token: Option<&str>) -> Sent {
    let sent = Sent::post(by_id(EXPORT, ""));
    match token {
        Some(token) => sent.with(headers::STEP_UP, token),
        None => sent,
    }
}

fn spending(guard: &Rc<Guard>, sent: &Sent) -> Exchange {
    let (exchange, step) = sent.begin(Some(guard));
    let Step::SpendToken(request) = step else {
        panic!("not asked: {step:?}");
    };
    assert_eq!(
        (&*request.graph, &*request.tenant, &*request.token),
        ("test", "alpha", "j1")
    );
    // Whoever acts behind the guard can be asked to show this very decision.
    let used_for = request.used_for.unwrap();
    assert_eq!(used_for.decision_id, exchange.decision_id());
    assert_eq!(
        (&*used_for.issuer, &*used_for.subject),
        ("https://issuer.test", "a@alpha.io")
    );
    exchange
}

#[test]
fn a_token_is_used_for_one_decision() {
    let token = token(json!({}));
    let sent = export(Some(&token)).with(headers::AUTHORITY, "warrant 7");
    let (exchange, step) = sent.begin(Some(&proving()));
    let Step::SpendToken(request) = step else {
        panic!("not asked: {step:?}");
    };
    let expected = UsedFor {
        decision_id: exchange.decision_id().to_owned(),
        issuer: "https://issuer.test".into(),
        subject: "a@alpha.io".into(),
        purpose: Some("investigation".into()),
        authority: Some("warrant 7".into()),
        actions: ["export:cases".to_owned()].into(),
    };
    assert_eq!(request.used_for, Some(expected));
}

fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    let mut found = reply.headers.iter().filter(|(known, _)| *known == name);
    let value = found.next().map(|(_, value)| value.as_str());
    assert!(found.next().is_none(), "{name} is there twice");
    value
}

#[test]
fn who_has_no_proof_is_told_what_to_prove() {
    for guard in [proving(), guard(BOTH, |_| {})] {
        let reply = export(None).denied(&guard);
        assert_eq!((reply.status, &*rule(&reply)), (401, "step-up-required"));
        let body: Value = serde_json::from_slice(&reply.body).unwrap();
        let extensions = &body["errors"][0]["extensions"];
        assert_eq!(extensions["code"], "STEP_UP_REQUIRED");
        let challenge = &extensions["stepUp"];
        assert_eq!(challenge["actions"], json!(["export:cases"]));
        assert_eq!(challenge["acrValues"], json!(["phr"]));
        let resource = challenge["resource"].as_str().unwrap();
        assert_eq!(resource.len(), 64);
        let challenge = header(&reply, "www-authenticate").unwrap();
        for part in [
            "Bearer error=\"insufficient_user_authentication\", error_description=\"",
            "acr_values=\"phr\"",
            "max_age=\"",
            "actions=\"export:cases\"",
            resource,
        ] {
            assert!(challenge.contains(part), "{challenge}");
        }
    }
    // What needs none is not asked for one.
    assert_eq!(Sent::post(by_id(ME, "")).verdict(&proving()).0, 200);
}

#[test]
fn a_token_is_used_before_the_request_goes_on() {
    let guard = proving();
    let token = token(json!({}));
    let sent = export(Some(&token));
    let step = spending(&guard, &sent).on_spent(Some(Spent::First));
    let Step::Forward(forward) = step else {
        panic!("{step:?}");
    };
    assert!(forward.remove.iter().any(|name| name == headers::STEP_UP));
    let record: Value = serde_json::from_str(&forward.records).unwrap();
    assert_eq!(
        (&record["outcome"], &record["stepUp"]),
        (&json!("allow"), &json!("j1"))
    );
    assert!(!forward.records.contains(&token));
    for (spent, expected) in [
        (Some(Spent::Again), (401, "step-up-used")),
        (Some(Spent::Over), (401, "step-up-ended")),
        (None, (503, "step-up-unavailable")),
    ] {
        let guard = proving();
        let step = spending(&guard, &sent).on_spent(spent);
        let Step::Reply(reply) = step else {
            panic!("{step:?}");
        };
        assert_eq!((reply.status, &*rule(&reply)), expected);
        assert_eq!(
            header(&reply, "www-authenticate").is_some(),
            expected.0 == 401
        );
        // Which token it was is in the record also of a deny.
        assert!(
            reply.records.contains(r#""stepUp":"j1""#),
            "{}",
            reply.records
        );
        // Whoever sends it again does not reach the control plane, but for one that
        // was not used.
        if spent == Some(Spent::Over) {
            spending(&guard, &sent);
            continue;
        }
        let reply = sent.denied(&guard);
        assert_eq!(&*rule(&reply), "step-up-used");
        assert!(
            reply.records.contains(r#""stepUp":"j1""#),
            "{}",
            reply.records
        );
    }
}

#[test]
fn what_reaches_other_tenants_uses_its_token_whatever_it_is_called() {
    let guard = proving();
    let token = token(json!({"actions": ["query:me"]}));
    let sent = Sent::post(by_id(EVERYWHERE, "")).with(headers::STEP_UP, &token);
    spending(&guard, &sent);
}

#[test]
fn a_token_that_does_not_count_is_not_used() {
    let guard = proving();
    for (more, expected) in [
        (json!({"sub": "b@bravo.io"}), "step-up-subject"),
        (json!({"actions": ["export:people"]}), "step-up-action"),
        (json!({"aud": "other"}), "step-up-invalid"),
        (json!({"auth_time": NOW - 66}), "step-up-expired"),
        (json!({"resource": "0".repeat(64)}), "step-up-resource"),
    ] {
        let sent = export(Some(&token(more)));
        assert_eq!(sent.verdict(&guard), (401, expected.to_owned()));
    }
    // One that was bound to exactly this.
    let reply = export(None).denied(&guard);
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let resource = &body["errors"][0]["extensions"]["stepUp"]["resource"];
    spending(&guard, &export(Some(&token(json!({"resource": resource})))));
    // What policy denies uses no token, nor does a header that is there twice.
    let denied = export(Some(&token(json!({})))).set(headers::PURPOSE, "other");
    assert_eq!(denied.verdict(&guard).0, 403);
    let twice = export(Some(&token(json!({})))).with(headers::STEP_UP, "x");
    assert_eq!(twice.verdict(&guard).0, 400);
}

#[test]
fn what_counts_more_than_once_is_not_asked_about() {
    let guard = guard(BOTH, |head| {
        with_step_up(head);
        if let Some(step_up) = &mut head.step_up {
            step_up.single_use.clear();
        }
    });
    let sent = export(Some(&token(json!({}))));
    for _ in 0..3 {
        assert_eq!(sent.verdict(&guard), (200, String::new()));
    }
}

#[test]
fn it_goes_alone() {
    let guard = proving();
    let token = token(json!({"actions": ["export:cases"]}));
    let [me, export] = [ME, EXPORT].map(|text| by_id(text, ""));
    for body in [format!("[{export}]"), format!("[{export},{export}]")] {
        let sent = Sent::post(body).with(headers::STEP_UP, &token);
        assert_eq!(sent.verdict(&guard), (400, "step-up-batch".into()));
    }
    let sent = Sent::post(format!("[{me},{export}]")).with(headers::STEP_UP, &token);
    assert_eq!(sent.denied(&guard).status, 400);
}

#[test]
fn in_shadow_nothing_is_asked_and_nothing_used() {
    let guard = guard(BOTH, |head| {
        with_step_up(head);
        head.modes.step_up = Mode::Shadow;
    });
    for (token, outcome) in [(None, "shadow-deny"), (Some(token(json!({}))), "allow")] {
        let forward = export(token.as_deref()).forwarded(&guard);
        let record: Value = serde_json::from_str(&forward.records).unwrap();
        assert_eq!(record["outcome"], outcome);
        assert!(forward.remove.iter().any(|name| name == headers::STEP_UP) == token.is_some());
    }
    let mine = Sent::post(by_id(EVERYWHERE, "")).forwarded(&guard);
    let record: Value = serde_json::from_str(&mine.records).unwrap();
    assert_eq!(record["code"], "STEP_UP_REQUIRED");
}

/// Where policy only watches, what it would deny, and whoever it does not know,
/// still needs a proof.
#[test]
fn a_watching_policy_lets_nobody_past_without_a_proof() {
    let guard = guard(BOTH, |head| {
        with_step_up(head);
        head.modes.policy = Mode::Shadow;
    });
    let denied = |token: Option<&str>| export(token).set(headers::PURPOSE, "other");
    assert_eq!(
        denied(None).verdict(&guard),
        (401, "step-up-required".into())
    );
    let token = token(json!({}));
    let step = spending(&guard, &denied(Some(&token))).on_spent(Some(Spent::First));
    let Step::Forward(forward) = step else {
        panic!("{step:?}");
    };
    let record: Value = serde_json::from_str(&forward.records).unwrap();
    assert_eq!(record["outcome"], "shadow-deny");
    let nobody = export(Some(&token)).of_nobody();
    assert_eq!(nobody.denied(&guard).status, 401);
    assert_eq!(Sent::post(by_id(ME, "")).of_nobody().verdict(&guard).0, 200);
}

/// One-time passwords count where the control plane says so each time, and never
/// where nobody can be asked.
#[test]
fn a_one_time_password_is_the_control_planes_to_judge() {
    let with = |shadow: bool, is_directory: bool| {
        guard(BOTH, move |head| {
            with_step_up(head);
            if let Some(step_up) = &mut head.step_up {
                // Not even what counts many times otherwise.
                step_up.single_use.clear();
            }
            if shadow {
                head.modes.step_up = Mode::Shadow;
            }
            if is_directory {
                with_directory(head);
            }
        })
    };
    let reply = export(None).denied(&with(false, false));
    let body: Value = serde_json::from_slice(&reply.body).unwrap();
    let resource = body["errors"][0]["extensions"]["stepUp"]["resource"].clone();
    let otp = |more: Value| {
        let mut claims = json!({
            "acr": "otp", "amr": ["otp"], "exp": NOW + 60, "resource": resource,
        });
        let object = claims.as_object_mut().unwrap();
        object.extend(more.as_object().unwrap().clone());
        export(Some(&token(claims)))
    };
    let decide = |guard: &Rc<Guard>, sent: &Sent| {
        poll(guard, 1, None);
        let (mut exchange, step) = sent.begin(Some(guard));
        let step = match step {
            Step::FetchFacts(_) => match exchange.on_facts(Some(facts(1, &["analysts"]))) {
                Step::AwaitBody => exchange.on_body(sent.body.clone()),
                step => step,
            },
            step => step,
        };
        (exchange, step)
    };
    let denied = |step: Step| match step {
        Step::Reply(reply) => (reply.status, rule(&reply)),
        step => panic!("not denied: {step:?}"),
    };
    for (spent, expected) in [
        (Some(Spent::First), None),
        (Some(Spent::Again), Some((401, "step-up-used"))),
        (Some(Spent::Over), Some((401, "step-up-ended"))),
        (None, Some((503, "step-up-unavailable"))),
    ] {
        let guard = with(false, true);
        let (mut exchange, step) = decide(&guard, &otp(json!({})));
        assert!(matches!(step, Step::SpendToken(_)), "{step:?}");
        let step = exchange.on_spent(spent);
        match expected {
            None => assert!(matches!(step, Step::Forward(_)), "{step:?}"),
            Some((status, name)) => assert_eq!(denied(step), (status, name.to_owned())),
        }
    }
    for (more, expected) in [
        (json!({"resource": null}), "step-up-resource"),
        (json!({"resource": "0".repeat(64)}), "step-up-resource"),
        (json!({"exp": NOW + 61}), "step-up-invalid"),
    ] {
        let (_, step) = decide(&with(false, true), &otp(more));
        assert_eq!(denied(step), (401, expected.to_owned()));
    }
    // Nobody to ask.
    let reply = otp(json!({})).denied(&with(false, false));
    assert_eq!(rule(&reply), "step-up-weak");
    // In shadow nothing is used: it is said that it would be denied.
    let (_, step) = decide(&with(true, true), &otp(json!({})));
    let Step::Forward(forward) = step else {
        panic!("{step:?}");
    };
    assert!(
        forward.records.contains("step-up-weak"),
        "{}",
        forward.records
    );
}
