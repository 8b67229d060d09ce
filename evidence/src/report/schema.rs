//! `ig schema diff`: what changed, and whether it may.

use serde_json::Value;

use super::Outcome;
use crate::about::is_commit;
use crate::{Stamp, json};

/// Rules that have to hold, whatever a report says which were asked for.
const RULES: [&str; 2] = ["operations", "weakened"];

pub(super) fn outcome(report: &Value) -> Result<Outcome, String> {
    let base = json::text(report, "base").filter(|base| is_commit(base));
    let base = base.ok_or("it does not say the commit that it compares with")?;
    if base == Stamp::of(report)?.commit {
        return Err("it compares the commit with itself".into());
    }
    let result = super::result(report)?;
    let verdict = result.get("verdict").ok_or("it has no verdict")?;
    let asked = json::list(verdict, "failOn");
    let failures = verdict.get("failures").and_then(Value::as_array);
    let failures = failures.ok_or("verdict.failures is not a list")?;
    let undecided = verdict.get("undecided").and_then(Value::as_u64);
    let operations = result
        .pointer("/summary/operations")
        .and_then(Value::as_u64);
    let operations = operations.ok_or("it does not say how many operations it looked at")?;
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
    // Of a catalogue that is empty, no operation breaks.
    if operations == 0 {
        outcome.skipped.insert("operations of a catalogue".into());
    }
    for what in found(result, verdict) {
        outcome.add(what, false);
    }
    // Rules that are not known here fail as well as others.
    outcome.add("no failures", failures.is_empty());
    outcome.add("everything decided", undecided == Some(0));
    let excepted = verdict.get("excepted").and_then(Value::as_array);
    for one in excepted.ok_or("verdict.excepted is not a list")? {
        outcome.excepted.insert(exception(one)?);
    }
    // So that it is said since when.
    outcome.add(format!("compared with {base}"), true);
    Ok(outcome)
}

/// What the details say against it, whatever the list of failures has.
fn found(result: &Value, verdict: &Value) -> Vec<String> {
    let excepted = json::list(verdict, "excepted");
    let is = |one: &Value, name: &str, value: &str| json::text(one, name) == Some(value);
    let is_excepted = |change: &Value| {
        excepted.iter().any(|one| {
            is(one, "type", "AUTHZ_WEAKENED")
                && json::text(one, "path") == json::text(change, "path")
        })
    };
    let mut all = Vec::new();
    for one in json::list(result, "authz") {
        if is(one, "effect", "weakened") && !is_excepted(one) {
            let path = json::text(one, "path").unwrap_or_default();
            all.push(format!("callers of {path:?} need no less"));
        }
    }
    // Which exceptions excuse an operation is the gate's to say; without any, none is.
    for one in json::list(result, "operations") {
        let is_broken = is(one, "impact", "invalid") || is(one, "authz", "weakened");
        if is_broken && excepted.is_empty() {
            let name = json::text(one, "name").unwrap_or_default();
            all.push(format!("the operation {name:?} goes on"));
        }
    }
    all
}

/// An exception that let something pass: who reads a control has to see it, and who agreed.
fn exception(one: &Value) -> Result<String, String> {
    let part =
        |name: &str| json::text(one, name).ok_or_else(|| format!("an exception has no {name}"));
    let (kind, path) = (part("type")?, part("path")?);
    let (author, reviewer) = (part("author")?, part("reviewer")?);
    let (reason, expires) = (part("reason")?, part("expires")?);
    // The path of one that is of the whole schema is empty.
    let what = [kind, path].join(" ");
    Ok(format!(
        "{} until {expires}, asked for by {author}, agreed by {reviewer}: {reason:?}",
        what.trim_end()
    ))
}
