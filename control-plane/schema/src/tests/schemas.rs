use crate::{InvalidSchema, Limits, Schema};

fn errors(sdl: &str) -> Vec<String> {
    match Schema::parse(sdl, Limits::SCHEMA) {
        Ok(_) => Vec::new(),
        Err(InvalidSchema::Invalid { reasons }) => {
            reasons.iter().map(ToString::to_string).collect()
        }
        Err(other) => vec![other.to_string()],
    }
}

#[test]
fn directives() {
    let query = "type Query { f: Int }";
    let cases: &[(&str, &str)] = &[
        // Defined by the schema itself, in part or as nullable.
        (
            "directive @authz(purpose: [String!]!) on FIELD_DEFINITION type Query { f: Int @authz(purpose: [\"a\"]) }",
            "",
        ),
        (
            "directive @fact(name: String) on ARGUMENT_DEFINITION type Query { f: Int }",
            "",
        ),
        (
            "directive @authz on FIELD_DEFINITION type Query { f: Int @authz }",
            "",
        ),
        // Beyond ours.
        (
            "directive @authz(level: Int) on OBJECT type Query { f: Int }",
            "1:18: `@authz` has no `level`",
        ),
        (
            "directive @authz(purpose: String) on OBJECT type Query { f: Int }",
            "1:18: `@authz(purpose:)` is `[String!]`, not `String`",
        ),
        (
            "directive @fact(name: ID!) on ARGUMENT_DEFINITION type Query { f: Int }",
            "1:17: `@fact(name:)` is `String!`, not `ID!`",
        ),
        (
            "directive @authz repeatable on OBJECT type Query { f: Int }",
            "1:1: `@authz` must not be repeatable",
        ),
        (
            "directive @authz on OBJECT | UNION type Query { f: Int }",
            "1:1: `@authz` has no meaning on UNION",
        ),
        // Used as they are not defined.
        (
            "type Query { f: Int @authz(purpos: [\"a\"]) }",
            "1:28: the argument `purpos` is not supported by `@authz`",
        ),
        (
            "type Query { f: Int @authz(stepUp: \"yes\") }",
            "1:36: expected value of type Boolean, found a string",
        ),
        (
            "type Query { f: Int @fact(name: \"x\") }",
            "1:21: fact directive is not supported for FIELD_DEFINITION location",
        ),
        (
            "type Query { f(a: Int @fact): Int }",
            "1:23: the required argument `@fact(name:)` is not provided",
        ),
        (
            "type Query { f: Int @unknown }",
            "1:21: cannot find directive `@unknown` in this document",
        ),
        // Values that make no sense.
        (
            "type Query { f: Int @authz(purpose: [\"\"]) }",
            "1:38: `@authz(purpose:)` must not be empty",
        ),
        (
            "type Query { f: Int @authz(action: \"\") }",
            "1:36: `@authz(action:)` must not be empty",
        ),
        (
            "type Query { f(a: Int @fact(name: \"\")): Int }",
            "1:35: `@fact(name:)` must not be empty",
        ),
        (
            "type Query { f: Int @cost(weight: \"-1\") }",
            "1:21: `@cost(weight:)` is a decimal number from 0, not `-1`",
        ),
        (
            "type Query { f: [Int] @listSize(assumedSize: -1) }",
            "1:23: `@listSize(assumedSize:)` must not be negative",
        ),
        (
            "type Query { f: [Int] @listSize(slicingArguments: [\"first\"]) }",
            "1:23: `@listSize(slicingArguments:)` names `first`, which is no Int argument of `f`",
        ),
        (
            "type Query { f: [Int] @listSize(sizedFields: [\"x\"]) }",
            "1:23: `@listSize(sizedFields:)` names `x`, which is no list in `Int`",
        ),
        (
            "type Query { f: Int @listSize(assumedSize: 1) }",
            "1:21: `@listSize` is at `f`, which is no list, and names no `sizedFields`",
        ),
        (
            "type Query { f(a: In @fact(name: \"a\")): Int } input In { x: Int }",
            "1:22: `@fact` is for scalars and enums: annotate the fields of `In` instead",
        ),
        // What the parser drops without a word.
        (
            "type Query { f: Int @authz(stepUp true) }",
            "1:27: syntax error: unexpected `(`",
        ),
        (
            "type Query { f(a: In = {x}): Int } input In { x: Int }",
            "1:25: syntax error: unexpected `x`",
        ),
        // Printed in another form.
        (
            "schema { query: Query } \"\"\"a\"\"\" type Query implements & I & J { \"b\" f(\"c\" x: Int = 1): U @deprecated(reason: \"\"\" d \"\"\") }
             interface I { f: U } interface J { f: U } union U = | Query | B type B { x: Float } directive @d(query: E = X) repeatable on | FIELD | QUERY
             enum E { X @deprecated Y } extend type B @authz { query: Int } input N @oneOf { a: Int b: [Int!] } scalar S @specifiedBy(url: \"x\")",
            "",
        ),
        // Not GraphQL.
        (
            "type Query { f: Missing }",
            "1:17: cannot find type `Missing` in this document",
        ),
        (
            "type Query {",
            "1:13: syntax error: expected Field Definition",
        ),
        (query, ""),
        (
            "type Query { f: Int } query { f }",
            "1:23: a schema document must not contain an operation definition",
        ),
    ];
    for (sdl, expected) in cases {
        let errors = errors(sdl);
        let found = errors.first().map_or("", String::as_str);
        assert_eq!(found, *expected, "{sdl}\n{errors:#?}");
    }
}

#[test]
fn schemas_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Schema>();
}

#[test]
fn every_reason_is_listed() {
    let sdl = "type Query {\n  a: A\n  b: B @authz(x: 1)\n}";
    assert_eq!(errors(sdl).len(), 3);
}

#[test]
fn defaults_of_the_schemas_own_definition_count() {
    let schema = super::schema(
        "directive @authz(stepUp: Boolean = true) on FIELD_DEFINITION
         type Query { f: Int @authz, g: Int @authz(stepUp: false) }",
    );
    assert!(super::operation(&schema, "{ f }").step_up);
    assert!(!super::operation(&schema, "{ g }").step_up);
}

#[test]
fn limits() {
    let bytes = Limits {
        bytes: 10,
        ..Limits::SCHEMA
    };
    let invalid = Schema::parse("type Query { f: Int }", bytes).err();
    assert_eq!(
        invalid,
        Some(InvalidSchema::TooLarge {
            bytes: 21,
            limit: 10
        })
    );
    let tokens = Limits {
        tokens: 5,
        ..Limits::SCHEMA
    };
    let invalid = Schema::parse("type Query { f: Int }", tokens)
        .err()
        .unwrap();
    assert!(
        invalid.to_string().contains("token limit reached"),
        "{invalid}"
    );
    let nested = format!(
        "type Query {{ f: {}Int{} }}",
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let invalid = Schema::parse(&nested, Limits::SCHEMA).err().unwrap();
    assert!(
        invalid.to_string().contains("recursion limit reached"),
        "{invalid}"
    );
}

#[test]
fn long_chains_of_input_types_do_not_overflow_the_stack() {
    use std::fmt::Write as _;
    let mut sdl = "type Query { f(a: I0): Int }".to_owned();
    for level in 0..3000 {
        let _ = write!(sdl, " input I{level} {{ next: I{} }}", level + 1);
    }
    sdl.push_str(" input I3000 { id: ID @fact(name: \"deep\") @cost(weight: \"1\") }");
    let schema = super::schema(&sdl);
    let found = super::errors(&schema, "query($v: I0) { f(a: $v) }");
    assert_eq!(found.len(), 1);
    assert!(
        found[0].contains("nest deeper than 128 levels"),
        "{found:?}"
    );
}
