use ig_contract::TextHash;
use ig_contract::snapshot::OperationKind;

use super::{Catalogue, Format, Import, InvalidCatalogue, Reject, Source, import};
use crate::{Limits, Schema};

const SDL: &str = "type Query { a: Int, b: Int, box: Box } type Mutation { set: Int } type Box { x: Int, y: Int, box: Box }";
const A: &str = "query A { a }";
const B: &str = "query B { b }";

fn parse(text: &str) -> Catalogue {
    Catalogue::parse(text, None, Limits::CATALOGUE).unwrap()
}

fn imported(catalogue: Catalogue) -> Import {
    let schema = Schema::parse(SDL, Limits::SCHEMA).unwrap();
    import(&schema, catalogue, Limits::DOCUMENT, &mut |_, _| {})
}

/// Entries as `text ids clients`.
fn entries(catalogue: &Catalogue) -> Vec<String> {
    let entries = catalogue.entries.iter();
    entries
        .map(|entry| {
            format!(
                "{} {} {}",
                entry.text,
                entry.ids.join(","),
                entry.clients.join(",")
            )
        })
        .collect()
}

/// Rejects as `ids|name|reasons`.
fn rejects(rejected: &[Reject]) -> Vec<String> {
    let show = |reject: &Reject| {
        let reasons: Vec<_> = reject.reasons.iter().map(ToString::to_string).collect();
        let name = reject.name.as_deref().unwrap_or_default();
        format!("{}|{name}|{}", reject.ids.join(","), reasons.join("; "))
    };
    rejected.iter().map(show).collect()
}

fn sha256(text: &str) -> String {
    TextHash::of(text.as_bytes()).to_string()
}

fn manifest(operations: &str) -> String {
    format!(
        r#"{{"format":"apollo-persisted-query-manifest","version":1,"operations":[{operations}]}}"#
    )
}

#[test]
fn sniffing() {
    let cases = [
        (manifest("").as_str(), Format::ApolloManifest),
        (r#"{"version": 7, "operations": 1}"#, Format::ApolloManifest),
        ("{}", Format::IdMap),
        (" \n\u{9}{ \"a\": \"{ a }\" }", Format::IdMap),
        ("\u{feff}{\"a\": \"{ a }\"}", Format::IdMap),
        ("[[\"a\", \"{ a }\"]]", Format::IdMap),
        ("[]", Format::IdMap),
        ("{ a }", Format::Documents),
        ("{a}", Format::Documents),
        ("{ # \"x\"\n a }", Format::Documents),
        ("# {\"a\"\nquery A { a }", Format::Documents),
        ("\u{feff}query A { a }", Format::Documents),
        ("", Format::Documents),
    ]
    .map(|(text, format)| (text.to_owned(), format));
    for (text, expected) in cases {
        assert_eq!(Format::sniff(&text), expected, "{text}");
    }
}

#[test]
fn files_that_are_no_catalogue() {
    let cases = [
        (
            r#"{"format":"other","version":1,"operations":[]}"#,
            None,
            "format `other`, version 1",
        ),
        (&manifest("").replace(":1,", ":2,"), None, "version 2"),
        (
            &manifest("").replace(":1,", ":\"1\","),
            None,
            "version \"1\"",
        ),
        (
            r#"{"format":"apollo-persisted-query-manifest","operations":[]}"#,
            None,
            "missing field `version`",
        ),
        (
            &manifest("").replace('}', ",\"operations\":[]}"),
            None,
            "duplicate field `operations`",
        ),
        (r#"{"a": "#, None, "EOF while parsing"),
        (r#"{"a": "{ a }"} x"#, None, "trailing characters"),
        (r#"[["a"]]"#, None, "invalid length 1"),
        (r#"["a"]"#, None, "invalid type: string"),
        ("{ a", None, "expected R_CURLY"),
        (
            "{}",
            Some(Format::Documents),
            "expected at least one Selection",
        ),
        ("{ a }", Some(Format::IdMap), "key must be a string"),
        (
            "type Query { a: Int }",
            None,
            "1:1: type definitions are not part of a catalogue",
        ),
    ];
    for (text, format, expected) in cases {
        let invalid = Catalogue::parse(text, format, Limits::CATALOGUE).unwrap_err();
        assert!(invalid.to_string().contains(expected), "{text}: {invalid}");
    }
    let limits = Limits {
        bytes: 3,
        ..Limits::CATALOGUE
    };
    let invalid = Catalogue::parse("{ a }", None, limits);
    assert!(matches!(
        invalid,
        Err(InvalidCatalogue::TooLarge { bytes: 5, limit: 3 })
    ));
}

#[test]
fn apollo_manifest() {
    let entry =
        |id: &str, body: &str, rest: &str| format!(r#"{{"id":"{id}","body":"{body}"{rest}}}"#);
    let (a, b) = (sha256(A), sha256(B));
    let wrong = sha256("other");
    let upper = a.to_uppercase();
    let cases: Vec<(String, Vec<String>, Vec<String>)> = vec![
        (
            entry(&a, A, r#","name":"A","type":"query","unknown":{"x":[]}"#),
            vec![format!("{A} {a} ")],
            vec![],
        ),
        // One text for two clients, and for two clients and every client.
        (
            format!("{},{}", entry(&a, A, r#","clientName":"web""#), entry(&a, A, r#","clientName":"ios""#)),
            vec![format!("{A} {a} web,ios")],
            vec![],
        ),
        (
            format!("{},{}", entry(&a, A, r#","clientName":"web""#), entry(&a, A, "")),
            vec![format!("{A} {a} ")],
            vec![],
        ),
        // Two ids.
        (format!("{},{}", entry("x", A, ""), entry(&a, A, "")), vec![format!("{A} x,{a} ")], vec![]),
        // One bad entry leaves the others.
        (
            format!("{},{}", entry(&wrong, A, r#","name":"A""#), entry(&b, B, "")),
            vec![format!("{B} {b} ")],
            vec![format!("{wrong}|A|the id is a SHA-256, but not that of the text, which is {a}")],
        ),
        (
            entry(&upper, A, ""),
            vec![],
            vec![format!("{upper}||the id has 64 hex digits, but not in lower case")],
        ),
        (
            entry(&format!("sha256:{b}"), A, ""),
            vec![],
            vec![format!("sha256:{b}||the id is a SHA-256, but not that of the text, which is {a}")],
        ),
        (
            entry("a b", A, ""),
            vec![],
            vec!["a b||the id is not valid: an id has visible ASCII characters only".to_owned()],
        ),
        (
            entry("x", A, r#","clientName":"""#),
            vec![],
            vec!["x||`clientName` is empty".to_owned()],
        ),
        (
            format!("{},{}", entry("x", A, ""), entry("x", B, "")),
            vec![],
            vec![
                "x||conflict: the id `x` has 2 different texts".to_owned(),
                "x||conflict: the id `x` has 2 different texts".to_owned(),
            ],
        ),
        (
            r#"{"id":"x"},{"id":"x","id":"y","body":""},{"id":1,"body":""},7"#.to_owned(),
            vec![],
            vec![
                "||operation 0 of the manifest: missing field `body` at line 1 column 10".to_owned(),
                "||operation 1 of the manifest: duplicate field `id` at line 1 column 14".to_owned(),
                "||operation 2 of the manifest: invalid type: integer `1`, expected a string at line 1 column 7".to_owned(),
                "||operation 3 of the manifest: invalid type: integer `7`, expected an operation at line 1 column 1".to_owned(),
            ],
        ),
    ];
    for (operations, expected, rejected) in cases {
        let catalogue = parse(&manifest(&operations));
        assert_eq!(entries(&catalogue), expected, "{operations}");
        assert_eq!(rejects(&catalogue.rejected), rejected, "{operations}");
    }
}

#[test]
fn claims_of_a_manifest_must_hold() {
    let entry = |name: &str, kind: &str| {
        let a = sha256(A);
        manifest(&format!(
            r#"{{"id":"{a}","body":"{A}","name":"{name}","type":"{kind}"}}"#
        ))
    };
    let cases = [
        (entry("A", "query"), ""),
        (
            entry("B", "query"),
            "the catalogue says `query B`, but the text has no such operation",
        ),
        (
            entry("A", "mutation"),
            "the catalogue says `mutation A`, but the text has no such operation",
        ),
    ];
    for (text, expected) in cases {
        let import = imported(parse(&text));
        let found: Vec<_> = import
            .rejected
            .iter()
            .flat_map(|reject| &reject.reasons)
            .collect();
        let found = found.first().map_or("", |reason| reason.message.as_str());
        assert_eq!(found, expected, "{text}");
        assert_eq!(import.accepted.len(), usize::from(expected.is_empty()));
    }
}

#[test]
fn id_map() {
    let a = sha256(A);
    /// File, entries, rejects and duplicates.
    type Case = (String, Vec<String>, Vec<String>, Vec<&'static str>);
    let cases: Vec<Case> = vec![
        ("{}".to_owned(), vec![], vec![], vec![]),
        (
            format!(r#"{{"x":"{A}","y":"{B}"}}"#),
            vec![format!("{A} x "), format!("{B} y ")],
            vec![],
            vec![],
        ),
        (
            format!(r#"[["x","{A}"],["y","{B}"]]"#),
            vec![format!("{A} x "), format!("{B} y ")],
            vec![],
            vec![],
        ),
        (
            format!(r#"{{"{a}":"{A}","md5":"{A}"}}"#),
            vec![format!("{A} {a},md5 ")],
            vec![],
            vec![],
        ),
        // A key twice.
        (
            format!(r#"{{"x":"{A}","x":"{A}"}}"#),
            vec![format!("{A} x ")],
            vec![],
            vec!["x"],
        ),
        (
            format!(r#"{{"x":"{A}","z":"{A}","x":"{B}","y":"query C {{ a }}"}}"#),
            vec!["query C { a } y ".to_owned()],
            vec![
                "x,z||conflict: the id `x` has 2 different texts".to_owned(),
                "x||conflict: the id `x` has 2 different texts".to_owned(),
            ],
            vec![],
        ),
        (
            format!(r#"{{"x":7,"y":null,"z":"{A}"}}"#),
            vec![format!("{A} z ")],
            vec![
                "x||the text is not a string".to_owned(),
                "y||the text is not a string".to_owned(),
            ],
            vec![],
        ),
    ];
    for (text, expected, rejected, duplicates) in cases {
        let catalogue = parse(&text);
        assert_eq!(entries(&catalogue), expected, "{text}");
        assert_eq!(rejects(&catalogue.rejected), rejected, "{text}");
        assert_eq!(catalogue.duplicates, duplicates, "{text}");
    }
}

#[test]
fn documents_have_just_their_fragments() {
    let catalogue = parse(
        "fragment Z on Box { x ...M }\n# all of it\nquery Q1 {\r\n  box { ...Z, ...A }\r\n}\nfragment A on Box { y }
         query Q2 { box { ... on Box { box { ...A } } } } fragment M on Box { y } fragment Unused on Box { x }
         mutation Q3 { set } query Q4 { a }",
    );
    let expected = [
        "query Q1{box{...Z ...A}}fragment A on Box{y}fragment M on Box{y}fragment Z on Box{x ...M}  ",
        "query Q2{box{...on Box{box{...A}}}}fragment A on Box{y}  ",
        "mutation Q3{set}  ",
        "query Q4{a}  ",
    ];
    assert_eq!(entries(&catalogue), expected);
    assert!(catalogue.rejected.is_empty());
    let kinds = catalogue.entries.iter().map(|entry| entry.claims[0].kind);
    assert_eq!(
        kinds
            .filter(|kind| *kind == Some(OperationKind::Mutation))
            .count(),
        1
    );
    assert_eq!(imported(catalogue).accepted.len(), 4);
}

#[test]
fn documents_do_not_depend_on_order_or_format() {
    let one =
        parse("query Q { box { ...A ...B } } fragment A on Box { x } fragment B on Box { y }");
    let other = parse(
        "fragment B on Box {\r\n  y # why\r\n}\nfragment A on Box { x, }\nquery Q{box{...A,...B}}",
    );
    assert_eq!(entries(&one), entries(&other));
}

#[test]
fn sources_share_fragments() {
    let source = |name, text| Source { name, text };
    let sources = [
        source("a.graphql", "query Q { box { ...A } } query Same { a }"),
        source("b.graphql", "fragment A on Box { x } query Same {a} { b }"),
        source(
            "c.graphql",
            "query Differ { a } query Z { box { ...Two } } fragment Two on Box { x }",
        ),
        source(
            "d.graphql",
            "query Differ { b } fragment Two on Box { y } query Lost { box { ...Missing } }",
        ),
        source("e.graphql", "query Broken { a"),
        source("f.graphql", "type X { y: Int }"),
        source("g.graphql", "\n\nquery Nope {\n  box { ...Nix }\n}"),
        source("h.graphql", "fragment Nix on Box {\n  x\n  nix\n}"),
        source(
            "i.graphql",
            "query Loop { box { ...Loop } } fragment Loop on Box { ...Loop }",
        ),
    ];
    let catalogue = Catalogue::from_sources(&sources, Limits::CATALOGUE);
    let import = imported(catalogue);
    let accepted: Vec<_> = import
        .accepted
        .iter()
        .map(|document| document.text.as_str())
        .collect();
    let expected = [
        "query Q{box{...A}}fragment A on Box{x}",
        "query Same{a}",
        "{b}",
    ];
    assert_eq!(accepted, expected);
    let expected = [
        "||e.graphql:1:17: syntax error: expected R_CURLY, got EOF",
        "||f.graphql:1:1: type definitions are not part of a catalogue: is this a schema?",
        "|Differ|conflict: there are several operations `Differ`",
        "|Z|conflict: there are several fragments `Two`",
        "|Differ|conflict: there are several operations `Differ`",
        "|Lost|d.graphql:1:65: cannot find fragment `Missing` in this document",
        // Where it is, not where it is used.
        "|Nope|h.graphql:3:3: type `Box` does not have a field `nix`",
        "|Loop|i.graphql:1:32: `Loop` fragment cannot reference itself",
    ];
    assert_eq!(rejects(&import.rejected), expected);
}

#[test]
fn imports() {
    let a = sha256(A);
    let text = manifest(&format!(
        r#"{{"id":"{a}","body":"{A}","clientName":"web"}},{{"id":"short","body":"{A}","clientName":"ios"}},
           {{"id":"bad","body":"query Bad {{ a nope }}"}},{{"id":"two","body":"query X {{ a }} mutation Y {{ set }}"}}"#
    ));
    let mut heard = Vec::new();
    let schema = Schema::parse(SDL, Limits::SCHEMA).unwrap();
    let import = import(&schema, parse(&text), Limits::DOCUMENT, &mut |done, of| {
        heard.push((done, of))
    });
    assert_eq!(heard, [(1, 3), (2, 3), (3, 3)]);
    let expected = ["bad|Bad|1:15: type `Query` does not have a field `nope`"];
    assert_eq!(rejects(&import.rejected), expected);
    let [first, second] = import.accepted.as_slice() else {
        panic!("{:?}", import.accepted)
    };
    assert_eq!(first.hash, TextHash::of(A.as_bytes()));
    // The hash itself is no alias.
    assert_eq!(first.aliases, ["short"]);
    assert_eq!(first.operations[0].clients, ["ios", "web"]);
    let names: Vec<_> = second
        .operations
        .iter()
        .map(|operation| operation.name.as_str())
        .collect();
    assert_eq!(names, ["X", "Y"]);
    let hashes = [first.hash, second.hash];
    let (documents, aliases) = import.into_snapshot(true);
    assert_eq!(documents[&hashes[0]].text, A);
    assert!(documents[&hashes[0]].embed);
    assert_eq!(aliases["short"], hashes[0]);
    assert_eq!(aliases["two"], hashes[1]);
    assert_eq!(aliases.len(), 2);
}
