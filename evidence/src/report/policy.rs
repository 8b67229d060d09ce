//! `ig policy test --coverage`: tests of policies, as OPA reports them.

use serde_json::Value;

use super::Outcome;
use crate::json;

/// The least lines of policies that tests reach, in percent.
const LEAST: f64 = 95.0;

pub(super) fn outcome(report: &Value) -> Result<Outcome, String> {
    let results = report.get("results").and_then(Value::as_array);
    let results = results.ok_or("result.results is not a list")?;
    let coverage = report.get("coverage").and_then(|all| all.get("coverage"));
    let coverage = coverage
        .and_then(Value::as_f64)
        .ok_or("it has no coverage")?;
    let mut outcome = Outcome::default();
    let mut compared = 0;
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
        compared += one
            .get("compared")
            .and_then(Value::as_u64)
            .unwrap_or_default();
    }
    if results.is_empty() {
        return Err("no test was run".into());
    }
    outcome.add(format!("coverage of {LEAST} %"), coverage >= LEAST);
    outcome.add("decisions compared on both engines", compared > 0);
    Ok(outcome)
}

fn passed(case: &Value) -> bool {
    let below = case.get("sub_results").and_then(Value::as_object);
    case.get("fail") != Some(&Value::Bool(true))
        && below.is_none_or(|cases| cases.values().all(passed))
}
