//! Who is refused, with which code and which rule.

use ig_contract::step_up::Spent;
use serde_json::{Value, json};

use super::{Stage, decision, of, one, own};
use crate::databases::Database;
use crate::step_up::Answer;

/// Status, code, rule; what is not there is empty.
type Verdict<'a> = (u16, &'a str, &'a str);

fn verdict(answer: &Answer) -> Verdict<'_> {
    let text = |name: &str| answer.1[name].as_str().unwrap_or_default();
    (answer.0, text("code"), text("reason"))
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

#[test]
fn users_are_refused_as_at_the_gateway() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let mut eve = stage.analyst("eve", 4);
        let of_eve = eve.proof();
        let bob = stage.bench.person("bob");
        let graph = json!({"graph": "demo", "actions": ["export:people"]});
        let (of_others, _) = ada.person.token(&mut ada.key, &graph);
        let proof = ada.proof();
        let admin = format!("Bearer {}", stage.bench.control.token.as_ref().unwrap());
        let incompatible = json!({"licenseClass": ["proprietary"], "destination.tos": ["public"]});
        let nothing = with(one(), "facts", json!({}));
        let unknown = with(one(), "action", json!("export:people"));
        let token = ada.person.header.as_str();
        // Who, purpose, proof, what; and what comes of it.
        let rows: [(&str, &str, &str, &Value, Verdict<'_>); 12] = [
            ("", "export", &proof, &one(), (401, "UNAUTHENTICATED", "")),
            (
                "Bearer x.y.z",
                "export",
                &proof,
                &one(),
                (401, "UNAUTHENTICATED", ""),
            ),
            (&admin, "export", &proof, &one(), (403, "", "")),
            (
                &bob.header,
                "export",
                &proof,
                &one(),
                (403, "PURPOSE_DENIED", "purpose-not-granted"),
            ),
            (
                token,
                "",
                &proof,
                &one(),
                (403, "PURPOSE_REQUIRED", "purpose-required"),
            ),
            (
                token,
                "none",
                &proof,
                &one(),
                (403, "PURPOSE_DENIED", "purpose-not-granted"),
            ),
            (
                token,
                "audit",
                &proof,
                &one(),
                (403, "PURPOSE_DENIED", "purpose-not-allowed"),
            ),
            (
                token,
                "export",
                &proof,
                &with(one(), "facts", incompatible),
                (403, "POLICY_DENIED", "license-incompatible"),
            ),
            (
                token,
                "export",
                &proof,
                &nothing,
                (403, "POLICY_DENIED", "license-incompatible"),
            ),
            (
                token,
                "export",
                "",
                &one(),
                (401, "STEP_UP_REQUIRED", "step-up-required"),
            ),
            (
                token,
                "export",
                &of_eve,
                &one(),
                (401, "STEP_UP_REQUIRED", "step-up-subject"),
            ),
            (
                token,
                "export",
                &of_others,
                &one(),
                (401, "STEP_UP_REQUIRED", "step-up-action"),
            ),
        ];
        for (at, (who, purpose, proof, body, expected)) in rows.into_iter().enumerate() {
            let headers = own(who, proof, "k");
            let headers = headers.map(|(name, value)| match name {
                "x-ig-purpose" => (name, purpose),
                _ => (name, value),
            });
            let said: Vec<_> = headers
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect();
            let answer = stage.post(&said, body);
            assert_eq!(verdict(&answer), expected, "row {at}: {answer:?}");
            let id = answer.1["decisionId"].as_str();
            assert_eq!(id.is_some(), !expected.2.is_empty(), "row {at}");
            if let Some(id) = id {
                let record = decision(&stage, id);
                assert_eq!(
                    (&record["outcome"], &record["rule"]),
                    (&json!("deny"), &json!(expected.2))
                );
            }
        }
        let headers = own(token, &proof, "k");
        let answer = stage.post(&headers, &with(unknown, "facts", json!({})));
        assert_eq!(verdict(&answer), (403, "POLICY_DENIED", "action-unknown"));
        // Nothing of it was done, and no proof used.
        assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), 0);
        assert_eq!(stage.post(&headers, &one()).0, 201);
        let used = stage.post(&own(token, &proof, "k-2"), &one());
        assert_eq!(verdict(&used), (401, "STEP_UP_REQUIRED", "step-up-used"));
        let ended = ada.proof();
        assert_eq!(ada.person.logout(), 204);
        let ended = stage.post(&own(&ada.person.header, &ended, "k-3"), &one());
        assert_eq!(verdict(&ended), (401, "STEP_UP_REQUIRED", "step-up-ended"));
        let of_eve = eve.proof();
        assert_eq!(eve.person.set_active(false), 200);
        let suspended = stage.post(&own(&eve.person.header, &of_eve, "k"), &one());
        assert_eq!(verdict(&suspended), (401, "UNAUTHENTICATED", ""));
        stage.bench.control.stop().unwrap();
    }
}

#[test]
fn a_service_alone_exports_nothing() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        // Not a word of a guard.
        let none = stage.relay("decision-0", &[]);
        assert_eq!(
            verdict(&none),
            (401, "STEP_UP_REQUIRED", "step-up-required")
        );
        // A proof that was used without saying what for.
        let number = ada.number();
        assert_eq!(stage.bench.spend(&number), Spent::First);
        assert_eq!(stage.relay("decision-0", &[]).0, 401);
        let number = ada.number();
        let used_for = stage.used_for("ada", "decision-1");
        assert_eq!(stage.bench.spend_for(&number, used_for), Spent::First);
        let eve = stage.analyst("eve", 4);
        type Said<'a> = &'a [(&'a str, &'a str)];
        let rows: [(Said<'_>, Verdict<'_>); 11] = [
            (
                &[("x-ig-actor", "eve")],
                (401, "STEP_UP_REQUIRED", "step-up-subject"),
            ),
            (&[("x-ig-actor", "")], (400, "", "")),
            (&[("x-ig-tenant", "")], (400, "", "")),
            (
                &[("x-ig-tenant", "bravo")],
                (403, "SUBJECT_INACTIVE", "tenant-unknown"),
            ),
            (
                &[("x-ig-tenant", "none")],
                (403, "SUBJECT_INACTIVE", "tenant-unknown"),
            ),
            (&[("x-ig-decision-id", "")], (400, "", "")),
            (
                &[("x-ig-purpose", "audit")],
                (403, "PURPOSE_DENIED", "purpose-not-decided"),
            ),
            (
                &[("x-ig-purpose", "")],
                (403, "PURPOSE_DENIED", "purpose-not-decided"),
            ),
            (
                &[("x-ig-authority", "a warrant")],
                (403, "PURPOSE_DENIED", "purpose-not-decided"),
            ),
            (&[("idempotency-key", "")], (400, "", "")),
            (
                &[("authorization", &eve.person.header)],
                (401, "STEP_UP_REQUIRED", "step-up-required"),
            ),
        ];
        for (said, expected) in rows {
            let answer = stage.relay("decision-1", said);
            assert_eq!(verdict(&answer), expected, "{said:?}: {answer:?}");
        }
        // The proof was for something else.
        let number = ada.number();
        let mut used_for = stage.used_for("ada", "decision-2");
        used_for.actions = ["export:people".to_owned()].into();
        assert_eq!(stage.bench.spend_for(&number, used_for), Spent::First);
        let other = stage.relay("decision-2", &[]);
        assert_eq!(verdict(&other), (401, "STEP_UP_REQUIRED", "step-up-action"));
        // It was made for something else, or somebody else, whatever is said of it.
        let search = json!({"graph": "demo", "actions": ["crossTenant:search"]});
        let (_, number) = ada.person.token(&mut ada.key, &search);
        let used_for = stage.used_for("ada", "decision-4");
        assert_eq!(stage.bench.spend_for(&number, used_for), Spent::First);
        let other = stage.relay("decision-4", &[]);
        assert_eq!(verdict(&other), (401, "STEP_UP_REQUIRED", "step-up-action"));
        let number = ada.number();
        let used_for = stage.used_for("eve", "decision-5");
        assert_eq!(stage.bench.spend_for(&number, used_for), Spent::First);
        let other = stage.relay("decision-5", &[("x-ig-actor", "eve")]);
        assert_eq!(
            verdict(&other),
            (401, "STEP_UP_REQUIRED", "step-up-required")
        );
        // It is too long ago.
        let number = ada.number();
        let used_for = stage.used_for("ada", "decision-3");
        assert_eq!(stage.bench.spend_for(&number, used_for), Spent::First);
        stage.bench.sql(
            "UPDATE step_up_tokens SET spent_at = spent_at - 200 WHERE decision = 'decision-3'",
        );
        let old = stage.relay("decision-3", &[]);
        assert_eq!(verdict(&old), (401, "STEP_UP_REQUIRED", "step-up-expired"));
        assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), 0);
        // Suspended since, and out of the group since: what counts is now.
        assert_eq!(ada.person.set_active(false), 200);
        let gone = stage.relay("decision-1", &[]);
        assert_eq!(verdict(&gone), (403, "SUBJECT_INACTIVE", "suspended"));
        assert_eq!(ada.person.set_active(true), 200);
        stage.bench.sql("DELETE FROM scim_members");
        let left = stage.relay("decision-1", &[]);
        assert_eq!(
            verdict(&left),
            (403, "PURPOSE_DENIED", "purpose-not-granted")
        );
        super::join(&stage.bench.scim, &ada.person.id);
        assert_eq!(stage.relay("decision-1", &[]).0, 201);
        // The service's own token ends.
        assert_eq!(
            stage.bench.control.call("DELETE", "/tokens/upstream", "").0,
            204
        );
        assert_eq!(stage.relay("decision-1", &[]).0, 401);
        stage.bench.control.stop().unwrap();
    }
}

#[test]
fn what_is_no_export_is_refused_before_anything_is_asked() {
    let database = Database::sqlite();
    let stage = Stage::start(&database);
    let mut ada = stage.analyst("ada", 3);
    let proof = ada.proof();
    let headers = own(&ada.person.header, &proof, "k");
    let item = |id: &str, sha256: &str| json!([{"id": id, "sha256": sha256}]);
    let long = "a".repeat(1025);
    let rows: [(Value, u16, &str); 15] = [
        (with(one(), "items", json!([])), 422, "1 to 10000"),
        (of(10_001), 422, "1 to 10000"),
        (
            with(one(), "items", item("a", "AB")),
            422,
            "items[0].sha256",
        ),
        (
            with(one(), "items", item("", super::DIGEST)),
            422,
            "items[0].id",
        ),
        (
            with(one(), "items", item(&long, super::DIGEST)),
            422,
            "items[0].id",
        ),
        (
            with(one(), "items", item("a\u{7}", super::DIGEST)),
            422,
            "items[0].id",
        ),
        (
            with(
                one(),
                "items",
                json!([{"id": "a", "sha256": super::DIGEST}, {"id": "a", "sha256": super::DIGEST}]),
            ),
            422,
            "items[1]",
        ),
        (with(one(), "action", json!("query:assets")), 422, "export:"),
        (with(one(), "action", json!("export:a b")), 422, "export:"),
        (with(one(), "graph", json!("none")), 422, "published"),
        (
            with(one(), "facts", json!({"nothing": ["x"]})),
            422,
            "@fact",
        ),
        (
            with(one(), "facts", json!({"licenseClass": [["x"]]})),
            422,
            "facts",
        ),
        (with(one(), "tenant", json!("bravo")), 422, "unknown field"),
        (with(one(), "createdBy", json!("eve")), 422, "unknown field"),
        (json!([]), 422, ""),
    ];
    for (body, status, word) in rows {
        let answer = stage.post(&headers, &body);
        let shown: String = body.to_string().chars().take(120).collect();
        assert_eq!(answer.0, status, "{shown}: {answer:?}");
        assert!(answer.1.to_string().contains(word), "{shown}: {answer:?}");
    }
    let wide = with(one(), "graph", json!("x".repeat(9 << 20)));
    assert_eq!(stage.post(&headers, &wide).0, 413);
    for key in ["", "a b", "\"\"", "ä", &"k".repeat(129)] {
        let headers = own(&ada.person.header, &proof, key);
        assert_eq!(stage.post(&headers, &one()).0, 400, "{key}");
    }
    let twice = [&headers[..], &[("x-ig-purpose", "audit")]].concat();
    assert_eq!(stage.post(&twice, &one()).0, 400);
    // As many as there may be.
    let (status, made) = stage.post(&headers, &of(10_000));
    assert_eq!(status, 201);
    super::verify(&stage, &made);
    stage.bench.control.stop().unwrap();
}
