use super::{errors, facts, operation, schema};

const SDL: &str = r#"
    scalar JSON
    enum Kind { RED, BLUE }
    directive @note(id: ID @fact(name: "noted"), leaf: Leaf) on FIELD | QUERY | VARIABLE_DEFINITION | FRAGMENT_DEFINITION
    type Query {
        f(
            id: ID @fact(name: "id")
            ids: [ID!] @fact(name: "ids")
            grid: [[Int]] @fact(name: "grid")
            kind: Kind @fact(name: "kind")
            json: JSON @fact(name: "json")
            size: Int = 5 @fact(name: "size")
            twice: Int @fact(name: "size")
            leaf: Leaf
            leaves: [Leaf]
            mid: Mid
            plain: String
            tree: Tree
            filter: Filter
            wide: Wide
        ): F
        d(leaf: Leaf = {id: "z"}): Int
        node: Node
    }
    input Leaf { id: ID @fact(name: "leaf"), tag: String = "t" @fact(name: "tag"), plain: String }
    input Mid { leaf: Leaf, leaves: [Leaf!], def: Leaf = {id: "d"}, kinds: [Kind] = [RED] @fact(name: "kind") }
    input Tree { left: Tree, right: Tree, value: ID @fact(name: "tree") }
    input Filter { and: [Filter], name: String }
    input Wide { a: Filter, b: Leaf }
    type F { f(id: ID @fact(name: "inner")): F }
    interface Node { get(a: ID = "i"): Int }
    type One implements Node { get(a: ID = "o" @fact(name: "one"), more: ID = "m" @fact(name: "more")): Int }
    type Two implements Node { get(a: ID = "i"): Int }
"#;

#[test]
fn sources() {
    let size = "size=5";
    let cases: &[(&str, &[&str])] = &[
        // Absent: the schema's default, if any.
        ("{ f { __typename } }", &[size]),
        ("{ f(plain: \"x\", size: 1) { __typename } }", &["size=1"]),
        // Literals.
        (
            r#"{ f(id: "a\"b") { __typename } }"#,
            &[r#"id="a\"b""#, size],
        ),
        // As ID coerces it.
        ("{ f(id: 7) { __typename } }", &["id=\"7\"", size]),
        ("{ f(id: null) { __typename } }", &["id=null", size]),
        ("{ f(kind: RED) { __typename } }", &["kind=\"RED\"", size]),
        ("{ f(size: null) { __typename } }", &["size=null"]),
        (
            "{ f(size: 1, twice: 2) { __typename } }",
            &["size=1", "size=2"],
        ),
        ("{ f(ids: []) { __typename } }", &[size]),
        ("{ f(ids: null) { __typename } }", &["ids=null", size]),
        (
            "{ f(ids: [\"a\", \"b\", \"a\"]) { __typename } }",
            &["ids=\"a\"", "ids=\"b\"", size],
        ),
        ("{ f(ids: \"a\") { __typename } }", &["ids=\"a\"", size]),
        (
            "{ f(grid: [[1, 2], 3, [null]]) { __typename } }",
            &["grid=1", "grid=2", "grid=3", "grid=null", size],
        ),
        (
            "{ f(json: {a: [1, RED, {b: -1.5e3}], c: \"\"}) { __typename } }",
            &[r#"json={"a":[1,"RED",{"b":-1.5e3}],"c":""}"#, size],
        ),
        ("{ f(leaf: null) { __typename } }", &[size]),
        ("{ f(leaf: {}) { __typename } }", &[size, "tag=\"t\""]),
        (
            "{ f(leaf: {id: 1, tag: null}) { __typename } }",
            &["leaf=\"1\"", size, "tag=null"],
        ),
        (
            "{ f(leaves: {id: 1, tag: \"u\"}) { __typename } }",
            &["leaf=\"1\"", size, "tag=\"u\""],
        ),
        (
            "{ f(mid: {}) { __typename } }",
            &["kind=\"RED\"", "leaf=\"d\"", size, "tag=\"t\""],
        ),
        ("{ d }", &["leaf=\"z\"", "tag=\"t\""]),
        ("{ d(leaf: null) }", &[]),
        // Variables.
        (
            "query($v: ID!) { f(id: $v) { __typename } }",
            &["id=$v", size],
        ),
        (
            "query($v: ID = 7) { f(id: $v) { __typename } }",
            &["id=$v?7", size],
        ),
        // Left out, it leaves the argument out.
        (
            "query($v: Int) { f(size: $v) { __typename } }",
            &["size=$v?5"],
        ),
        (
            "query($v: Int = 9) { f(size: $v) { __typename } }",
            &["size=$v?9"],
        ),
        (
            "query($v: Int = null) { f(size: $v) { __typename } }",
            &["size=$v?null"],
        ),
        (
            "query($v: [ID!]) { f(ids: $v) { __typename } }",
            &["ids=$v[]", size],
        ),
        (
            "query($v: [[Int]]) { f(grid: $v) { __typename } }",
            &["grid=$v[][]", size],
        ),
        // In a list, left out is null.
        (
            "query($v: Int) { f(grid: [[1, $v]]) { __typename } }",
            &["grid=1", "grid=$v?null", size],
        ),
        (
            "query($v: [Int]) { f(grid: [$v]) { __typename } }",
            &["grid=$v?null[]", size],
        ),
        (
            "query($v: ID!) { f(ids: [\"a\", $v]) { __typename } }",
            &["ids=\"a\"", "ids=$v?null", size],
        ),
        (
            "query($v: JSON) { f(json: $v) { __typename } }",
            &["json=$v", size],
        ),
        (
            "query($v: Leaf) { f(leaf: $v) { __typename } }",
            &["leaf=$v.id", size, "tag=$v.tag?\"t\""],
        ),
        (
            "query($v: Leaf = {id: 1, plain: \"p\"}) { f(leaf: $v) { __typename } }",
            &[
                r#"leaf=$v?{"id":1,"plain":"p"}.id"#,
                size,
                r#"tag=$v?{"id":1,"plain":"p"}.tag?"t""#,
            ],
        ),
        (
            "query($v: Leaf) { d(leaf: $v) }",
            &[r#"leaf=$v?{"id":"z"}.id"#, r#"tag=$v?{"id":"z"}.tag?"t""#],
        ),
        (
            "query($v: [Leaf]) { f(leaves: $v) { __typename } }",
            &["leaf=$v[].id", size, "tag=$v[].tag?\"t\""],
        ),
        (
            "query($v: Mid) { f(mid: $v) { __typename } }",
            &[
                r#"kind=$v.kinds?["RED"][]"#,
                r#"leaf=$v.def?{"id":"d"}.id"#,
                "leaf=$v.leaf.id",
                "leaf=$v.leaves[].id",
                size,
                r#"tag=$v.def?{"id":"d"}.tag?"t""#,
                "tag=$v.leaf.tag?\"t\"",
                "tag=$v.leaves[].tag?\"t\"",
            ],
        ),
        // Both.
        (
            "query($v: ID) { f(leaf: {id: $v}) { __typename } }",
            &["leaf=$v", size, "tag=\"t\""],
        ),
        (
            "query($v: String) { f(leaf: {tag: $v}) { __typename } }",
            &[size, "tag=$v?\"t\""],
        ),
        (
            "query($v: Leaf) { f(leaves: [$v, {id: 2}]) { __typename } }",
            &[
                "leaf=\"2\"",
                "leaf=$v?null.id",
                size,
                "tag=\"t\"",
                "tag=$v?null.tag?\"t\"",
            ],
        ),
        // Nested fields, fragments and aliases.
        (
            "{ f { a: f(id: 1) { __typename } ...G } } fragment G on F { f(id: 2) { f(id: 3) { __typename } } }",
            &["inner=\"1\"", "inner=\"2\"", "inner=\"3\"", size],
        ),
        // Recursive types: literals end, and without facts nothing matters.
        (
            "{ f(tree: {value: 1, left: {value: 2}}) { __typename } }",
            &[size, "tree=\"1\"", "tree=\"2\""],
        ),
        (
            "query($v: Filter) { f(filter: $v) { __typename } }",
            &[size],
        ),
        (
            "query($v: Wide) { f(wide: $v) { __typename } }",
            &["leaf=$v.b.id", size, "tag=$v.b.tag?\"t\""],
        ),
        (
            "query($v: ID) { f(tree: {value: $v}) { __typename } }",
            &[size, "tree=$v"],
        ),
        // Directives take values too, wherever they stand.
        ("{ f @note(id: 1) { __typename } }", &["noted=\"1\"", size]),
        (
            "query @note(leaf: {id: 1}) { node { __typename } }",
            &["leaf=\"1\"", "tag=\"t\""],
        ),
        (
            "query($v: ID @note(id: 2)) { f(id: $v) { __typename } }",
            &["id=$v", "noted=\"2\"", size],
        ),
        (
            "query($v: Leaf) { node { ...N } } fragment N on Node @note(leaf: $v) { __typename }",
            &["leaf=$v.id", "tag=$v.tag?\"t\""],
        ),
        // An interface's field may be any of its objects', with their defaults
        // and with arguments that the interface does not have.
        ("{ node { get } }", &["more=\"m\"", "one=\"o\""]),
        ("{ node { get(a: 1) } }", &["more=\"m\"", "one=\"1\""]),
        (
            "query($v: ID) { node { get(a: $v) } }",
            &["more=\"m\"", "one=$v?\"o\""],
        ),
        ("{ node { ... on Two { get(a: 1) } } }", &[]),
    ];
    let schema = schema(SDL);
    for (text, expected) in cases {
        let mut found = facts(&operation(&schema, text));
        let mut expected: Vec<_> = expected.iter().map(ToString::to_string).collect();
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn facts_are_ascending_and_distinct() {
    let operation = operation(
        &schema(SDL),
        "query($v: ID) { f(id: $v, kind: RED) { __typename } b: f(kind: BLUE, id: $v) { __typename } }",
    );
    let expected = ["id=$v", "kind=\"BLUE\"", "kind=\"RED\"", "size=5"];
    assert_eq!(facts(&operation), expected);
}

#[test]
fn an_interface_speaks_for_its_objects() {
    let schema = schema(
        r#"
        type Query { o: O }
        interface I { get(a: ID @fact(name: "a")): Int }
        type O implements I { get(a: ID): Int }
        "#,
    );
    assert_eq!(
        facts(&operation(&schema, "{ o { get(a: 1) } }")),
        ["a=\"1\""]
    );
}

#[test]
fn what_cannot_be_recorded() {
    let cases: &[(&str, &[&str])] = &[
        (
            "query($v: Tree) { f(tree: $v) { __typename } }",
            &[
                "1:27: fact `tree` is below `$v` in the recursive input type `Tree`: the places it can come from have no end",
            ],
        ),
        (
            "query($v: Tree) { f(tree: {left: {right: $v}}) { __typename } }",
            &[
                "1:27: fact `tree` is below `$v` in the recursive input type `Tree`: the places it can come from have no end",
            ],
        ),
        (
            "query($v: Int) { f(json: {a: [$v]}) { __typename } }",
            &[
                "1:26: fact `json` is given a `JSON` with `$v` inside: pass the whole value by a variable",
            ],
        ),
    ];
    let schema = schema(SDL);
    for (text, expected) in cases {
        assert_eq!(errors(&schema, text), *expected, "{text}");
    }
}
