//! Facts of every source and shape.

use std::borrow::Cow;

use ig_contract::snapshot::{Fact, FactSource, PathStep, VariablePath};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::operation;
use crate::{InvalidFact, collect};

fn field(name: &str) -> PathStep {
    PathStep::Field {
        name: name.into(),
        default: None,
    }
}

fn field_or(name: &str, default: &str) -> PathStep {
    PathStep::Field {
        name: name.into(),
        default: Some(default.into()),
    }
}

fn path(variable: &str, default: Option<&str>, steps: Vec<PathStep>) -> FactSource {
    FactSource::Variable(VariablePath {
        variable: variable.into(),
        default: default.map(Into::into),
        steps,
    })
}

/// Collects the facts of `sources`, all named `f`.
fn facts(sources: Vec<FactSource>, variables: &[(&str, &str)]) -> Result<Value, InvalidFact> {
    let mut operation = operation("A");
    operation.facts = sources
        .into_iter()
        .map(|source| Fact {
            name: "f".into(),
            source,
        })
        .collect();
    let raw: Vec<_> = variables
        .iter()
        .map(|(name, json)| (*name, RawValue::from_string((*json).to_owned()).unwrap()))
        .collect();
    let variables: Vec<(Cow<'_, str>, &RawValue)> = raw
        .iter()
        .map(|(name, raw)| (Cow::Borrowed(*name), &**raw))
        .collect();
    collect(&operation, &variables).map(|facts| json!(facts))
}

/// Collects and describes: values as JSON, or what is wrong.
fn describe(sources: Vec<FactSource>, variables: &[(&str, &str)]) -> String {
    match facts(sources, variables) {
        Ok(facts) => facts["f"].to_string(),
        Err(InvalidFact::NotAnObject(fact)) => format!("{fact} is no object"),
        Err(InvalidFact::Json(fact)) => format!("{fact} is no JSON"),
    }
}

/// Steps as text: `*` for each item, `a` for a field, `a=…` with its default.
fn steps_of(text: &str) -> Vec<PathStep> {
    let step = |step: &str| match (step, step.split_once('=')) {
        ("*", _) => PathStep::Each,
        (_, Some((name, default))) => field_or(name, default),
        (name, None) => field(name),
    };
    text.split_whitespace().map(step).collect()
}

#[test]
fn one_path() {
    // Default of the variable, steps, what is sent, the values.
    let table = [
        // The variable itself: sent, null, absent, by default.
        (None, "", Some("1.5"), "[1.5]"),
        (None, "", Some(r#"{"a":[1]}"#), r#"[{"a":[1]}]"#),
        (None, "", Some("null"), "[null]"),
        (None, "", None, "[]"),
        (Some("7"), "", None, "[7]"),
        (Some("7"), "", Some("8"), "[8]"),
        // GraphQL: an explicit null is not an absence.
        (Some("7"), "", Some("null"), "[null]"),
        (Some("{"), "", None, "f is no JSON"),
        // Fields.
        (None, "a", Some(r#"{"a":1,"b":2}"#), "[1]"),
        (None, "a", Some(r#"{"a":null}"#), "[null]"),
        (None, "a", Some("{}"), "[]"),
        (None, "a", Some(r#"{"A":1}"#), "[]"),
        (None, "a", Some("null"), "[]"),
        (None, "a", None, "[]"),
        (Some(r#"{"a":3}"#), "a", None, "[3]"),
        (None, r#"a="d""#, Some("{}"), r#"["d"]"#),
        (None, r#"a="d""#, Some(r#"{"a":null}"#), "[null]"),
        (None, r#"a="d""#, Some("null"), "[]"),
        (None, r#"a={"b":4} b"#, Some("{}"), "[4]"),
        (None, "a={} b=5", Some("{}"), "[5]"),
        (None, "a=x", Some("{}"), "f is no JSON"),
        (None, "a b", Some(r#"{"a":null}"#), "[]"),
        // A scalar or a list where the schema has an object.
        (None, "a", Some("1"), "f is no object"),
        (None, "a", Some(r#""a""#), "f is no object"),
        (None, "a", Some("false"), "f is no object"),
        (None, "a", Some(r#"[{"a":1}]"#), "f is no object"),
        (None, "a b", Some(r#"{"a":""}"#), "f is no object"),
        // Lists, also of one item that is no list.
        (None, "*", Some("[1,2]"), "[1,2]"),
        (None, "*", Some("[]"), "[]"),
        (None, "*", Some("[1,null]"), "[1,null]"),
        (None, "*", Some("null"), "[]"),
        (None, "*", Some("1"), "[1]"),
        (None, "* *", Some("[[1],[2,3],4,null]"), "[1,2,3,4]"),
        (None, "* *", Some("1"), "[1]"),
        (None, "* a", Some(r#"[{"a":1},{},{"a":2},null]"#), "[1,2]"),
        (None, "* a", Some(r#"{"a":1}"#), "[1]"),
        (None, "* a=9", Some(r#"[{},{"a":2}]"#), "[9,2]"),
        (None, "* a", Some(r#"[{"a":1},2]"#), "f is no object"),
        (None, "* a", Some(r#"[[{"a":1}]]"#), "f is no object"),
        (None, "a *", Some(r#"{"a":[1,2]}"#), "[1,2]"),
        (None, "a * b", Some(r#"{"a":{"b":1}}"#), "[1]"),
    ];
    for (default, steps, sent, expected) in table {
        let sent: Vec<_> = sent.into_iter().map(|json| ("v", json)).collect();
        let described = describe(vec![path("v", default, steps_of(steps))], &sent);
        assert_eq!(described, expected, "{default:?} {steps} {sent:?}");
    }
}

#[test]
fn sources_of_one_name_are_one_list_in_order() {
    let sources = vec![
        FactSource::Literal("\"l\"".into()),
        path("w", None, vec![]),
        path("v", None, vec![PathStep::Each]),
        FactSource::Literal("null".into()),
    ];
    let collected = facts(sources, &[("v", "[1,2]"), ("w", "3"), ("f", "4")]);
    assert_eq!(collected, Ok(json!({ "f": ["l", 3, 1, 2, null] })));
    let bad = facts(vec![FactSource::Literal("'l'".into())], &[]);
    assert_eq!(bad, Err(InvalidFact::Json("f".into())));
    assert_eq!(facts(vec![], &[("v", "1")]), Ok(json!({})));
}

fn steps() -> impl Strategy<Value = Vec<PathStep>> {
    let step = prop_oneof![
        Just(PathStep::Each),
        "[ab]".prop_map(|name| field(&name)),
        (
            "[ab]",
            prop_oneof![Just("null"), Just("[]"), Just("{\"a\":[1]}")]
        )
            .prop_map(|(name, default)| field_or(&name, default)),
    ];
    prop::collection::vec(step, 0..5)
}

fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![Just(Value::Null), any::<i8>().prop_map(Value::from)];
    scalar.prop_recursive(4, 24, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3).prop_map(|members| members
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    /// A list of values has the facts of its items, one after the other.
    #[test]
    fn each_is_the_sum_of_its_items(steps in steps(), items in prop::collection::vec(value(), 0..4)) {
        // An item that is a list would be read as one by the next step as well.
        let whole = [vec![PathStep::Each], steps.clone()].concat();
        let whole = facts(vec![path("v", None, whole)], &[("v", &json!(items).to_string())]);
        let mut sum = Ok(Vec::new());
        for item in &items {
            let part = facts(vec![path("v", None, steps.clone())], &[("v", &item.to_string())]);
            sum = match (sum, part) {
                (Ok(mut sum), Ok(part)) => {
                    sum.extend(part["f"].as_array().unwrap().iter().cloned());
                    Ok(sum)
                }
                (Err(error), _) | (_, Err(error)) => Err(error),
            };
        }
        prop_assert_eq!(whole, sum.map(|values| json!({ "f": values })));
    }
}
