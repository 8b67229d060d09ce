//! What decides whether `ig policy test` and `ig policy diff` pass.

use crate::Work;
use crate::policy::write_inputs;

/// Decisions of which too few could be replayed tell nothing.
#[test]
fn nothing_replayed_is_no_answer() {
    let work = Work::new();
    work.compile();
    write_inputs(&work);
    work.write("empty.jsonl", "\n");
    work.write("none.json", "[]");
    let of_record = "--decisions decisions.json --snapshot guard.igsnap";
    let cases = [
        ("--decisions inputs.jsonl", 0, "2 decisions replayed"),
        (
            "--decisions inputs.jsonl --min-decisions 2",
            0,
            "2 decisions replayed",
        ),
        (
            "--decisions inputs.jsonl --min-decisions 3",
            2,
            "of 2 decisions in inputs.jsonl, 2 could be replayed, and it takes 3",
        ),
        (
            of_record,
            2,
            "of 1 decision in decisions.json, 0 could be replayed",
        ),
        // It is not empty.
        (
            &format!("{of_record} --allow-empty"),
            2,
            "0 could be replayed",
        ),
        (
            &format!("{of_record} --min-decisions 0"),
            0,
            "0 decisions replayed",
        ),
        (
            "--decisions empty.jsonl",
            2,
            "of 0 decisions in empty.jsonl",
        ),
        ("--decisions none.json", 2, "of 0 decisions in none.json"),
        (
            "--decisions empty.jsonl --allow-empty",
            0,
            "0 decisions replayed",
        ),
        (
            "--decisions none.json --allow-empty --min-decisions 9",
            0,
            "0 decisions",
        ),
    ];
    for (options, code, says) in cases {
        work.ig(&format!("policy diff policies policies {options}"))
            .exits(code)
            .says(says);
    }
    // What was found counts first.
    std::fs::create_dir(work.file("next")).unwrap();
    crate::copy(&work.file("policies"), &work.file("next"));
    let next = work.read("next/decision.rego").replace("> 30", "> 400");
    work.write("next/decision.rego", &next);
    work.ig("policy diff policies next --decisions inputs.jsonl --min-decisions 3")
        .exits(1);
}

/// Options are called as those of `opa test`, and paths are taken together.
#[test]
fn tests_are_run_as_opa_runs_them() {
    let work = Work::new();
    std::fs::create_dir(work.file("more")).unwrap();
    let more = "package more_test\n\ntest_more if data.ig.decision.rule == \"default-deny\"\n";
    work.write("more/decision_test.rego", more);
    work.write("more/other_test.rego", &more.replace("more", "other"));
    let files = "policies/decision.rego policies/decision_test.rego policies/data.json";
    let cases = [
        ("policies -c -v -r retention", 0, "test_retention: PASS"),
        ("policies -c --threshold 100 -r test_other", 1, "below 100%"),
        ("policies -f pretty", 0, "PASS: 3/3"),
        ("policies -f json", 0, "\"data.ig_test\""),
        ("policies more", 0, "PASS: 5/5"),
        ("policies more/other_test.rego", 0, "PASS: 4/4"),
        ("more --engine interpreter", 1, "FAIL: 2/2"),
        (&format!("{files} --engine interpreter"), 0, "PASS: 3/3"),
        (&format!("{files} policies/.manifest"), 0, "PASS: 3/3"),
        ("policies policies", 0, "PASS: 3/3"),
        ("policies nowhere", 2, "cannot read nowhere"),
        ("policies schema.graphql", 2, "schema.graphql is neither"),
    ];
    for (arguments, code, says) in cases {
        work.ig(&format!("policy test {arguments}"))
            .exits(code)
            .says(says);
    }
    // Each file is named by where it is, also two of one name.
    let report = work.ig("policy test policies more --json").ok().json();
    let mut files: Vec<_> = report
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["location"]["file"].as_str().unwrap())
        .collect();
    files.dedup();
    files.sort_unstable();
    let expected = [
        "more/decision_test.rego",
        "more/other_test.rego",
        "policies/decision_test.rego",
    ];
    assert_eq!(files, expected);
    // Two bundles are not one, and of data only one file can be meant.
    crate::copy(&work.file("policies"), &work.file("again"));
    work.ig("policy test policies again")
        .exits(2)
        .says("are of two bundles");
    std::fs::remove_file(work.file("again/.manifest")).unwrap();
    work.ig("policy test policies again")
        .exits(2)
        .says("are one file of the bundle");
}
