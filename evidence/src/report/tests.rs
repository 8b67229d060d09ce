//! Tests by name.

use serde_json::Value;

use super::Outcome;
use crate::json;

/// The most tests of a report.
const MAX_TESTS: usize = 100_000;

pub(super) fn outcome(report: &Value) -> Result<Outcome, String> {
    let names = |name: &str| {
        let all = report.get(name).and_then(Value::as_array);
        let all = all.ok_or_else(|| format!("{name} is not a list"))?;
        if all.len() > MAX_TESTS {
            return Err(format!("{name} has more than {MAX_TESTS} tests"));
        }
        let names = all.iter().map(|one| one.as_str().map(ToOwned::to_owned));
        names
            .collect::<Option<std::collections::BTreeSet<String>>>()
            .ok_or_else(|| format!("{name} is not a list of names"))
    };
    // What ended otherwise than by a test that failed, such as a suite that did not start.
    let ended = report.get("suites").and_then(Value::as_array);
    let ended = ended.filter(|suites| !suites.is_empty());
    let ended = ended.ok_or("it does not say how its suites ended")?;
    let mut outcome = Outcome {
        passed: names("passed")?,
        failed: names("failed")?,
        skipped: names("skipped")?,
        ..Outcome::default()
    };
    for suite in ended {
        let (Some(name), Some(code)) = (
            json::text(suite, "command"),
            suite.get("exit").and_then(Value::as_i64),
        ) else {
            return Err("a suite has no command, or no exit".into());
        };
        outcome.add(format!("exit 0: {name}"), code == 0);
    }
    Ok(outcome)
}
