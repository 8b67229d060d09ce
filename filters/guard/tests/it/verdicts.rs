//! What is counted is what is recorded.

use ig_contract::{DecisionRecord, DenyCode, Outcome};
use ig_guard::{Step, Verdict};

use crate::fixture::{BOTH, ME, Sent, by_id, guard};

/// Verdicts of a step, and those that its records say.
fn both(step: &Step) -> (Vec<Verdict>, Vec<Verdict>) {
    let (verdicts, records) = match step {
        Step::Forward(forward) => (&forward.verdicts, &forward.records),
        Step::Reply(reply) => (&reply.verdicts, &reply.records),
        step => panic!("undecided: {step:?}"),
    };
    let records = format!("[{records}]");
    let records: Vec<DecisionRecord<'_>> = serde_json::from_str(&records).unwrap();
    let recorded = records.iter().map(|record| Verdict {
        outcome: record.outcome,
        code: record.code,
    });
    (verdicts.clone(), recorded.collect())
}

#[test]
fn each_record_is_one_verdict() {
    let guard = guard(BOTH, |head| head.limits.max_batch = 3);
    let good = by_id(ME, "");
    let batch = format!(r#"[{good},{{"id":"nowhere"}}]"#);
    let table = [
        (good.clone(), Outcome::Allow, None),
        (
            "{}".into(),
            Outcome::Deny,
            Some(DenyCode::PersistedQueryIdRequired),
        ),
        (format!("[{good},{good}]"), Outcome::Allow, None),
        (batch, Outcome::Deny, None),
    ];
    for (body, outcome, code) in table {
        let step = Sent::post(body.clone()).to(&guard);
        let (verdicts, recorded) = both(&step);
        assert_eq!(verdicts, recorded, "{body}");
        let whole = Verdict::of_request(&verdicts).unwrap();
        assert_eq!(whole.outcome, outcome, "{body}");
        assert!(code.is_none() || whole.code == code, "{body}: {whole:?}");
    }
}

#[test]
fn what_was_not_allowed_says_most_of_a_request() {
    let allow = Verdict {
        outcome: Outcome::Allow,
        code: None,
    };
    let shadow = Verdict {
        outcome: Outcome::ShadowDeny,
        code: Some(DenyCode::PolicyDenied),
    };
    assert_eq!(Verdict::of_request(&[]), None);
    assert_eq!(Verdict::of_request(&[allow, allow]), Some(allow));
    assert_eq!(Verdict::of_request(&[allow, shadow]), Some(shadow));
}
