use std::collections::BTreeMap;

use super::*;

const POLICY: &str = r#"package ig

default decision := {"allow": false, "rule": "default", "obligations": []}

decision := {"allow": true, "rule": "audit", "obligations": []} if allowed

allowed if {
	input.purpose == "audit"
	input.level > 3
}

unused if {
	input.never
}
"#;

const TESTS: &str = r#"package ig_test

base := {"purpose": "audit", "level": 5}

test_allow if data.ig.decision.allow with input as base

test_local if {
	request := object.union(base, {"level": 1})
	not data.ig.decision.allow with input as request
}

test_table if {
	every case in [{"level": 4, "allow": true}, {"level": 3, "allow": false}] {
		data.ig.decision.allow == case.allow with input as object.union(base, {"level": case.level})
	}
}

test_comprehension if {
	found := [level | some level in [1, 9]; data.ig.allowed with input as {"purpose": "audit", "level": level}]
	found == [9]
}

test_without_input if 1 + 1 == 2

test_fails if data.ig.decision.allow with input as {"purpose": "other"}

todo_test_later if false
"#;

fn run(tests: &str, filter: &str) -> TestReport {
    let files = [
        (".manifest", r#"{"revision": "r1", "roots": ["ig"]}"#),
        ("ig.rego", POLICY),
        ("ig_test.rego", tests),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let bundle = Bundle::from_files(BTreeMap::from(files)).unwrap();
    let mut ticks = 0;
    run_tests(&bundle, filter, &mut || {
        ticks += 1;
        Duration::from_millis(ticks)
    })
    .unwrap()
}

#[test]
fn tests_run_on_both_engines() {
    let report = run(TESTS, "");
    let results: Vec<_> = report
        .results
        .iter()
        .map(|result| (result.name.as_str(), &result.status, result.compared))
        .collect();
    assert_eq!(
        results,
        [
            ("test_allow", &TestStatus::Pass, 3),
            ("test_local", &TestStatus::Pass, 3),
            ("test_table", &TestStatus::Pass, 6),
            ("test_comprehension", &TestStatus::Pass, 6),
            ("test_without_input", &TestStatus::Pass, 1),
            ("test_fails", &TestStatus::Fail, 2),
            ("todo_test_later", &TestStatus::Skip, 0),
        ]
    );
    assert!(!report.passed());
    assert_eq!(
        report.results[0].location,
        Location {
            file: "ig_test.rego".into(),
            row: 5,
            col: 1
        }
    );
}

#[test]
fn a_filter_picks_tests() {
    let report = run(TESTS, "ig_test.test_a");
    assert_eq!(report.results.len(), 1);
    assert!(report.passed());
}

#[test]
fn coverage_is_of_policies() {
    let coverage = run(TESTS, "").coverage;
    assert_eq!(coverage.files.keys().collect::<Vec<_>>(), ["ig.rego"]);
    assert_eq!(coverage.files["ig.rego"].not_covered, [13]);
    assert!(
        coverage.coverage > 50.0 && coverage.coverage < 100.0,
        "{}",
        coverage.coverage
    );
    assert_eq!(run(TESTS, "no such test").coverage.coverage, 0.0);
}

#[test]
fn json_is_that_of_opa() {
    let report = run(TESTS, "");
    let json = serde_json::to_value(&report.results).unwrap();
    assert_eq!(
        json[0],
        serde_json::json!({
            "location": {"file": "ig_test.rego", "row": 5, "col": 1},
            "package": "data.ig_test",
            "name": "test_allow",
            "duration": 1_000_000,
            "compared": 3,
        })
    );
    assert_eq!(json[5]["fail"], true);
    assert_eq!(json[6]["skip"], true);
}

#[test]
fn a_disagreement_fails() {
    let disagreement = Disagreement {
        rule: "data.ig.decision".into(),
        input: None,
        interpreter: "1".into(),
        guard: "undefined".into(),
    };
    let mut report = run(TESTS, "test_allow");
    report.results[0].status = TestStatus::Disagree(vec![disagreement]);
    assert!(!report.passed());
    let json = serde_json::to_value(&report.results[0]).unwrap();
    assert_eq!(
        (&json["fail"], &json["disagreements"][0]["guard"]),
        (&true.into(), &"undefined".into())
    );
}

#[test]
fn what_the_guard_cannot_run_is_not_compared() {
    let tests = r#"package ig_test

test_mocked if data.ig.decision.allow with data.ig.allowed as true

test_collection if {
	found := {item.name | some item in [{"name": "x"}]}
	found == {"x"}
}
"#;
    let report = run(tests, "");
    let results: Vec<_> = report
        .results
        .iter()
        .map(|result| (&result.status, result.compared))
        .collect();
    assert_eq!(results, [(&TestStatus::Pass, 0), (&TestStatus::Pass, 1)]);
}
