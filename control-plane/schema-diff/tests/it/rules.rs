//! Each rule of `@graphql-inspector/core` 8.0.0. What `rules.json` expects is
//! what that package says; the interop tier asks it again.

use std::collections::BTreeSet;

use ig_schema_diff::diff;
use serde_json::Value;

use crate::schema;

/// Kinds of changes that graphql-inspector tells. It has two more, for
/// directives on fields of operations, that no difference of schemas gives.
const KINDS: usize = 78;

#[test]
fn changes_are_those_of_graphql_inspector() {
    let cases: Value = serde_json::from_str(include_str!("rules.json")).unwrap();
    let mut kinds = BTreeSet::new();
    for case in cases.as_array().unwrap() {
        let text = |name: &str| case[name].as_str().unwrap();
        let changes = diff(&schema(text("before")), &schema(text("after")));
        let changes: Vec<Value> = changes
            .iter()
            .map(|change| serde_json::to_value(change).unwrap())
            .collect();
        let triple = |change: &Value| {
            let kind = change["type"].as_str().unwrap();
            kinds.insert(kind.to_owned());
            let path = change["path"].as_str().unwrap_or("-");
            let level = change["criticality"]["level"].as_str().unwrap();
            format!("{kind} {path} {level}")
        };
        let ours: BTreeSet<String> = changes.iter().map(triple).collect();
        let theirs = case["changes"].as_array().unwrap().iter();
        let theirs: BTreeSet<String> = theirs.map(|it| it.as_str().unwrap().to_owned()).collect();
        assert_eq!(ours, theirs, "{}", text("name"));
    }
    assert_eq!(kinds.len(), KINDS);
}

/// What graphql-inspector does not see, or sees otherwise: see `changes`.
#[test]
fn our_own_rules() {
    let directive = "directive @d(a: String) on OBJECT | SCHEMA | FIELD_DEFINITION\n";
    let told = |old: &str, new: &str| -> Vec<String> {
        let both = [old, new].map(|text| schema(&format!("{directive}{text}")));
        let changes = diff(&both[0], &both[1]);
        changes.iter().map(|it| it.path.clone().unwrap()).collect()
    };
    let base = "type Query { a: Int }";
    let extended = "type Query { a: Int } extend type Query @d(a: \"x\")";
    assert_eq!(told(base, extended), ["Query.@d", "Query.@d.a"]);
    assert_eq!(told(extended, base), ["Query.@d"]);
    let moved = "type Query @d(a: \"x\") { a: Int }";
    assert_eq!(told(extended, moved), [""; 0]);
    let block = "type Query @d(a: \"\"\"x\"\"\") { a: Int }";
    assert_eq!(told(moved, block), [""; 0]);
    let default = |value| format!("scalar Any type Query {{ a(x: Any = {value}): Int }}");
    assert_eq!(told(&default("[]"), &default("{}")), ["Query.a.x"]);
}

/// Definitions of our directives that the compiler adds are no change.
#[test]
fn what_is_added_is_no_change() {
    let changes = diff(
        &schema("type Query { a: Int }"),
        &schema("type Query { a: Int @authz(action: \"x\") }"),
    );
    let paths: Vec<_> = changes.iter().filter_map(|it| it.path.as_deref()).collect();
    assert_eq!(paths, ["Query.a.@authz", "Query.a.@authz.action"]);
}

/// Defaults of input types that grow with each level stay bounded.
#[test]
fn defaults_are_bounded() {
    use std::fmt::Write as _;
    let sdl = |last: &str| {
        let mut sdl = String::from("type Query { a(i: I0 = {}): Int }\n");
        for level in 0..40 {
            let next = level + 1;
            writeln!(
                sdl,
                "input I{level} {{ a: I{next} = {{}} b: I{next} = {{}} }}"
            )
            .unwrap();
        }
        writeln!(sdl, "input I40 {{ a: Int = {last} }}").unwrap();
        schema(&sdl)
    };
    let chain = |last: &str| {
        let mut sdl = String::from("type Query { a(i: I0 = {}): Int }\n");
        for level in 0..20_000 {
            let next = level + 1;
            writeln!(sdl, "input I{level} {{ a: I{next} = {{}} }}").unwrap();
        }
        writeln!(sdl, "input I20000 {{ a: Int = {last} }}").unwrap();
        schema(&sdl)
    };
    assert!(!diff(&chain("1"), &chain("2")).is_empty());
    let changes = diff(&sdl("1"), &sdl("2"));
    assert!(
        changes
            .iter()
            .any(|change| change.path.as_deref() == Some("I40.a"))
    );
}
