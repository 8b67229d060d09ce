use std::collections::BTreeMap;

use serde_json::json;

use crate::{Bundle, Decider, RuleOutcome};

const POLICY: &str = r#"package ig

default decision := {"allow": false, "rule": "default", "obligations": []}

decision := {"allow": true, "rule": "allow", "obligations": []} if {
	input.actor.tenant
	count(violations) == 0
}

decision := {"allow": false, "rule": min(violations), "obligations": []} if {
	count(violations) > 0
}

violations contains "cross-tenant" if {
	crosses
	not "analyst" in input.actor.groups
}

crosses if {
	some action in input.actions
	startswith(action, "cross")
}

crosses if {
	known := input.flags
	known.cross
}

level := "high" if {
	input.level > 3
} else := "low" if {
	input.level > 0
}

violations contains "level" if level == "high"
"#;

fn explain(input: serde_json::Value) -> Vec<(u32, String, bool, String)> {
    let files = [
        (".manifest", r#"{"revision": "r1", "roots": ["ig"]}"#),
        ("ig.rego", POLICY),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let bundle = Bundle::from_files(BTreeMap::from(files)).unwrap();
    let explanation = Decider::of_bundle(&bundle)
        .unwrap()
        .explain(&input)
        .unwrap();
    assert!(explanation.decision.is_as(&explanation.interpreter));
    let rules = explanation.rules.into_iter();
    rules
        .map(|rule| {
            let outcome = match rule.outcome {
                RuleOutcome::Held => "held".to_owned(),
                RuleOutcome::Failed {
                    line, condition, ..
                } => format!("{line}: {condition}"),
                RuleOutcome::Evaluated => "evaluated".to_owned(),
            };
            (rule.location.row, rule.head, rule.decides, outcome)
        })
        .collect()
}

#[test]
fn a_deny_names_its_rule_and_an_allow_what_failed() {
    let input =
        json!({"actor": {"tenant": "alpha", "groups": []}, "actions": ["cross:x"], "level": 1});
    let rules = explain(input);
    let deciding: Vec<_> = rules
        .iter()
        .filter(|rule| rule.2)
        .map(|rule| rule.0)
        .collect();
    assert_eq!(deciding, [10, 14], "{rules:?}");
    let of = |row: u32| rules.iter().find(|rule| rule.0 == row).unwrap().3.as_str();
    assert_eq!(of(5), "7: count(violations) == 0");
    assert_eq!(of(19), "held");
    assert_eq!(of(24), "25: known := input.flags");
    assert_eq!(of(29), "30: input.level > 3");
    assert_eq!(of(31), "held");
}

#[test]
fn the_condition_that_failed_is_named_with_its_inputs() {
    let files = [
        (".manifest", r#"{"revision": "r1", "roots": ["ig"]}"#),
        ("ig.rego", POLICY),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let bundle = Bundle::from_files(BTreeMap::from(files)).unwrap();
    let input =
        json!({"actor": {"tenant": "alpha", "groups": ["analyst"]}, "flags": {"cross": true}});
    let explanation = Decider::of_bundle(&bundle)
        .unwrap()
        .explain(&input)
        .unwrap();
    assert!(explanation.decision.allow);
    let rule = explanation
        .rules
        .iter()
        .find(|rule| rule.head.contains("cross-tenant"))
        .unwrap();
    let RuleOutcome::Failed {
        line,
        condition,
        inputs,
    } = &rule.outcome
    else {
        unreachable!("{rule:?}");
    };
    assert_eq!(
        (*line, condition.as_str()),
        (16, "not \"analyst\" in input.actor.groups")
    );
    assert_eq!(inputs[0].path, "input.actor.groups");
    assert_eq!(inputs[0].value, Some(json!(["analyst"])));
    let paths: Vec<_> = explanation
        .inputs
        .iter()
        .map(|one| one.path.as_str())
        .collect();
    assert!(paths.contains(&"input.flags"), "{paths:?}");
    let level = explanation
        .inputs
        .iter()
        .find(|one| one.path == "input.level");
    assert_eq!(level.unwrap().value, None);
}
