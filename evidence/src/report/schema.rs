//! `ig schema diff`: what changed, and whether it may.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Outcome;
use crate::about::is_commit;
use crate::{Stamp, json, time};

/// Rules that have to hold, whatever a report says which were asked for.
const RULES: [&str; 2] = ["operations", "weakened"];

pub(super) fn outcome(report: &Value) -> Result<Outcome, String> {
    let base = json::text(report, "base").filter(|base| is_commit(base));
    let base = base.ok_or("it does not say the commit that it compares with")?;
    let Stamp {
        commit, time: now, ..
    } = Stamp::of(report)?;
    if base == commit {
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
    for name in ["authz", "operations"] {
        if !result.get(name).is_some_and(Value::is_array) {
            return Err(format!("result.{name} is not a list"));
        }
    }
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
    // The gate may be told to let them go; it knows no more of them by that.
    let invalid_before = result
        .pointer("/summary/invalidBefore")
        .and_then(Value::as_u64);
    if !json::list(result, "invalidBefore").is_empty() || invalid_before.is_some_and(|n| n > 0) {
        let what = "operations that are valid on neither schema";
        outcome.skipped.insert(what.into());
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
        if is_over(one, now)? {
            let path = json::text(one, "path").unwrap_or_default();
            outcome.add(format!("the exception of {path:?} still counts"), false);
        }
    }
    // So that it is said since when.
    outcome.add(format!("compared with {base}"), true);
    Ok(outcome)
}

/// What the details say against it, whatever the list of failures has.
fn found(result: &Value, verdict: &Value) -> Vec<String> {
    let excepted = json::list(verdict, "excepted");
    let is = |one: &Value, name: &str, value: &str| json::text(one, name) == Some(value);
    let weakened = excepted
        .iter()
        .filter(|one| is(one, "type", "AUTHZ_WEAKENED"));
    // Of just anybody's report, both lists may be as long as a file is.
    let paths: BTreeSet<_> = weakened.filter_map(|one| json::text(one, "path")).collect();
    let is_excepted =
        |change: &Value| json::text(change, "path").is_some_and(|path| paths.contains(path));
    let mut all = Vec::new();
    for one in json::list(result, "authz") {
        if is(one, "effect", "weakened") && !is_excepted(one) {
            let path = json::text(one, "path").unwrap_or_default();
            all.push(format!("callers of {path:?} need no less"));
        }
    }
    let excuses = Excuses::of(result, excepted);
    for one in json::list(result, "operations") {
        let goes_on = !is(one, "impact", "invalid") || excuses.all(one, "operations");
        let is_kept = !is(one, "authz", "weakened") || excuses.all(one, "weakened");
        if !(goes_on && is_kept) {
            let name = json::text(one, "name").unwrap_or_default();
            all.push(format!("the operation {name:?} goes on"));
        }
    }
    all
}

/// What lets operations pass, as the gate has it.
struct Excuses<'a> {
    changes: &'a [Value],
    /// Kind of change, path, and rule.
    allowed: BTreeSet<(&'a str, &'a str, &'a str)>,
}

impl<'a> Excuses<'a> {
    fn of(result: &'a Value, excepted: &'a [Value]) -> Self {
        let mut allowed = BTreeSet::new();
        for one in excepted {
            let (Some(kind), Some(path)) = (json::text(one, "type"), json::text(one, "path"))
            else {
                continue;
            };
            let rules = json::list(one, "allows").iter().filter_map(Value::as_str);
            allowed.extend(rules.map(|rule| (kind, path, rule)));
        }
        Self {
            changes: json::list(result, "changes"),
            allowed,
        }
    }

    /// Whether each change that an operation is affected by may break the rule.
    fn all(&self, operation: &Value, rule: &str) -> bool {
        let numbers = json::list(operation, "changes");
        !numbers.is_empty() && numbers.iter().all(|number| self.one(number, rule))
    }

    fn one(&self, number: &Value, rule: &str) -> bool {
        let number = number.as_u64().and_then(|one| usize::try_from(one).ok());
        let Some(change) = number.and_then(|one| self.changes.get(one)) else {
            return false;
        };
        let path = json::text(change, "path").unwrap_or_default();
        let kind = json::text(change, "type").unwrap_or_default();
        // Without a directive that is used there.
        let place = path.split_once(".@").map_or(path, |(place, _)| place);
        self.allowed.contains(&(kind, path, rule))
            || rule == "weakened" && self.allowed.contains(&("AUTHZ_WEAKENED", place, rule))
    }
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

/// Whether an exception counted no more when the report was made, whichever day its gate was
/// told. On its last day it counts; and a run may end on the day after.
fn is_over(one: &Value, now: u64) -> Result<bool, String> {
    let last = json::text(one, "expires").and_then(time::parse);
    let last = last.ok_or("an exception does not say its last day")?;
    Ok(last.saturating_add(2 * time::DAY) <= now)
}
