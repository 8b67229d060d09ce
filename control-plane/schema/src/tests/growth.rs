//! Costs with the values of variables.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{operation, schema};
use crate::Schema;

const SDL: &str = r#"
    type Query {
        boxes(first: Int, last: Int): [Box]
            @listSize(assumedSize: 7, slicingArguments: ["first", "last"], requireOneSlicingArgument: false)
        strict(first: Int): [Box] @listSize(slicingArguments: ["first"])
        defaulted(first: Int = 4): [Box] @listSize(slicingArguments: ["first"])
        connection(first: Int): Connection
            @listSize(slicingArguments: ["first"], sizedFields: ["edges", "nodes"])
        node(x: Int @cost(weight: "2")): Node
    }
    type Box { money: Int @cost(weight: "0.5"), boxes(first: Int): [Box] @listSize(slicingArguments: ["first"])
        grid(first: Int): [[Box]] @listSize(slicingArguments: ["first"]) }
    type Connection { edges: [Edge], nodes: [Box], total: Int }
    type Edge { node: Box }
    interface Node { ys(first: Int): [Box] }
    type A implements Node { ys(first: Int): [Box] @listSize(assumedSize: 50, slicingArguments: ["first"]) }
    type B implements Node { ys(first: Int): [Box] @listSize(assumedSize: 5) }
"#;

/// What stands for `N` and `M` is a variable, or a literal.
const BODIES: [&str; 13] = [
    "strict(first: N) { money }",
    "strict(first: N) { boxes(first: M) { money } }",
    "strict(first: N) { boxes(first: N) { boxes(first: M) { money } money } }",
    "strict(first: N) { grid(first: M) { money } }",
    "boxes(first: 5, last: N) { money }",
    "boxes(first: M, last: N) { boxes(first: N) { money } }",
    "defaulted(first: N) { money }",
    "connection(first: N) { total edges { node { money } } nodes { boxes(first: M) { money } } }",
    "a: strict(first: N) { money } b: strict(first: M) { money } c: strict(first: N) { money }",
    "strict(first: N) { ...F ...F } strict(first: N) { boxes(first: M) { money } }",
    "node(x: 1) { ys(first: N) { money } }",
    "node { ... on A { ys(first: N) { money } } ... on B { ys(first: M) { money } } }",
    "boxes { money } strict(first: 3) { boxes(first: M) { money } }",
];

fn text(head: &str, body: &str, n: &str, m: &str) -> String {
    let body = body.replace('N', n).replace('M', m);
    let fragment = match body.contains("...F") {
        true => format!(" fragment F on Box {{ boxes(first: {m}) {{ money }} }}"),
        false => String::new(),
    };
    format!("query{head} {{ {body} }}{fragment}")
}

fn with_variables(schema: &Schema, body: &str) -> ig_contract::snapshot::Operation {
    let declared = match (
        body.contains('N'),
        body.contains('M') || body.contains("...F"),
    ) {
        (true, true) => "($n: Int, $m: Int)",
        (true, false) => "($n: Int)",
        _ => "($m: Int)",
    };
    operation(schema, &text(declared, body, "$n", "$m"))
}

#[test]
fn of_requests() {
    let schema = schema(SDL);
    let cases = [
        ("query($n: Int) { strict(first: $n) { money } }", None, 15),
        (
            "query($n: Int) { strict(first: $n) { money } }",
            Some(100),
            150,
        ),
        ("query($n: Int) { strict(first: $n) { money } }", Some(0), 0),
        (
            "query($n: Int = 2) { strict(first: $n) { money } }",
            None,
            3,
        ),
        (
            "query($n: Int = 2) { strict(first: $n) { money } }",
            Some(4),
            6,
        ),
        (
            "query($n: Int) { defaulted(first: $n) { money } }",
            None,
            15,
        ),
        (
            "query($n: Int) { boxes(first: 5, last: $n) { money } }",
            None,
            8,
        ),
        (
            "query($n: Int) { boxes(first: 5, last: $n) { money } }",
            Some(1),
            8,
        ),
        (
            "query($n: Int) { boxes(first: 5, last: $n) { money } }",
            Some(20),
            30,
        ),
        (
            "query($n: Int) { strict(first: $n) { money } }",
            Some(u64::MAX),
            u32::MAX,
        ),
        (
            "query($n: Int) { strict(first: 3) { money } node(x: $n) { __typename } }",
            Some(9),
            8,
        ),
    ];
    for (text, n, cost) in cases {
        let operation = operation(&schema, text);
        assert_eq!(operation.cost_with(|_| n), cost, "{text} {n:?}");
    }
}

#[test]
fn growth_is_bounded() {
    let schema = schema(SDL);
    let names: Vec<_> = (0..100).map(|number| format!("v{number}")).collect();
    let declared: Vec<_> = names.iter().map(|name| format!("${name}: Int")).collect();
    let wide = names
        .iter()
        .map(|name| format!("{name}: strict(first: ${name}) {{ money }} "));
    let wide = wide.collect::<String>();
    let deep = names
        .iter()
        .take(12)
        .rev()
        .fold("money".to_owned(), |below, name| {
            format!("boxes(first: ${name}) {{ {below} }}")
        });
    let some = declared[..12].join(" ");
    for text in [
        format!("query({}) {{ {wide} }}", declared.join(" ")),
        format!("query({some}) {{ {deep} }}"),
    ] {
        let operation = operation(&schema, &text);
        assert!(operation.sizes.len() <= 64 && operation.terms.len() <= 64);
        assert!(operation.terms.iter().all(|term| term.sizes.len() <= 8));
        assert_eq!(operation.cost_with(|_| None), operation.cost);
        assert!(operation.cost_with(|_| Some(50)) > operation.cost || operation.cost == u32::MAX);
    }
}

proptest! {
    #[test]
    fn a_variable_costs_what_its_value_costs(
        body in prop::sample::select(&BODIES[..]),
        n in prop_oneof![-3..200_i32, Just(i32::MAX)],
        m in prop_oneof![-3..200_i32, Just(i32::MAX)],
    ) {
        let schema = schema(SDL);
        let values = BTreeMap::from([("n", n), ("m", m)]);
        let variable = with_variables(&schema, body);
        let literal = operation(&schema, &text("", body, &n.to_string(), &m.to_string()));
        prop_assert!(literal.terms.is_empty() && literal.sizes.is_empty());
        let size_of = |name: &str| u64::try_from(*values.get(name)?).ok();
        prop_assert_eq!(variable.cost_with(size_of), literal.cost);
        prop_assert_eq!(variable.cost_with(|_| None), variable.cost);
    }
}
