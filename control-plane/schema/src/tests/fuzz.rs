//! Hostile documents: an error, never a panic.

use proptest::prelude::*;

use super::schema;
use crate::catalogue::{Catalogue, import};
use crate::{Limits, Schema, compile};

const SDL: &str = r#"
    directive @note(id: ID @fact(name: "noted")) on FIELD
    type Query {
        case(id: ID! @fact(name: "id"), in: In = {list: ["x"]}): Node @authz(purpose: ["a"])
        list(first: Int = 3): [Any!]! @listSize(slicingArguments: ["first"]) @resource(pii: true)
    }
    type Mutation { set(in: In): Case @authz(stepUp: true) }
    input In { list: [ID!] @fact(name: "list"), in: In, other: Int = 1 }
    interface Node { id: ID }
    type Case implements Node @cost(weight: "2") { id: ID, parent: Case }
    union Any = Case
"#;

const DOCUMENTS: [&str; 4] = [
    r#"query A($id: ID!, $n: Int = 4) { case(id: $id) { id ...F } list(first: $n) { ... on Case { parent { id } } } } fragment F on Node { x: id @skip(if: true) @note(id: 3) }"#,
    r#"mutation B($l: [ID!], $x: ID!) { set(in: {list: [$x, "a"], in: {list: $l}}) { id parent { ...G } } } fragment G on Case { parent { id } }"#,
    r#"{ case(id: """ block \""" """) { __typename } __schema { types { name } } }"#,
    r#"query C { list { ... on Node { id } ... on Case { ...G } } } fragment G on Case { id }"#,
];

/// A valid document with some pieces cut, doubled, moved or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("("),
        Just(")"),
        Just("["),
        Just("]"),
        Just("..."),
        Just("$id"),
        Just("\""),
        Just("\"\"\""),
        Just("fragment F on Case { ...F }"),
        Just("@skip(if: $n)"),
        Just("null"),
        Just("{in: {in: $l}}"),
        Just("1e999"),
        Just("\u{0}"),
        Just("é"),
        Just("#"),
        Just("on"),
        Just("query"),
    ];
    let edit = (
        any::<prop::sample::Index>(),
        any::<prop::sample::Index>(),
        0..4,
        piece,
    );
    (
        prop::sample::select(&DOCUMENTS[..]),
        prop::collection::vec(edit, 1..6),
    )
        .prop_map(|(text, edits)| {
            let mut text: Vec<char> = text.chars().collect();
            for (from, to, kind, piece) in edits {
                if text.is_empty() {
                    break;
                }
                let (a, b) = (from.index(text.len()), to.index(text.len()));
                let range = a.min(b)..a.max(b).min(a.min(b) + 12);
                let cut: Vec<char> = text.get(range.clone()).unwrap_or_default().to_vec();
                match kind {
                    0 => drop(text.splice(range, [])),
                    1 => drop(text.splice(a..a, cut)),
                    2 => drop(text.splice(a..a, piece.chars())),
                    _ => drop(text.splice(range, piece.chars())),
                }
            }
            text.into_iter().collect()
        })
}

thread_local! {
    static SCHEMA: Schema = schema(SDL);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_documents(text in mutated()) {
        SCHEMA.with(|schema| {
            match compile(schema, &text, Limits::DOCUMENT) {
                Ok(operations) => assert!(!operations.is_empty()),
                Err(invalid) => assert!(!invalid.into_reasons().is_empty()),
            }
        });
    }

    #[test]
    fn mutated_catalogues(text in mutated()) {
        SCHEMA.with(|schema| {
            if let Ok(catalogue) = Catalogue::parse(&text, None, Limits::CATALOGUE) {
                import(schema, catalogue, Limits::DOCUMENT, &mut |_, _| {});
            }
        });
    }

    #[test]
    fn any_text(text in any::<String>()) {
        SCHEMA.with(|schema| {
            let _ = compile(schema, &text, Limits::DOCUMENT);
            let _ = Catalogue::parse(&text, None, Limits::CATALOGUE);
            let _ = Schema::parse(&text, Limits::SCHEMA);
        });
    }

    /// What stripping does to a document changes nothing of its record.
    #[test]
    fn stripped_documents_compile_to_the_same(text in mutated()) {
        SCHEMA.with(|schema| {
            let Ok(operations) = compile(schema, &text, Limits::DOCUMENT) else { return };
            let Ok(catalogue) = Catalogue::parse(&text, Some(crate::catalogue::Format::Documents), Limits::CATALOGUE)
            else {
                panic!("compiles but does not parse: {text}")
            };
            let import = import(schema, catalogue, Limits::DOCUMENT, &mut |_, _| {});
            assert!(import.rejected.is_empty(), "{:?}", import.rejected);
            let found: Vec<_> = import.accepted.into_iter().flat_map(|document| document.operations).collect();
            assert_eq!(found, operations);
        });
    }
}
