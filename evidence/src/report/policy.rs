//! `ig policy test --coverage`: tests of policies, as OPA reports them.

use serde_json::Value;

use super::Outcome;
use crate::json;

/// The least lines of policies that tests reach, in percent.
const LEAST: f64 = 95.0;

pub(super) fn outcome(report: &Value) -> Result<Outcome, String> {
    let results = report.get("results").and_then(Value::as_array);
    let results = results.ok_or("result.results is not a list")?;
    let coverage = coverage(report.get("coverage").ok_or("it has no coverage")?);
    let coverage = coverage.ok_or("its coverage does not say which lines of which files")?;
    let mut outcome = Outcome::default();
    let mut compared = 0_u64;
    for one in results {
        let (Some(package), Some(name)) = (json::text(one, "package"), json::text(one, "name"))
        else {
            return Err("a test has no package, or no name".into());
        };
        let name = format!("{package}.{name}");
        let is = |member: &str| {
            one.get(member)
                .is_some_and(|value| *value != Value::Bool(false))
        };
        if is("skip") {
            outcome.skipped.insert(name);
            continue;
        }
        let cases = one.get("sub_results").and_then(Value::as_object);
        let cases = cases.is_none_or(|cases| cases.values().all(passed));
        outcome.add(
            name,
            cases && !["fail", "error", "disagreements"].into_iter().any(is),
        );
        let decisions = one.get("compared").and_then(Value::as_u64);
        compared = compared.saturating_add(decisions.unwrap_or_default());
    }
    if results.is_empty() {
        return Err("no test was run".into());
    }
    outcome.add(format!("coverage of {LEAST} %"), coverage >= LEAST);
    outcome.add("decisions compared on both engines", compared > 0);
    Ok(outcome)
}

/// In percent, of the lines of all files: the total that is said is not read.
fn coverage(said: &Value) -> Option<f64> {
    let (mut reached, mut all) = (0.0, 0.0);
    for file in said.get("files")?.as_object()?.values() {
        // More than a double has exactly is no count of lines.
        let lines = |name: &str| u32::try_from(file.get(name)?.as_u64()?).ok();
        let (covered, not_covered) = (lines("covered_lines")?, lines("not_covered_lines")?);
        reached += f64::from(covered);
        all += f64::from(covered) + f64::from(not_covered);
    }
    (all > 0.0).then(|| 100.0 * reached / all)
}

fn passed(case: &Value) -> bool {
    let below = case.get("sub_results").and_then(Value::as_object);
    case.get("fail") != Some(&Value::Bool(true))
        && below.is_none_or(|cases| cases.values().all(passed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn coverage_is_computed_of_lines() {
        let of = |covered: u64, not_covered: u64| {
            let file = json!({"covered_lines": covered, "not_covered_lines": not_covered});
            coverage(&json!({"coverage": 100.0, "files": {"a.rego": file}}))
        };
        assert_eq!(of(9, 1), Some(90.0));
        assert_eq!(of(0, 0), None);
        assert_eq!(of(u64::MAX, 0), None);
        assert_eq!(coverage(&json!({"coverage": 100.0})), None);
    }

    #[test]
    fn numbers_of_anybody_do_not_overflow() {
        let test = |name: &str| json!({"package": "a", "name": name, "compared": u64::MAX});
        let report = json!({
            "results": [test("b"), test("c")],
            "coverage": {"files": {"a.rego": {"covered_lines": 9, "not_covered_lines": 0}}},
        });
        assert!(outcome(&report).unwrap().failed.is_empty());
    }
}
