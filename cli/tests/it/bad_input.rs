//! What cannot be read or is not valid: exit code 2, and where it is wrong, by
//! whatever command it is read. What was read and breaks something: 1.

use crate::Work;

/// Files that are wrong, each in its way.
fn work() -> Work {
    let work = Work::new();
    work.write("bad.graphql", "type Query {\n  a: Int\n  b: !\n}\n");
    work.write("worse.graphql", "type Query {\n  a: Missing\n}\n");
    let fields = "  field(argument: Int): String # a comment that is long\n";
    let fields: String = (0..100_000)
        .map(|n| fields.replace("field", &format!("field{n}")))
        .collect();
    let large = format!("type Query {{\n{fields}  last: !\n}}\n");
    assert!(large.len() > 5 << 20);
    work.write("large.graphql", &large);
    work.write(
        "relay.json",
        r#"{"0c2b": "query A { case(id: 1) { id } }"}"#,
    );
    std::fs::create_dir_all(work.file("stale")).unwrap();
    work.write(
        "stale/Live.graphql",
        "query Live @live { case(id: 1) { id } }",
    );
    let copy = |name: &str, text: &str| {
        std::fs::create_dir_all(work.file(name)).unwrap();
        crate::copy(&work.file("policies"), &work.file(name));
        work.write(&format!("{name}/decision.rego"), text);
    };
    copy("unparsed", "package ig\n\nx := {\n");
    copy(
        "open",
        "package ig\n\ndecision := {\"allow\": true, \"rule\": \"x\", \"obligations\": []}\n",
    );
    crate::policy::write_inputs_of(&work);
    let old = work.read("schema.graphql");
    work.write(
        "live.graphql",
        &format!("directive @live on QUERY\n\n{old}"),
    );
    work
}

/// A command, its exit code, and what it says, of which every part has to be
/// there.
const CASES: [(&str, i32, &[&str]); 42] = [
    // SDL that does not parse, or says what cannot be.
    ("schema check bad.graphql", 2, &["bad.graphql:3:6:"]),
    (
        "schema check bad.graphql --json",
        2,
        &["bad.graphql:3:6:", "\"valid\": false"],
    ),
    ("schema check worse.graphql", 2, &["worse.graphql:2:6:"]),
    (
        "schema diff bad.graphql worse.graphql",
        2,
        &["bad.graphql:3:6:", "worse.graphql:2:6:"],
    ),
    (
        "schema diff schema.graphql bad.graphql",
        2,
        &["bad.graphql:3:6:"],
    ),
    (
        "catalogue check --schema bad.graphql --catalogue operations",
        2,
        &["bad.graphql:3:6:"],
    ),
    (
        "catalogue build --schema bad.graphql operations",
        2,
        &["bad.graphql:3:6:"],
    ),
    (
        "catalogue import --schema worse.graphql relay.json",
        2,
        &["worse.graphql:2:6:"],
    ),
    (
        "snapshot compile --schema bad.graphql --catalogue operations --policies policies --config guard.toml -o x.igsnap",
        2,
        &["bad.graphql:3:6:"],
    ),
    // 5 MB, and wrong at the end.
    (
        "schema check large.graphql",
        2,
        &["large.graphql:100002:9:"],
    ),
    (
        "schema diff large.graphql schema.graphql",
        2,
        &["large.graphql:100002:9:"],
    ),
    (
        "catalogue check --schema large.graphql --catalogue operations",
        2,
        &["large.graphql:100002:9:"],
    ),
    // A folder where a file should be.
    (
        "schema check operations",
        2,
        &["cannot read operations", "directory"],
    ),
    (
        "schema diff operations schema.graphql",
        2,
        &["cannot read operations", "directory"],
    ),
    (
        "schema diff schema.graphql operations",
        2,
        &["cannot read operations", "directory"],
    ),
    (
        "schema diff schema.graphql schema.graphql --exceptions policies",
        2,
        &["cannot read policies"],
    ),
    (
        "catalogue check --schema operations --catalogue operations",
        2,
        &["cannot read operations"],
    ),
    (
        "catalogue check --schema schema.graphql --catalogue operations --usage policies",
        2,
        &["cannot read policies"],
    ),
    (
        "catalogue import --schema schema.graphql policies",
        2,
        &["policies has no *.graphql"],
    ),
    (
        "policy explain --bundle policies --input operations",
        2,
        &["cannot read operations"],
    ),
    (
        "policy diff policies policies --decisions operations",
        2,
        &["cannot read operations"],
    ),
    ("policy check operations", 2, &["operations is not valid"]),
    ("policy test operations", 2, &["operations is not valid"]),
    // An operation with a directive that is gone: by this change it breaks, and
    // before it what becomes of it cannot be told.
    (
        "schema diff live.graphql schema.graphql --catalogue stale",
        1,
        &["FAIL  Live", "Live.graphql:1:12:", "@live"],
    ),
    (
        "schema diff schema.graphql schema.graphql --catalogue stale",
        2,
        &["Live: Live.graphql:1:12:", "@live"],
    ),
    (
        "schema diff schema.graphql schema.graphql --catalogue stale --allow-invalid-before",
        0,
        &["passed"],
    ),
    (
        "schema diff schema.graphql schema.graphql --catalogue stale --fail-on weakened",
        0,
        &["passed"],
    ),
    (
        "catalogue check --schema schema.graphql --catalogue stale",
        1,
        &["Live.graphql:1:12:", "@live"],
    ),
    (
        "catalogue build --schema schema.graphql stale",
        1,
        &["Live.graphql:1:12:"],
    ),
    // Rego that does not parse.
    (
        "policy check unparsed",
        2,
        &["unparsed is not valid", "decision.rego:4:"],
    ),
    (
        "policy check unparsed --json",
        2,
        &["decision.rego:4:", "\"valid\": false"],
    ),
    ("policy test unparsed", 2, &["decision.rego:4:"]),
    (
        "policy test unparsed --engine interpreter",
        2,
        &["decision.rego:4:"],
    ),
    (
        "policy bundle unparsed -o x.tar.gz",
        2,
        &["decision.rego:4:"],
    ),
    (
        "policy explain --bundle unparsed --input input.json",
        2,
        &["decision.rego:4:"],
    ),
    (
        "policy diff unparsed policies --decisions inputs.jsonl",
        2,
        &["decision.rego:4:"],
    ),
    (
        "policy diff policies unparsed --decisions inputs.jsonl",
        2,
        &["decision.rego:4:"],
    ),
    (
        "snapshot compile --schema schema.graphql --catalogue operations --policies unparsed --config guard.toml -o x.igsnap",
        2,
        &["decision.rego:4:"],
    ),
    // What is read, and is not what it should be.
    ("policy check open", 1, &["allows an empty input"]),
    ("policy check open --json", 1, &["\"valid\": false"]),
    (
        "schema diff live.graphql schema.graphql",
        1,
        &["FAIL  @live: Directive 'live' was removed (live.graphql:1:"],
    ),
    ("schema check schema.graphql", 0, &["schema.graphql: valid"]),
];

#[test]
fn bad_input_is_an_error_with_its_place() {
    let work = work();
    for (command, code, says) in CASES {
        let ran = work.ig(command);
        let all = format!("{}\n{}", ran.stdout, ran.stderr);
        assert_eq!(ran.code, code, "{command}\n{all}");
        for part in says {
            assert!(all.contains(part), "{command}: no `{part}` in\n{all}");
        }
    }
}
