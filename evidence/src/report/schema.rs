//! `ig schema diff`: what changed, and whether it may.

use serde_json::Value;

use super::Outcome;
use crate::json;

/// Rules that have to hold, whatever a report says which were asked for.
const RULES: [&str; 2] = ["operations", "weakened"];

pub(super) fn outcome(report: &Value) -> Result<Outcome, String> {
    let verdict = report.get("verdict").ok_or("it has no verdict")?;
    let asked = json::list(verdict, "failOn");
    let failures = verdict.get("failures").and_then(Value::as_array);
    let failures = failures.ok_or("verdict.failures is not a list")?;
    let undecided = verdict.get("undecided").and_then(Value::as_u64);
    let mut outcome = Outcome::default();
    for rule in RULES {
        let is_rule = |one: &Value| one.as_str() == Some(rule);
        if !asked.iter().any(is_rule) {
            outcome.skipped.insert(rule.to_owned());
            continue;
        }
        let broken = failures
            .iter()
            .any(|one| one.get("rule").is_some_and(is_rule));
        outcome.add(rule, !broken);
    }
    // Rules that are not known here fail as well as others.
    outcome.add("no failures", failures.is_empty());
    outcome.add("everything decided", undecided == Some(0));
    Ok(outcome)
}
