//! Every decision is a record with everything that is known of it.

use ig_contract::{DecisionRecord, Mode, Outcome, TextHash};
use ig_guard::Step;

use crate::fixture::{BOTH, CREATE, DECISION_ID, ME, Sent, by_id, guard};

fn records(step: &Step) -> Vec<DecisionRecord<'_>> {
    let text = match step {
        Step::Forward(forward) => &forward.records,
        Step::Reply(reply) => &reply.records,
        step => panic!("undecided: {step:?}"),
    };
    serde_json::Deserializer::from_str(&text.replace("},{", "}{"))
        .into_iter::<serde_json::Value>()
        .map(|one| serde_json::from_value(one.unwrap()).unwrap())
        .collect()
}

#[test]
fn an_allowed_operation() {
    let guard = guard(BOTH, |_| ());
    let step = Sent::post(by_id(ME, ""))
        .with("x-ig-authority", "warrant 7")
        .to(&guard);
    let record = &records(&step)[0];
    assert_eq!(record.decision_id, DECISION_ID);
    assert_eq!(record.tenant_id.as_deref(), Some("alpha"));
    assert_eq!(record.actor.as_deref(), Some("a@alpha.io"));
    assert_eq!(record.purpose.as_deref(), Some("investigation"));
    assert_eq!(record.authority.as_deref(), Some("warrant 7"));
    assert_eq!(record.operation.as_deref(), Some("Me"));
    let hash = TextHash::of(ME.as_bytes()).to_string();
    assert_eq!(record.document.as_deref(), Some(hash.as_str()));
    assert_eq!(record.outcome, Outcome::Allow);
    assert_eq!((record.code, &*record.rule), (None, "allow"));
    assert_eq!(record.obligations, ["log"]);
    assert_eq!(record.mode, Mode::Enforce);
    assert_eq!(record.region.as_deref(), Some("eu"));
    assert_eq!(record.revision, Some(guard.snapshot().revision()));
}

/// (request, rule, whether the operation, the actor are known)
#[test]
fn denies_say_what_was_known() {
    let forever = by_id(CREATE, r#","variables":{"retention":"forever"}"#);
    let table = [
        (Sent::post(forever), "retention-too-long", true, true),
        (Sent::post("{}"), "id-required", false, true),
        (Sent::post(r#"{"id":"x"}"#), "not-in-list", false, true),
        (
            Sent::post(by_id(ME, "")).without("x-ig-purpose"),
            "purpose-required",
            true,
            true,
        ),
        (Sent::post(by_id(ME, "")).of_nobody(), "token", false, false),
        (Sent::post("x".repeat(3_000)), "body-limit", false, true),
    ];
    for mode in [Mode::Enforce, Mode::Shadow] {
        let guard = guard(BOTH, |head| {
            head.modes.persisted_query = mode;
            head.modes.policy = mode;
        });
        for (sent, rule, operation, actor) in &table {
            let step = sent.to(&guard);
            let records = records(&step);
            assert_eq!(records.len(), 1, "{rule}");
            let record = &records[0];
            // In shadow a stranger's request still has a shape to judge.
            let knows = mode == Mode::Enforce || *rule != "token";
            assert_eq!(record.rule, *rule);
            assert_eq!(record.operation.is_some(), *operation || !knows, "{rule}");
            assert_eq!(record.actor.is_some(), *actor, "{rule}");
            let expected = match mode {
                Mode::Enforce => Outcome::Deny,
                Mode::Shadow => Outcome::ShadowDeny,
            };
            assert_eq!(record.outcome, expected, "{rule}");
            assert_eq!(record.mode, mode);
        }
    }
}

/// Names, purposes and authorities of clients stay inside their strings.
#[test]
fn what_a_client_chose_cannot_forge_a_record() {
    let guard = guard(BOTH, |_| ());
    let step = Sent::post(by_id(ME, ""))
        .with("x-ig-authority", r#"x","outcome":"allow"},{"rule":"x"#)
        .without("x-ig-purpose")
        .to(&guard);
    let Step::Reply(reply) = &step else {
        panic!("{step:?}");
    };
    let record: DecisionRecord<'_> = serde_json::from_str(&reply.records).unwrap();
    assert_eq!(record.outcome, Outcome::Deny);
}
