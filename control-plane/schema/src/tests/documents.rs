use std::fmt::Write as _;
use std::time::Instant;

use super::costs::doubling;
use super::{errors, schema};
use crate::{InvalidDocument, Limits, compile};

const SDL: &str = "type Query { box: Box, f(l: [[Int]], o: In): Int } type Box { leaf: Int, box: Box, boxes: [Box] } input In { in: In, x: Int }";

#[test]
fn reasons() {
    let cases: &[(&str, &[&str])] = &[
        (
            "{",
            &[
                "1:2: syntax error: expected at least one Selection in Selection Set",
                "1:2: syntax error: expected R_CURLY, got EOF",
            ],
        ),
        // What the parser drops without a word.
        ("{ f(o) }", &["1:4: syntax error: unexpected `(`"]),
        ("{ f(o: {x}) }", &["1:9: syntax error: unexpected `x`"]),
        (
            "{ f(o: {x: 1 in}) }",
            &["1:14: syntax error: unexpected `in`"],
        ),
        (
            "{ f @skip(if true) }",
            &["1:10: syntax error: unexpected `(`"],
        ),
        // Descriptions of operations are too new for the parser.
        (
            "\"why\" query A { f }",
            &["1:1: syntax error: expected an Operation Type or a Selection Set"],
        ),
        (
            "{ nope }",
            &["1:3: type `Query` does not have a field `nope`"],
        ),
        (
            "query A { nope }\n\nquery B {\n  box { leaf } f(x: \"é\") nix\n}",
            &[
                "1:11: type `Query` does not have a field `nope`",
                "4:18: the argument `x` is not supported by `Query.f`",
                "4:26: type `Query` does not have a field `nix`",
            ],
        ),
        (
            "{ box }",
            &["1:3: interface, union and object types must have a subselection set"],
        ),
        (
            "{ box { leaf @nope } }",
            &["1:14: cannot find directive `@nope` in this document"],
        ),
        (
            "{ box { leaf @skip } }",
            &["1:14: the required argument `@skip(if:)` is not provided"],
        ),
        (
            "{ box { leaf @skip(if: true, unless: 1) } }",
            &["1:30: the argument `unless` is not supported by `@skip`"],
        ),
        (
            "{ box { leaf(x: 1) } }",
            &["1:14: the argument `x` is not supported by `Box.leaf`"],
        ),
        (
            "query A { box { leaf } } query A { box { leaf } }",
            &["1:32: the operation `A` is defined multiple times in the document"],
        ),
        (
            "{ box { leaf } } query A { box { leaf } }",
            &[
                "1:1: anonymous operation cannot be selected when the document contains other operations",
            ],
        ),
        (
            "type X { y: Int }",
            &["1:1: an executable document must not contain an object type definition"],
        ),
        ("", &["1:1: syntax error: Unexpected <EOF>."]),
        ("# nothing", &["1:10: syntax error: Unexpected <EOF>."]),
        (
            "{ box { ...A } } fragment A on Box { ...B } fragment B on Box { ...A }",
            &["1:18: `A` fragment cannot reference itself"],
        ),
    ];
    let schema = schema(SDL);
    for (text, expected) in cases {
        assert_eq!(errors(&schema, text), *expected, "{text}");
    }
}

#[test]
fn a_byte_order_mark_and_unicode_are_fine() {
    let schema = schema(SDL);
    compile(
        &schema,
        "\u{feff}{ box { leaf } } # \u{1f600}",
        Limits::DOCUMENT,
    )
    .unwrap();
}

#[test]
fn limits() {
    let schema = schema(SDL);
    let long = format!("{{ box {{ leaf }} }} #{}", "x".repeat(1 << 20));
    assert_eq!(
        compile(&schema, &long, Limits::DOCUMENT),
        Err(InvalidDocument::TooLarge {
            bytes: long.len(),
            limit: 256 << 10
        })
    );
    let wide = format!("{{ box {{ {} }} }}", "leaf ".repeat(51_000));
    assert!(errors(&schema, &wide)[0].contains("token limit reached"));
}

/// Nesting of every kind that the grammar has.
#[test]
fn depth_bombs() {
    let schema = schema(SDL);
    let bombs = |levels: usize| {
        let close = "}".repeat(levels);
        let list = format!("{{ f(l: {}{}) }}", "[".repeat(levels), "]".repeat(levels));
        let object = format!("{{ f(o: {}{{}}{close}) }}", "{in: ".repeat(levels));
        let variable = format!(
            "query($v: {}Int{}) {{ f(l: $v) }}",
            "[".repeat(levels),
            "]".repeat(levels)
        );
        let fields = format!("{{ {} leaf {close} }}", "box { ".repeat(levels));
        let inline = format!("{{ {} box {{ leaf }} {close} }}", "... { ".repeat(levels));
        [list, object, variable, fields, inline]
    };
    for levels in [127, 300, 2_000, 9_000, 20_000] {
        for text in bombs(levels) {
            // Some are valid below the limit; none may overflow the stack.
            let result = compile(&schema, &text, Limits::DOCUMENT);
            assert!(levels < 200 || result.is_err(), "{levels}: {}", &text[..40]);
        }
    }
}

#[test]
fn fragment_chains_count_towards_the_depth() {
    let schema = schema(SDL);
    for (levels, accepted) in [(20, true), (90, false), (1000, false)] {
        let text = doubling(levels, "box { NEXT }");
        let result = compile(&schema, &text, Limits::DOCUMENT);
        assert_eq!(result.is_ok(), accepted, "{levels}: {result:?}");
    }
}

#[test]
fn a_document_of_one_megabyte() {
    let schema = schema(SDL);
    let mut text = "{".to_owned();
    for number in 0..50_000 {
        let _ = write!(text, " a{number}: box {{ leaf }}\n   ");
    }
    text.push('}');
    assert!(text.len() > 1_000_000);
    let limits = Limits {
        bytes: 2 << 20,
        tokens: 1_000_000,
        steps: 1_000_000,
        ..Limits::DOCUMENT
    };
    let start = Instant::now();
    let operations = compile(&schema, &text, limits).unwrap();
    assert_eq!(operations[0].cost, 50_000);
    println!("{} bytes: {:?}", text.len(), start.elapsed());
    assert!(start.elapsed().as_secs() < 20);
}

/// Documents that are as large as the limits let them be take seconds at most,
/// without optimisation.
#[test]
fn large_documents_take_bounded_time() {
    let schema = schema(SDL);
    let mut aliases = "{".to_owned();
    for number in 0..3000 {
        let _ = write!(aliases, " a{number}: box {{ ...F }}");
    }
    aliases.push_str(" } fragment F on Box { box { leaf } b: box { leaf } }");
    let mut unknown = "{".to_owned();
    for number in 0..19_000 {
        let _ = write!(unknown, " nope{number}");
    }
    unknown.push('}');
    let same = format!("{{ {} }}", "box { leaf } ".repeat(4_500));
    let mut fragments = "{ box {".to_owned();
    for number in 0..1_500 {
        let _ = write!(fragments, " ...F{number}");
    }
    fragments.push_str(" } }");
    for number in 0..1_500 {
        let _ = write!(
            fragments,
            " fragment F{number} on Box {{ x{number}: leaf }}"
        );
    }
    let twice = doubling(90, "NEXT NEXT");
    let merged = doubling(40, "box { NEXT } box { NEXT }");
    let apart = doubling(40, "a: box { NEXT } b: box { NEXT }");
    for (name, text) in [
        ("aliases", aliases),
        ("unknown", unknown),
        ("same", same),
        ("fragments", fragments),
        ("twice", twice),
        ("merged", merged),
        ("apart", apart),
    ] {
        let start = Instant::now();
        let result = compile(&schema, &text, Limits::DOCUMENT);
        let reasons = result
            .err()
            .map_or(0, |invalid| invalid.into_reasons().len());
        let elapsed = start.elapsed();
        println!(
            "{name}: {} bytes, {reasons} reasons, {elapsed:?}",
            text.len()
        );
        assert!(elapsed.as_secs() < 20, "{name}: {elapsed:?}");
    }
}
