//! How much one caller may have at once, and of denies in a while.

use serde_json::{Value, json};

use super::files::{Upload, body, first, part};
use super::{Stage, decision, of, one, own, relayed};
use crate::databases::Database;
use crate::step_up::Answer;

fn reason(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["reason"].as_str().unwrap_or_default())
}

/// A service that has bodies on their way for some users.
fn held(stage: &Stage, tenant: &str, actor: &str, number: usize) -> Upload {
    let decision = format!("decision-{number}");
    let headers = relayed(&stage.service, &decision).map(|(name, value)| match name {
        "x-ig-tenant" => (name, tenant),
        "x-ig-actor" => (name, actor),
        _ => (name, value),
    });
    Upload::begin(
        stage,
        &headers,
        body(&[first(json!({})), part("a", b"abc")]),
    )
}

#[test]
fn a_user_has_two_bodies_on_their_way_and_no_more() {
    let database = Database::sqlite();
    let stage = Stage::start(&database);
    let mut ada = stage.analyst("ada", 3);
    let proofs = [ada.proof(), ada.proof(), ada.proof()];
    let begin = |number: usize| {
        let key = format!("k-{number}");
        let headers = own(&ada.person.header, &proofs[number], &key);
        Upload::begin(
            &stage,
            &headers,
            body(&[first(json!({})), part("a", b"abc")]),
        )
    };
    let (one, two) = (begin(0), begin(1));
    assert!(one.is_awaited() && two.is_awaited());
    let refused = begin(2);
    assert!(!refused.is_awaited(), "nothing of the body is asked for");
    let (answer, head) = refused.answer();
    assert_eq!(reason(&answer), (429, "exports-at-once"));
    assert_eq!(answer.1["code"], "RATE_LIMITED");
    assert!(head.contains("\r\nretry-after: "), "{head}");
    assert_eq!(one.end().0, 201);
    // One has ended.
    let three = begin(2);
    assert!(three.is_awaited());
    assert_eq!((two.end().0, three.end().0), (201, 201));
    stage.bench.control.stop().unwrap();
}

#[test]
fn a_tenant_has_eight_bodies_on_their_way_and_leaves_others_theirs() {
    let database = Database::sqlite();
    let stage = Stage::start(&database);
    let mut ada = stage.analyst("ada", 3);
    let mut bob = stage.stranger("bob", 5);
    let mut all: Vec<_> = (0..8)
        .map(|number| held(&stage, "alpha", &format!("user-{number}"), number))
        .collect();
    assert!(all.iter().all(Upload::is_awaited));
    let refused = held(&stage, "alpha", "another", 8);
    assert!(!refused.is_awaited());
    assert_eq!(reason(&refused.answer().0), (429, "exports-at-once"));
    // Of a tenant that is not the service's nothing is counted.
    let stranger = held(&stage, "bravo", "another", 9);
    assert_eq!(reason(&stranger.answer().0), (403, "tenant-unknown"));
    let files = body(&[first(json!({})), part("a", b"abc")]);
    let proof = bob.proof();
    let of_bravo = Upload::begin(&stage, &own(&bob.person.header, &proof, "k"), files);
    assert_eq!(of_bravo.end().0, 201);
    // Nor do files keep lists of hashes out.
    let proof = ada.proof();
    assert_eq!(
        stage.post(&own(&ada.person.header, &proof, "k"), &one()).0,
        201
    );
    // Who goes away gives back what they had.
    drop(all.pop());
    crate::ledger::wait("there is room again", || {
        held(&stage, "alpha", "another", 8)
            .is_awaited()
            .then_some(())
    });
    drop(all);
    stage.bench.control.stop().unwrap();
}

/// Each deny leaves a record; who is denied again and again leaves no more.
#[test]
fn denies_are_bounded() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let mut eve = stage.analyst("eve", 4);
        let proofs = [ada.proof(), ada.proof(), eve.proof()];
        let header = ada.person.header.as_str();
        let (status, made) = stage.post(&own(header, &proofs[0], "made"), &one());
        assert_eq!(status, 201, "{made}");
        let mut nothing = of(1);
        nothing["facts"] = json!({});
        let deny = || stage.post(&own(header, &proofs[1], "k"), &nothing);
        let mut denied = 0;
        let limited = loop {
            let answer = deny();
            match answer.0 {
                403 => denied += 1,
                _ => break answer,
            }
            assert!(denied < 1000, "denied for ever");
        };
        assert_eq!(reason(&limited), (429, "exports-denied"));
        assert_eq!(limited.1["code"], "RATE_LIMITED");
        assert_eq!(limited.1["decisionId"], Value::Null);
        assert!(denied >= 30, "{denied}");
        // What was made before is still answered; others are not concerned.
        let usual = own(header, &proofs[0], "made");
        assert_eq!(stage.post(&usual, &one()), (201, made));
        let other = stage.post(&own(&eve.person.header, &proofs[2], "k"), &one());
        assert_eq!(other.0, 201, "{other:?}");
        // Records are written in their order.
        decision(&stage, other.1["decisionId"].as_str().unwrap());
        let records = "SELECT COUNT(*) FROM decisions WHERE actor = 'ada' AND outcome = 'deny'";
        assert_eq!(stage.bench.count(records), denied);
        stage.bench.control.stop().unwrap();
    }
}

/// The same of a service, whoever it says it asks for.
#[test]
fn a_service_gets_no_more_denies_by_naming_others() {
    let database = Database::sqlite();
    let stage = Stage::start(&database);
    let mut denied = 0;
    let limited = loop {
        let actor = format!("user-{denied}");
        let answer = stage.relay("decision-0", &[("x-ig-actor", &actor)]);
        match answer.0 {
            401 => denied += 1,
            _ => break answer,
        }
        assert!(denied < 10_000, "denied for ever");
    };
    assert_eq!(reason(&limited), (429, "exports-denied"));
    assert!(denied >= 300, "{denied}");
    stage.bench.control.stop().unwrap();
}
