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

fn bundle(policy: &str, tests: &str) -> Bundle {
    let files = [
        (".manifest", r#"{"revision": "r1", "roots": ["ig"]}"#),
        ("ig.rego", policy),
        ("ig_test.rego", tests),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    Bundle::from_files(BTreeMap::from(files)).unwrap()
}

fn run_with(bundle: &Bundle, options: &TestOptions<'_>) -> TestReport {
    let mut ticks = 0;
    run_tests_with(bundle, options, &mut || {
        ticks += 1;
        Duration::from_millis(ticks)
    })
    .unwrap()
}

fn run(tests: &str, filter: &str) -> TestReport {
    let options = TestOptions {
        picks: &|test| test.contains(filter),
        ..TestOptions::default()
    };
    run_with(&bundle(POLICY, tests), &options)
}

/// Names and words of results.
fn words(report: &TestReport) -> Vec<(&str, &'static str)> {
    let word = |result| match result {
        &TestStatus::Pass => "pass",
        TestStatus::Skip => "skip",
        TestStatus::Fail => "fail",
        TestStatus::Error(_) => "error",
        TestStatus::TimedOut(_) => "timeout",
        TestStatus::Disagree(_) => "disagree",
    };
    let results = report.results.iter();
    results
        .map(|result| (result.name.as_str(), word(&result.status)))
        .collect()
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
    let uncovered: Vec<_> = coverage.files["ig.rego"].uncovered_rows().collect();
    assert_eq!(uncovered, [12, 13]);
    assert_eq!((coverage.covered_lines, coverage.not_covered_lines), (5, 2));
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

#[test]
fn cases_of_a_test_have_results_of_their_own() {
    let tests = r#"package ig_test

test_levels[note] if {
	some note, level in {"low": 1, "high": 9, "none": null}
	data.ig.allowed with input as {"purpose": "audit", "level": level}
}

test_nested[group][name] if {
	some group, names in {"a": {"x": 1}, "b": {"y": 2}}
	some name, value in names
	value == 1
}

test_all[note] if some note in ["one", "two"]

test_constant["only"] if 1 == 1
"#;
    let report = run(tests, "");
    let expected = [
        ("test_levels", "fail"),
        ("test_nested", "fail"),
        ("test_all", "pass"),
        ("test_constant", "pass"),
    ];
    assert_eq!(words(&report), expected);
    let json = serde_json::to_value(&report.results).unwrap();
    assert_eq!(
        json[0]["sub_results"],
        serde_json::json!({
            "high": {"name": "high"},
            "low": {"name": "low", "fail": true},
            "none": {"name": "none", "fail": true},
        })
    );
    let nested = &json[1]["sub_results"];
    assert_eq!(
        nested["a"],
        serde_json::json!({"name": "a", "sub_results": {"x": {"name": "x"}}})
    );
    assert_eq!(nested["b"]["sub_results"]["y"]["fail"], true);
}

#[test]
fn tests_of_one_name_do_not_hide_each_other() {
    let tests = "package ig_test\n\ntest_a if 1 == 1\n\ntest_a if 1 == 2\n\ntest_a if 2 == 2\n";
    let expected = [
        ("test_a", "pass"),
        ("test_a#01", "fail"),
        ("test_a#02", "pass"),
    ];
    assert_eq!(words(&run(tests, "")), expected);
}

#[test]
fn a_test_that_never_ends_is_ended() {
    let tests = r#"package ig_test

test_quick if true

test_endless if {
	many := numbers.range(1, 3000)
	count([1 | some a in many; some b in many; a * b == 0]) == 1
}
"#;
    let options = TestOptions {
        time_limit: Duration::from_millis(100),
        ..TestOptions::default()
    };
    let report = run_with(&bundle(POLICY, tests), &options);
    assert_eq!(
        words(&report),
        [("test_quick", "pass"), ("test_endless", "timeout")]
    );
    assert!(!report.passed());
    assert_eq!(report.endless().unwrap().location.row, 5);
    let json = serde_json::to_value(&report.results[1]).unwrap();
    assert_eq!(json["error"]["code"], "eval_cancel_error");
}

#[test]
fn any_rego_runs_on_the_interpreter() {
    let files = [
        (
            "a.rego",
            "package any.thing\n\nlimit := data.limits.most\n\ntest_here if limit == 3\n",
        ),
        ("limits/data.json", r#"{"most": 3, "odd-name": {"x": 1}}"#),
        (
            "b_test.rego",
            "package b\n\ntest_there if data.limits[\"odd-name\"].x == 1\n\ntest_error if to_number(\"x\") == 1\n",
        ),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.as_bytes().to_vec()));
    let bundle = Bundle::from_any_files(BTreeMap::from(files)).unwrap();
    let options = TestOptions {
        engines: TestEngines::Interpreter,
        ..TestOptions::default()
    };
    let report = run_with(&bundle, &options);
    let mut results = words(&report);
    results.sort_unstable();
    let expected = [
        ("test_error", "fail"),
        ("test_here", "pass"),
        ("test_there", "pass"),
    ];
    assert_eq!(results, expected);
    assert!(report.results.iter().all(|result| result.compared == 0));
}

/// A rule that never came to its end has lines that were reached.
#[test]
fn a_head_is_covered_when_its_rule_ends() {
    let policy = r#"package ig

default decision := {"allow": false, "rule": "default", "obligations": []}

decision := {
	"allow": true,
	"rule": "audit",
	"obligations": [],
} if {
	input.purpose == "audit"
	grade(input.level) == "high"
}

grade(level) := "high" if {
	level > 3
} else := "low" if {
	level > 1
}

names contains "x" if {
	input.purpose
}
"#;
    let lines = |tests: &str| {
        let report = run_with(&bundle(policy, tests), &TestOptions::default());
        let file = report.coverage.files["ig.rego"].clone();
        file.uncovered_rows().collect::<Vec<_>>()
    };
    let low = "package ig_test\n\ntest_low if not data.ig.decision.allow with input as {\"purpose\": \"audit\", \"level\": 2}\n";
    assert_eq!(lines(low), [5, 6, 7, 8, 9, 14, 20, 21]);
    let high = low.replace("not ", "").replace(": 2", ": 9");
    assert_eq!(lines(&high), [3, 16, 17, 20, 21]);
}

#[test]
fn a_condition_should_hold_and_fail() {
    let decisions = run(TESTS, "").coverage.decisions.unwrap();
    assert_eq!((decisions.covered, decisions.not_covered), (6, 2));
    let missing: Vec<_> = decisions
        .missing
        .iter()
        .map(|one| (one.location.row, one.text.as_str(), one.held, one.failed))
        .collect();
    assert_eq!(missing, [(13, "input.never", false, false)]);
}

#[test]
fn rules_in_conflict_are_refused_where_they_are() {
    let cases = [
        (
            "default x := 1\ndefault x := 2\n",
            "ig.rego:10:1: a second default of `data.ig.x`",
        ),
        (
            "x := 1\nx contains 2\n",
            "ig.rego:10:1: `data.ig.x` is also a rule of another kind",
        ),
        (
            "f(a) := a\nf(a, b) := a\n",
            "ig.rego:10:1: `data.ig.f` is also",
        ),
        ("test_x\n", "ig.rego:9"),
        (
            "x := strings.count(input.text, input.part)\n",
            "ig.rego:9:6: `strings.count` fails on some texts",
        ),
    ];
    for (more, expected) in cases {
        let policy = "package ig\n\ndefault decision := {\"allow\": false, \"rule\": \"x\", \"obligations\": []}\n\n\n\n\n\n";
        let bundle = bundle(&format!("{policy}{more}"), "package ig_test\n");
        let error = run_tests(&bundle, "", &mut || Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains(expected), "{more}: {error}");
    }
}
