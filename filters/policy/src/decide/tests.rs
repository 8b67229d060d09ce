//! Decisions, and that remembering them changes none.

use ig_contract::snapshot::{Fact, PathStep, VariablePath};
use proptest::prelude::*;

use super::*;
use crate::tests::{actor, claims, compile, head, operation, strings};
use crate::{Claim, Claims};

/// Says what it was asked: equal answers mean equal questions.
const ECHO: &str = r##"
decision := {"allow": true, "rule": rule, "obligations": obligations} if {
    rule := concat(":", [input.actor.sub, input.operation.name, input.purpose])
    obligations := array.concat([tag(input.authority)], [tag(value) | some value in input.facts.f])
}

tag(value) := concat("", ["s.", value]) if is_string(value)
tag(value) := concat("", ["n.", format_int(value, 10)]) if is_number(value)
tag(value) := "null" if is_null(value)
tag(value) := concat("", ["l.", format_int(count(value), 10)]) if is_array(value)
"##;

fn policy(rules: &str) -> Policy {
    Policy::load(&head(), &compile(rules)).unwrap()
}

/// An operation with one fact of two variables.
fn echoed(name: &str) -> Operation {
    let fact = |variable: &str, steps| Fact {
        name: "f".into(),
        source: FactSource::Variable(VariablePath {
            variable: variable.into(),
            default: (variable == "w").then(|| "\"d\"".into()),
            steps,
        }),
    };
    let mut operation = operation(name);
    operation.facts = vec![fact("v", Vec::new()), fact("w", vec![PathStep::Each])];
    operation
}

/// A question that owns its parts.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Asked {
    actor: usize,
    operation: usize,
    purpose: String,
    authority: Option<String>,
    variables: Vec<(String, String)>,
}

fn ask(policy: &Policy, asked: &Asked) -> Result<Grant, Deny> {
    let subject = |subject: &str| {
        let mut claims: Claims = claims();
        claims.insert("sub".into(), Claim::Text(subject.into()));
        Actor::from_claims(&claims, &head()).unwrap()
    };
    let actors = [subject("x"), subject("xy"), subject("y")];
    let operations = [echoed("A"), echoed("B")];
    let raw: Vec<_> = asked
        .variables
        .iter()
        .map(|(name, json)| (name.as_str(), RawValue::from_string(json.clone()).unwrap()))
        .collect();
    let variables: Vec<(Cow<'_, str>, &RawValue)> = raw
        .iter()
        .map(|(name, raw)| (Cow::Borrowed(*name), &**raw))
        .collect();
    policy.decide(Question {
        actor_number: asked.actor as u64,
        actor: &actors[asked.actor],
        purpose: Some(&asked.purpose),
        authority: asked.authority.as_deref(),
        operation_number: asked.operation as u64,
        operation: &operations[asked.operation],
        variables: &variables,
    })
}

fn asked() -> impl Strategy<Value = Asked> {
    // Few and short parts, so that different ones often join to the same bytes.
    let value = prop_oneof![
        Just("1".to_owned()),
        Just("\"1\"".to_owned()),
        Just("11".to_owned()),
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just("[1]".to_owned()),
        Just("[1,11]".to_owned()),
        Just("\"\"".to_owned()),
        "\"[ab]{1,2}\"",
    ];
    let variable = |name: &'static str| {
        prop::option::of(value.clone())
            .prop_map(move |json| json.map(|json| (name.to_owned(), json)))
    };
    let authority = prop::option::of("[ab1]{0,2}");
    let variables = (variable("v"), variable("w"), variable("x"), any::<bool>());
    (
        0_usize..3,
        0_usize..2,
        prop_oneof!["[ab]", Just("ab".to_owned())],
        authority,
        variables,
    )
        .prop_map(
            |(actor, operation, purpose, authority, (v, w, x, is_reversed))| {
                let mut variables: Vec<_> = [v, w, x].into_iter().flatten().collect();
                if is_reversed {
                    variables.reverse();
                }
                Asked {
                    actor,
                    operation,
                    purpose,
                    authority,
                    variables,
                }
            },
        )
}

proptest! {
    /// One policy that remembers everything against one that knows nothing yet.
    #[test]
    fn what_is_remembered_is_what_would_be_decided(
        questions in prop::collection::vec(asked(), 1..30),
    ) {
        let remembering = policy(ECHO);
        let program = compile(ECHO);
        for asked in &questions {
            let fresh = Policy::load(&head(), &program).unwrap();
            let expected = ask(&fresh, asked);
            prop_assert!(expected.is_ok(), "{:?}", expected);
            prop_assert_eq!(&ask(&remembering, asked), &expected, "{:?}", asked);
            prop_assert_eq!(&ask(&remembering, asked), &expected, "again: {:?}", asked);
        }
    }

    /// No two questions that may differ in their answer share a key.
    #[test]
    fn keys_differ_where_questions_do(left in asked(), right in asked()) {
        let remembering = policy(ECHO);
        let (left_answer, right_answer) = (ask(&remembering, &left), ask(&remembering, &right));
        let keys = remembering.memo.borrow().len();
        prop_assert!(left_answer == right_answer || keys == 2, "{:?} {:?}", left, right);
    }
}

fn question<'a>(actor: &'a Actor, operation: &'a Operation) -> Question<'a> {
    Question {
        actor_number: 0,
        actor,
        purpose: Some("a"),
        authority: None,
        operation_number: 0,
        operation,
        variables: &[],
    }
}

#[test]
fn denies_are_remembered_as_denies() {
    let policy = policy(r##"decision := {"allow": false, "rule": "no", "obligations": ["x"]}"##);
    let (actor, operation) = (actor(), operation("A"));
    for _ in 0..2 {
        let deny = policy.decide(question(&actor, &operation)).unwrap_err();
        assert_eq!((deny.code, &*deny.rule), (DenyCode::PolicyDenied, "no"));
    }
    assert_eq!(policy.memo.borrow().len(), 1);
}

#[test]
fn a_grant_has_its_obligations_each_time() {
    let policy = policy(r##"decision := {"allow": true, "rule": "yes", "obligations": ["x"]}"##);
    let (actor, operation) = (actor(), operation("A"));
    for _ in 0..2 {
        let grant = policy.decide(question(&actor, &operation)).unwrap();
        assert_eq!(
            (&*grant.rule, &*grant.obligations),
            ("yes", &*strings(&["x"]))
        );
    }
}

#[test]
fn purpose_is_checked_before_anything_is_remembered() {
    let policy = policy(r##"decision := {"allow": true, "rule": "yes", "obligations": []}"##);
    let (actor, operation) = (actor(), operation("A"));
    let table = [
        (None, DenyCode::PurposeRequired),
        (Some("root"), DenyCode::PurposeDenied),
    ];
    for (purpose, code) in table {
        let question = Question {
            purpose,
            ..question(&actor, &operation)
        };
        assert_eq!(policy.decide(question).unwrap_err().code, code);
    }
    assert!(policy.memo.borrow().is_empty());
}

#[test]
fn what_cannot_be_decided_is_denied_and_asked_again() {
    let endless = r##"decision := {"allow": true, "rule": "r", "obligations": []} if {
        count([1 | some x in numbers.range(1, 1000); x > 0]) > 0
    }"##;
    let table = [
        "decision := true",
        r##"decision := {"allow": 1, "rule": "r", "obligations": []}"##,
        r##"decision := {"allow": true, "rule": "a b", "obligations": []}"##,
        r##"decision := {"allow": true, "rule": "r", "obligations": [], "x": 1} if input.never"##,
        endless,
    ];
    let mut head = head();
    head.limits.policy_instructions = 200;
    let (actor, operation) = (actor(), operation("A"));
    for rules in table {
        let policy = Policy::load(&head, &compile(rules)).unwrap();
        for _ in 0..2 {
            let deny = policy.decide(question(&actor, &operation)).unwrap_err();
            let expected = (DenyCode::GuardUnavailable, "policy-undecided");
            assert_eq!((deny.code, &*deny.rule), expected, "{rules}");
        }
        assert!(policy.memo.borrow().is_empty(), "{rules}");
    }
}

#[test]
fn variables_of_another_shape_are_a_bad_request() {
    let policy = policy(ECHO);
    let mut shaped = echoed("A");
    if let FactSource::Variable(path) = &mut shaped.facts[0].source {
        path.steps = vec![PathStep::Field {
            name: "a".into(),
            default: None,
        }];
    }
    let raw = RawValue::from_string("7".into()).unwrap();
    let variables = [(Cow::Borrowed("v"), &*raw)];
    let actor = actor();
    for _ in 0..2 {
        let question = Question {
            variables: &variables,
            ..question(&actor, &shaped)
        };
        let deny = policy.decide(question).unwrap_err();
        assert_eq!((deny.code, &*deny.rule), (DenyCode::BadRequest, "facts"));
    }
    assert!(policy.memo.borrow().is_empty());
}

#[test]
fn the_memo_stays_within_its_bounds() {
    let policy = policy(r##"decision := {"allow": true, "rule": "yes", "obligations": []}"##);
    let (actor, operation) = (actor(), echoed("A"));
    for number in 0..2 * Policy::MAX_MEMO as u64 + 10 {
        let question = Question {
            actor_number: number,
            ..question(&actor, &operation)
        };
        policy.decide(question).unwrap();
        assert!(policy.memo.borrow().len() <= Policy::MAX_MEMO);
    }
    // Inputs that are too long are decided and forgotten.
    let before = policy.memo.borrow().len();
    for bytes in [Policy::MAX_MEMO_KEY_BYTES, 100_000] {
        let raw = RawValue::from_string(format!("\"{}\"", "a".repeat(bytes))).unwrap();
        let variables = [(Cow::Borrowed("v"), &*raw)];
        let question = Question {
            variables: &variables,
            ..question(&actor, &operation)
        };
        policy.decide(question).unwrap();
    }
    assert_eq!(policy.memo.borrow().len(), before);
    let longest = policy.memo.borrow().keys().map(Vec::len).max();
    assert!(longest.unwrap() <= Policy::MAX_MEMO_KEY_BYTES);
}
