//! `--format` says what is printed, and `-o` writes the report: by every gate
//! alike.

use serde_json::Value;

use crate::Work;
use crate::schema::edit;

/// Something to find for every gate.
fn work() -> Work {
    let work = Work::new();
    std::fs::copy(work.file("schema.graphql"), work.file("old.graphql")).unwrap();
    edit(&work, "schema.graphql", "  title: String\n", "");
    edit(
        &work,
        "schema.graphql",
        "type Case {",
        "type Mutation {\n  open: Int\n}\n\ntype Case {",
    );
    crate::policy::write_inputs_of(&work);
    std::fs::create_dir(work.file("next")).unwrap();
    crate::copy(&work.file("policies"), &work.file("next"));
    edit(&work, "next/decision.rego", "> 30", "> 400");
    let tests = work.read("policies/decision_test.rego");
    work.write(
        "policies/decision_test.rego",
        &(tests + "\ntest_fails if 1 == 2\n"),
    );
    work
}

/// A gate, an annotation of it, and what it says to people.
const GATES: [(&str, &str, &str); 6] = [
    (
        "schema check schema.graphql",
        "::error file=schema.graphql,line=8,col=3,title=Schema%3A Mutation.open [mutation-authz]::",
        "1 finding",
    ),
    (
        "schema diff old.graphql schema.graphql",
        "::error file=schema.graphql,title=Schema%3A Case.title::",
        "1 failure",
    ),
    (
        "catalogue check --schema schema.graphql --catalogue operations",
        "::error file=operations/CaseById.graphql,line=4,col=5,title=Operations%3A CaseById::",
        "2 rejected",
    ),
    (
        "policy check open",
        "::error title=Policies%3A not valid::",
        "allows an empty input",
    ),
    (
        "policy test policies",
        "::error file=policies/decision_test.rego,line=14,col=1,title=data.ig_test.test_fails::",
        "FAIL: 1/4",
    ),
    (
        "policy diff policies next --decisions inputs.jsonl",
        "::error title=Policies%3A inputs.jsonl%3A3::deny by default-deny → allow by case-read",
        "1 changed",
    ),
];

#[test]
fn every_gate_prints_by_its_format_and_writes_its_report() {
    let work = work();
    let open =
        "package ig\n\ndecision := {\"allow\": true, \"rule\": \"x\", \"obligations\": []}\n";
    std::fs::create_dir(work.file("open")).unwrap();
    crate::copy(&work.file("policies"), &work.file("open"));
    work.write("open/decision.rego", open);
    for (gate, annotation, words) in GATES {
        let printed = work.ig(&format!("{gate} --format json")).exits(1).json();
        let report = |options: &str| {
            let ran = work
                .ig(&format!("{gate} {options} -o reports/it.json"))
                .exits(1);
            let written: Value = serde_json::from_str(&work.read("reports/it.json")).unwrap();
            assert_eq!(
                timeless(written),
                timeless(printed.clone()),
                "{gate} {options}"
            );
            std::fs::remove_file(work.file("reports/it.json")).unwrap();
            ran
        };
        let text = report("").says(words);
        assert!(!text.stdout.contains("::error"), "{gate}");
        let github = report("--format github").says(words);
        assert!(
            github.stdout.contains(annotation),
            "{gate}\n{}",
            github.stdout
        );
        for option in ["--json", "-f json"] {
            let json = report(option).json();
            assert_eq!(timeless(json), timeless(printed.clone()), "{gate} {option}");
        }
        // Standard output has the report, and nothing else.
        let json = work.ig(&format!("{gate} --format github -o -")).exits(1);
        assert_eq!(timeless(json.json()), timeless(printed), "{gate}");
    }
}

/// Without times that tests took.
fn timeless(mut value: Value) -> Value {
    if let Some(results) = value.as_array_mut() {
        for result in results {
            if let Some(result) = result.as_object_mut() {
                result.remove("duration");
            }
        }
    }
    value
}

/// Whoever does not read on is no reason to pass.
#[test]
fn a_closed_pipe_is_no_reason_to_pass() {
    let work = work();
    // More than a pipe holds.
    let fields: String = (0..5_000)
        .map(|n| format!("  f{n}: Int @deprecated\n"))
        .collect();
    let mutation = format!("type Mutation {{\n{fields}  open: Int\n");
    edit(
        &work,
        "schema.graphql",
        "type Mutation {\n  open: Int\n",
        &mutation,
    );
    let ig = env!("CARGO_BIN_EXE_ig");
    for gate in [
        "schema check schema.graphql",
        "schema diff old.graphql schema.graphql",
    ] {
        let script = format!("set -o pipefail; {ig} {gate} --format json 2>/dev/null | head -1");
        let mut bash = std::process::Command::new("bash");
        work.run(bash.args(["-c", &script])).exits(1);
    }
}
