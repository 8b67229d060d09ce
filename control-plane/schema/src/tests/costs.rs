use super::{errors, operation, schema};
use crate::{Limits, compile};

const SDL: &str = r#"
    type Query {
        leaf: Int
        heavy: Int @cost(weight: "2.5")
        free: Box @cost(weight: "0")
        box: Box
        boxes: [Box]
        grid: [[Box]]
        assumed: [Box] @listSize(assumedSize: 3)
        sliced(first: Int, last: Int): [Box] @listSize(slicingArguments: ["first", "last"])
        loose(first: Int = 4, last: Int): [Box]
            @listSize(assumedSize: 7, slicingArguments: ["first", "last"], requireOneSlicingArgument: false)
        connection(first: Int): Connection @listSize(assumedSize: 7, slicingArguments: ["first"], sizedFields: ["edges"])
        arguments(a: Int @cost(weight: "2"), in: In, ins: [In]): Int
        costly: Costly
        node: Node
        any: Any
    }
    type Mutation { set: Int }
    type Box { leaf: Int, box: Box, boxes: [Box], money: Money }
    type Connection { edges: [Edge], total: Int }
    type Edge { node: Box }
    type Costly @cost(weight: "5") { x: Int }
    scalar Money @cost(weight: "0.5")
    input In { a: Int @cost(weight: "3"), in: In, b: Int }
    interface Node { x: Int @cost(weight: "3"), y: [Int] }
    type A implements Node { x: Int, y: [Int] @listSize(assumedSize: 50) }
    type B implements Node @cost(weight: "8") { x: Int @cost(weight: "9"), y: [Int] }
    union Any = A | Box
"#;

#[test]
fn of_operations() {
    let cases = [
        ("{ leaf }", 0),
        ("{ __typename }", 0),
        ("mutation { set }", 10),
        // 2.5 is rounded up, at the end.
        ("{ heavy }", 3),
        ("{ heavy a: heavy }", 5),
        // A response name costs once, as it is executed once.
        ("{ heavy heavy }", 3),
        ("{ box { leaf } }", 1),
        ("{ free { leaf } }", 0),
        ("{ box { box { box { leaf } } } }", 3),
        ("{ box { money } }", 2),
        ("{ boxes { leaf } }", 10),
        ("{ boxes { boxes { leaf } } }", 110),
        ("{ grid { leaf } }", 100),
        ("{ assumed { leaf } }", 3),
        ("{ assumed { box { leaf } } }", 6),
        ("{ sliced(first: 5) { leaf } }", 5),
        ("{ sliced(first: -5) { leaf } }", 10),
        ("query($n: Int = 6) { sliced(last: $n) { leaf } }", 6),
        ("query($n: Int) { sliced(last: $n) { leaf } }", 10),
        ("{ loose { leaf } }", 4),
        ("{ loose(last: 20) { leaf } }", 20),
        ("{ loose(first: null) { leaf } }", 7),
        ("query($n: Int) { loose(first: $n) { leaf } }", 7),
        // `edges` has the size that its parent says, also in a fragment.
        (
            "{ connection(first: 4) { edges { node { leaf } } total } }",
            1 + 4 * 2,
        ),
        (
            "{ connection(first: 4) { ...C } } fragment C on Connection { edges { node { leaf } } }",
            1 + 4 * 2,
        ),
        (
            "{ a: connection(first: 4) { ...C } b: connection(first: 2) { ...C } }
             fragment C on Connection { edges { node { leaf } } }",
            1 + 4 * 2 + 1 + 2 * 2,
        ),
        (
            "query($n: Int) { connection(first: $n) { edges { node { leaf } } } }",
            1 + 7 * 2,
        ),
        ("{ arguments(a: 1) }", 2),
        ("{ arguments(in: {a: 1, in: {a: 1, b: 2}}) }", 6),
        ("{ arguments(ins: [{a: 1}, {a: 1}]) }", 6),
        ("{ costly { x } }", 5),
        // The most of what it may be.
        ("{ node { __typename } }", 8),
        ("{ node { x } }", 8 + 9),
        ("{ any { ... on A { x } } }", 1 + 3),
        ("{ node { y } }", 8),
        // Merged selections and fragments cost once.
        ("{ box { leaf } box { box { leaf } } }", 2),
        (
            "{ box { ...F ...F } } fragment F on Box { box { leaf } }",
            2,
        ),
        (
            "{ any { ... on A { n: x } ... on Box { b: box { leaf } } } }",
            1 + 3 + 1,
        ),
        ("query($s: Boolean!) { box @skip(if: $s) { leaf } }", 1),
        // Introspection costs like other fields.
        (
            "{ __schema { types { fields { name } } } }",
            1 + 10 * (1 + 10),
        ),
    ];
    let schema = schema(SDL);
    for (text, expected) in cases {
        assert_eq!(operation(&schema, text).cost, expected, "{text}");
    }
}

#[test]
fn of_a_recursive_input_is_bounded() {
    let schema = schema(SDL);
    let operation = operation(&schema, "query($v: In) { arguments(in: $v) }");
    // Three for each level that is looked at.
    assert_eq!(operation.cost, 3 * 16);
}

#[test]
fn one_slicing_argument_is_required() {
    let schema = schema(SDL);
    for text in [
        "{ sliced { leaf } }",
        "{ sliced(first: 1, last: 1) { leaf } }",
        "{ sliced(first: null) { leaf } }",
    ] {
        let expected = "1:3: `sliced` takes exactly one of `first`, `last`, to bound its size";
        assert_eq!(errors(&schema, text), [expected], "{text}");
    }
}

#[test]
fn saturates() {
    let schema = schema(SDL);
    let nested = |levels: usize| {
        let open = "boxes { ".repeat(levels);
        format!("{{ {open} leaf {} }}", "}".repeat(levels))
    };
    assert_eq!(operation(&schema, &nested(9)).cost, 1_111_111_110);
    assert_eq!(operation(&schema, &nested(10)).cost, u32::MAX);
    assert_eq!(operation(&schema, &nested(40)).cost, u32::MAX);
}

/// Fragments of which each spreads the next one twice.
pub(super) fn doubling(levels: usize, spread: &str) -> String {
    use std::fmt::Write as _;
    let mut text = "query Q { box { ...F0 } }".to_owned();
    for level in 0..levels {
        let next = level + 1;
        let spread = spread.replace("NEXT", &format!("...F{next}"));
        let _ = write!(text, " fragment F{level} on Box {{ {spread} }}");
    }
    let _ = write!(text, " fragment F{levels} on Box {{ leaf }}");
    text
}

#[test]
fn doubling_fragments_take_no_exponential_time() {
    let schema = schema(SDL);
    let start = std::time::Instant::now();
    // Spread twice, a fragment is selected once.
    assert_eq!(operation(&schema, &doubling(30, "NEXT NEXT")).cost, 1);
    // Under two names it is not: one box, and two for each one above.
    let text = doubling(30, "a: box { NEXT } b: box { NEXT }");
    assert_eq!(operation(&schema, &text).cost, (1 << 31) - 1);
    let text = doubling(40, "a: box { NEXT } b: box { NEXT }");
    assert_eq!(operation(&schema, &text).cost, u32::MAX);
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn work_is_bounded() {
    let schema = schema(SDL);
    let limits = Limits {
        steps: 3,
        ..Limits::DOCUMENT
    };
    let invalid = compile(&schema, "{ a: leaf b: leaf c: leaf d: leaf }", limits).unwrap_err();
    let expected = "compiling the document takes more than 3 steps";
    assert_eq!(invalid.to_string(), expected);
}
