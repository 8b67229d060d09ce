use std::collections::BTreeMap;

use serde_json::json;

use super::*;

const POLICY: &str = r#"package ig

default decision := {"allow": false, "rule": "default", "obligations": []}

decision := {"allow": true, "rule": "audit", "obligations": ["log"]} if input.purpose == "audit"

decision := {"allow": false, "rule": "bad name", "obligations": []} if input.purpose == "bad"
"#;

fn decider() -> Decider {
    let files = [
        (".manifest", r#"{"revision": "r1", "roots": ["ig"]}"#),
        ("ig.rego", POLICY),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    Decider::of_bundle(&Bundle::from_files(BTreeMap::from(files)).unwrap()).unwrap()
}

#[test]
fn both_engines_decide() {
    let mut decider = decider();
    for (input, allow, rule) in [
        (json!({"purpose": "audit"}), true, "audit"),
        (json!({"purpose": "other"}), false, "default"),
        (json!({}), false, "default"),
        (json!(null), false, "default"),
    ] {
        let guard = decider.decide(&input);
        assert_eq!((guard.allow, guard.rule.as_str()), (allow, rule), "{input}");
        assert!(guard.is_as(&decider.interpret(&input)), "{input}");
    }
    assert_eq!(
        decider.decide(&json!({"purpose": "audit"})).obligations,
        ["log"]
    );
}

#[test]
fn what_the_guard_does_not_take_is_undecided() {
    let decision = decider().decide(&json!({"purpose": "bad"}));
    assert!(!decision.allow);
    assert!(decision.undecided.unwrap().contains("rule"));
}
