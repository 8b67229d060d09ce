//! Whatever asks callers for less is seen, and fails the gate.

use std::fmt::Write as _;
use std::path::Path;

use ig_schema_diff::{Effect, FailOn, Failure, Report, SchemaSide, Seen};
use proptest::prelude::*;

use crate::loosen::loosened;
use crate::{compare, policy};

fn weakened(old: &str, new: &str) -> Report {
    compare(old, new, "", &policy([FailOn::Weakened]))
}

fn demo() -> String {
    let path = "../../persisted-queries/schema.graphql";
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn assert_each_is_seen(sdl: &str) -> usize {
    let all = loosened(sdl);
    for (what, loose) in &all {
        let report = weakened(sdl, loose);
        assert!(!report.verdict.passed, "{what}\n{loose}");
        assert!(report.summary.weakened > 0, "{what}\n{loose}");
        for failure in &report.verdict.failures {
            assert_says_what_and_where(&report, failure, loose);
        }
        let is_told = report.changes.iter().any(|it| it.authz == Effect::Weakened);
        assert!(is_told, "{what}: no change says so\n{loose}");
    }
    all.len()
}

/// A failure names what is asked no more, and the line of the place.
fn assert_says_what_and_where(report: &Report, failure: &Failure, new: &str) {
    let change = &report.authz[failure.authz.unwrap()];
    let place = report.place_of(failure).unwrap();
    assert_eq!(place.schema, SchemaSide::New);
    let line = new.lines().nth(place.position.line - 1).unwrap();
    let name: String = line.chars().skip(place.position.column - 1).collect();
    let last = failure.path.rsplit('.').next().unwrap();
    assert!(name.starts_with(last), "{}: {line}", failure.path);
    assert!(!change.removed.is_empty(), "{change:?}");
    for item in &change.removed {
        assert!(failure.message.contains(item), "{}", failure.message);
    }
}

#[test]
fn what_is_asked_no_more_is_quoted() {
    let field = |directives: &str| format!("type Query {{\n  a(x: ID {directives}): Int\n}}");
    let at_field = |directives: &str| format!("type Query {{\n  a: Int {directives}\n}}");
    let cases = [
        (
            at_field(r#"@authz(stepUp: true, action: "r", purpose: ["b", "a"])"#),
            at_field(""),
            "Query.a",
            r#"`@authz(purpose: ["a", "b"], action: "r", stepUp: true)` is gone"#,
        ),
        (
            at_field(r#"@authz(purpose: ["a"])"#),
            at_field(r#"@authz(purpose: ["a", "\"x\""])"#),
            "Query.a",
            r#"`@authz(purpose: ["a"])` became `@authz(purpose: ["\"x\"", "a"])`"#,
        ),
        (
            at_field(r#"@resource(pii: true, retention: "short")"#),
            at_field(r#"@resource(pii: true)"#),
            "Query.a",
            r#"`@resource(pii: true, retention: "short")` became `@resource(pii: true)`"#,
        ),
        (
            field(r#"@fact(name: "case")"#),
            field(""),
            "Query.a.x",
            r#"`@fact(name: "case")` is gone"#,
        ),
    ];
    for (old, new, path, words) in cases {
        let report = weakened(&old, &new);
        let failures = &report.verdict.failures;
        let failure = failures.iter().find(|it| it.path == path).unwrap();
        assert!(failure.message.ends_with(words), "{}", failure.message);
        assert_says_what_and_where(&report, failure, &new);
        assert_eq!(report.place_of(failure).unwrap().position.line, 2);
    }
}

#[test]
fn every_loosening_of_the_demo_is_weakened() {
    assert!(assert_each_is_seen(&demo()) >= 12);
}

#[test]
fn taking_nothing_away_is_not_weakened() {
    let demo = demo();
    assert!(weakened(&demo, &demo).verdict.passed);
    for (what, loose) in loosened(&demo) {
        let back = weakened(&loose, &demo);
        // Another action is another one, whichever way.
        assert_eq!(back.verdict.passed, !what.contains("OtherAction"), "{what}");
    }
}

/// Arguments of a use of `@authz`, or no use.
fn authz() -> impl Strategy<Value = String> {
    let purposes = prop_oneof![
        Just(String::new()),
        Just("purpose: []".to_owned()),
        Just("purpose: [\"a\"]".to_owned()),
        Just("purpose: [\"a\", \"b\"]".to_owned()),
    ];
    let action = prop_oneof![
        Just(""),
        Just("action: \"read\""),
        Just("action: \"export:x\"")
    ];
    let flags = (any::<bool>(), any::<bool>());
    let arguments = (purposes, action, flags).prop_map(|(purposes, action, (step_up, cross))| {
        let step_up = if step_up { "stepUp: true" } else { "" };
        let cross = if cross { "crossTenant: true" } else { "" };
        let all = [purposes.as_str(), action, step_up, cross];
        let all: Vec<_> = all.into_iter().filter(|it| !it.is_empty()).collect();
        match all.is_empty() {
            true => " @authz".to_owned(),
            false => format!(" @authz({})", all.join(", ")),
        }
    });
    prop_oneof![2 => Just(String::new()), 3 => arguments]
}

/// An SDL of objects, an interface and a union that are annotated anyhow.
fn sdl() -> impl Strategy<Value = String> {
    prop::collection::vec(authz(), 12).prop_map(|uses| {
        let mut uses = uses.into_iter();
        let mut next = || uses.next().unwrap_or_default();
        let mut sdl = String::new();
        writeln!(sdl, "interface Node{} {{ id: ID!{} }}", next(), next()).unwrap();
        for ty in ["A", "B"] {
            let (own, id, field) = (next(), next(), next());
            writeln!(
                sdl,
                "type {ty} implements Node{own} {{ id: ID!{id} x: Int{field} }}"
            )
            .unwrap();
        }
        writeln!(sdl, "union U = A | B").unwrap();
        let (node, u, a, ext) = (next(), next(), next(), next());
        writeln!(sdl, "type Query {{ node: Node{node} u: U{u} }}").unwrap();
        writeln!(sdl, "type Mutation {{ a: A{a} }}").unwrap();
        writeln!(sdl, "extend type Mutation{ext} {{ b: Int }}").unwrap();
        sdl
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_loosening_is_weakened(sdl in sdl()) {
        assert_each_is_seen(&sdl);
    }
}

/// What no use of a directive tells.
#[test]
fn less_may_apply_without_a_word() {
    let cases = [
        (
            "the type is another one",
            "type Query { a: Secret } type Secret @authz(stepUp: true) { x: Int } type Open { x: Int }",
            "type Query { a: Open } type Secret @authz(stepUp: true) { x: Int } type Open { x: Int }",
            "Query.a",
            Seen::Field,
        ),
        (
            "the interface is gone",
            "interface N @authz(purpose: [\"a\"]) { x: Int } type A implements N { x: Int } type Query { a: A }",
            "interface N @authz(purpose: [\"a\"]) { x: Int } type A { x: Int } type Query { a: A }",
            "A.x",
            Seen::Field,
        ),
        (
            "a default of the directive changed",
            "directive @authz(stepUp: Boolean = true) on FIELD_DEFINITION type Query { a: Int @authz }",
            "directive @authz(stepUp: Boolean = false) on FIELD_DEFINITION type Query { a: Int @authz }",
            "Query.a",
            Seen::Directive,
        ),
        (
            "the field has another name",
            "type Query { a: Int } type Mutation { export(id: ID!): Int @authz(action: \"export:a\") }",
            "type Query { a: Int } type Mutation { takeOut(id: ID!): Int }",
            "Mutation.takeOut",
            Seen::Renamed,
        ),
        (
            "the type has another name",
            "type Query { a: A } type A @resource(pii: true) { x: Int y: Int }",
            "type Query { a: B } type B { x: Int y: Int }",
            "B",
            Seen::Renamed,
        ),
        (
            "the root type is another one",
            "schema { query: Q mutation: M } type Q { a: Int } type M { export: Int @authz(action: \"x\") }",
            "schema { query: Q mutation: N } type Q { a: Int } type N { export: Int }",
            "N.export",
            Seen::Renamed,
        ),
        (
            "policies do not see a value any more",
            "type Query { a(x: String @fact(name: \"retention\")): Int }",
            "type Query { a(x: String): Int }",
            "Query.a.x",
            Seen::Directive,
        ),
        (
            "data is kept for another time",
            "type Query { a: A } type A @resource(pii: true, retention: \"short\") { x: Int }",
            "type Query { a: A } type A @resource(pii: true, retention: \"long\") { x: Int }",
            "A",
            Seen::Directive,
        ),
        (
            "the use on an extension is gone",
            "type Query { a: Int } extend type Query @authz(stepUp: true)",
            "type Query { a: Int }",
            "Query",
            Seen::Directive,
        ),
    ];
    for (name, old, new, path, seen) in cases {
        let report = weakened(old, new);
        assert!(!report.verdict.passed, "{name}");
        let found = report.authz.iter().find(|it| it.path == path);
        let found = found.unwrap_or_else(|| panic!("{name}: {:?}", report.authz));
        assert_eq!(
            (found.effect, found.seen),
            (Effect::Weakened, seen),
            "{name}"
        );
    }
}

#[test]
fn asking_for_more_is_strengthened() {
    let cases = [
        ("", "@authz(purpose: [\"a\"])"),
        ("@authz", "@authz(purpose: [\"a\"])"),
        (
            "@authz(purpose: [\"a\", \"b\"])",
            "@authz(purpose: [\"b\"])",
        ),
        (
            "@authz(action: \"x\")",
            "@authz(action: \"x\", stepUp: true, crossTenant: true)",
        ),
        (
            "@resource(pii: true)",
            "@resource(pii: true, retention: \"short\")",
        ),
    ];
    for (before, after) in cases {
        let sdl = |with: &str| format!("type Query {{ a: Int {with} }}");
        let report = weakened(&sdl(before), &sdl(after));
        assert!(report.verdict.passed, "{after}");
        assert_eq!(report.summary.strengthened, 1, "{after}");
        let of_change = report.changes.iter().map(|it| it.authz).max();
        assert_eq!(of_change, Some(Effect::Strengthened), "{after}");
    }
}

/// What is alike by chance is no other name, unless it was protected.
#[test]
fn other_names_are_told() {
    let renames = |old: &str, new: &str| -> Vec<String> {
        let report = weakened(old, new);
        let renames = report.renames.iter();
        renames.map(|it| format!("{} {}", it.from, it.to)).collect()
    };
    let old = "type Query { a(x: Int): Int b: String c: String }";
    let new = "type Query { z(x: Int): Int d: String e: String }";
    assert_eq!(renames(old, new), ["Query.a Query.z"]);
    let protected = old.replace("b: String", "b: String @authz(stepUp: true, action: \"b\")");
    // Of two that nothing protects one stands for both.
    assert_eq!(
        renames(&protected, new),
        ["Query.a Query.z", "Query.b Query.d"]
    );
    assert!(!weakened(&protected, new).verdict.passed);
    let old = "type Query { a: A } type A { x: Int y: Int }";
    let new = "type Query { a: B } type B { x: Int y: Int }";
    assert_eq!(renames(old, new), ["A B", "A.x B.x", "A.y B.y"]);
}

/// Whatever becomes of a protected field's shape, or of the type that is around it.
#[test]
fn what_comes_back_as_something_else_is_weakened() {
    const RULE: &str = "@authz(purpose: [\"a\"], action: \"x\")";
    let fails = |before: &str, after: &str| {
        let report = weakened(&before.replace("RULE", RULE), &after.replace("RULE", RULE));
        assert!(!report.verdict.passed, "{before}\n{after}");
    };
    let old = "type Query { a: A } type A { x: Int RULE y: Int }";
    for new in [
        // Another name, with a further argument, another wrapper, or both.
        "type Query { a: A } type A { z: Int y: Int }",
        "type Query { a: A } type A { z(n: Int): Int y: Int }",
        "type Query { a: A } type A { z: [Int!]! y: Int }",
        "type Query { a: A } type A { z(n: Int): [Int] y: Int }",
        // A decoy that asks for less words and is as strict.
        "type Query { a: A } type A { d: Int @authz(purpose: [\"a\"], action: \"x\") \
         z: Int @authz(purpose: [\"a\", \"b\", \"c\"], action: \"x\") y: Int }",
        // A kept field gives another type, which there was before or was not.
        "type Query { a: B } type A { x: Int RULE y: Int } type B { x: Int y: Int }",
        "type Query { a: B } type B { x: Int y: Int more: Int }",
        "type Query { a: [B!]! } type B { x: Int }",
    ] {
        fails(old, new);
    }
    // Deeper, and by way of another type.
    fails(
        "type Query { a: A } type A { b: B } type B { x: Int RULE }",
        "type Query { a: C } type C { b: D } type D { x: Int }",
    );
    let kept = "type Query { a: B } type B { x: Int RULE y: Int }".replace("RULE", RULE);
    assert!(weakened(&old.replace("RULE", RULE), &kept).verdict.passed);
}

/// What is told grows with the schema, not with its square.
#[test]
fn many_that_are_alike_are_told_shortly() {
    let fields = |prefix: &str, with: &str| -> String {
        (0..2_000)
            .map(|number| format!("{prefix}{number}: Int {with}\n"))
            .collect()
    };
    let old = format!(
        "type Query {{ {} }}",
        fields("a", "@authz(stepUp: true, action: \"b\")")
    );
    let new = format!("type Query {{ {} }}", fields("b", ""));
    let report = weakened(&old, &new);
    assert!(!report.verdict.passed);
    assert_eq!(report.renames.len(), 2_000);
    let types = |prefix: &str| -> String {
        (0..300)
            .map(|number| format!("type {prefix}{number} {{ x: Int y: Int }}\n"))
            .collect()
    };
    let query = "type Query { q: Int }\n";
    let report = weakened(
        &format!("{query}{}", types("A")),
        &format!("{query}{}", types("B")),
    );
    assert_eq!(report.renames.len(), 3 * 300);
}

/// A name and a type together, a root, decoys, and what another place lost.
#[test]
fn nothing_hides_what_is_lost() {
    const RULE: &str = "@authz(purpose: [\"a\"], action: \"x\")";
    let decoys = |of: &str| -> String {
        (0..100)
            .map(|number| of.replace("N", &number.to_string()))
            .collect()
    };
    let many_fields = format!(
        "type Query {{ {} z: Int @authz(purpose: [\"a\", \"b\"], action: \"x\") }}",
        decoys("dN: Int RULE @resource(retention: \"rN\")\n")
    );
    let many_types = format!(
        "type Query {{ q: Int }} {} type Z {{ x: Int @authz(purpose: [\"a\", \"b\"], action: \"x\") y: Int }}",
        decoys("type DN { x: Int RULE @resource(retention: \"rN\") y: Int }\n")
    );
    for (old, new) in [
        // Name and type at once.
        (
            "type Query { a: A RULE } type A { x: Int y: Int }",
            "type Query { b: B } type B { x: Int y: Int }",
        ),
        (
            "type Query { a: A RULE } type A { x: Int y: Int }",
            "type Query { b: B } type B { other: Int }",
        ),
        // A kept field's type, and the field in it.
        (
            "type Query { a: A } type A { x: Int RULE }",
            "type Query { a: B } type B { x2: Int }",
        ),
        // The root, and its field.
        (
            "schema { query: Q } type Q { a: Int RULE b: Int }",
            "schema { query: R } type R { c: Int b: Int }",
        ),
        // Among many that are as strict.
        ("type Query { a: Int RULE }", &many_fields),
        (
            "type Query { q: Int } type A { x: Int RULE y: Int }",
            &many_types,
        ),
    ] {
        let (old, new) = (old.replace("RULE", RULE), new.replace("RULE", RULE));
        let report = weakened(&old, &new);
        assert!(!report.verdict.passed, "{old}\n{new}");
    }
}

/// What one place lost says nothing of another that lost the same.
#[test]
fn each_field_that_loses_is_told() {
    let old = "type Query { old: Int RULE r: R } interface I RULE { x: Int } \
        type R implements I { x: Int } directive @other on OBJECT";
    let new = "type Query { old: Int r: R } interface I RULE { x: Int } type R { x: Int } \
        directive @other on OBJECT";
    let rule = "@authz(purpose: [\"a\"], action: \"x\")";
    let report = weakened(&old.replace("RULE", rule), &new.replace("RULE", rule));
    let paths: Vec<_> = report
        .authz
        .iter()
        .map(|change| change.path.as_str())
        .collect();
    assert!(paths.contains(&"Query.old"), "{paths:?}");
    assert!(
        paths.contains(&"Query.r") || paths.contains(&"R.x"),
        "{paths:?}"
    );
}

/// Where there is more to compare than is compared, it does not pass.
#[test]
fn too_many_to_compare_is_no_pass() {
    let types = |from: usize, to: usize| -> String {
        (from..to)
            .map(|number| {
                let next = if number + 1 < to { number + 1 } else { from };
                format!(
                    "type T{number} {{ a: T{next} b: T{} }}\n",
                    (number * 7 + 3) % (to - from) + from
                )
            })
            .collect()
    };
    let old = format!(
        "type Query {{ t: T0 s: Int @authz(stepUp: true) }} {}",
        types(0, 400)
    );
    let new = format!(
        "type Query {{ t: T400 s: Int @authz(stepUp: true) }} {}",
        types(400, 1_400)
    );
    let report = weakened(&old, &new);
    assert!(!report.verdict.passed);
}

/// The default action is the root field's, and no other of its kind.
#[test]
fn an_action_of_ones_own_is_no_default() {
    let old = "type Query { a: Int @authz(action: \"query:ACTION\") }";
    let new = "type Query { a: Int }";
    for (action, weakened) in [("a", false), ("adm", true), ("", true)] {
        let report = compare(
            &old.replace("ACTION", action),
            new,
            "query A { a }",
            &policy([FailOn::Weakened]),
        );
        let effects: Vec<_> = report.operations.iter().map(|it| it.authz).collect();
        let is_weakened = effects.contains(&Effect::Weakened);
        assert_eq!(is_weakened, weakened, "{action}: {effects:?}");
    }
}
