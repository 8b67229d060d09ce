//! `cargo xtask chaos`: invariants of each scenario.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Outcome;
use crate::json;

/// What claims rest on: a scenario that did not judge it, or saw nothing, does not show it.
const NEEDED: [&str; 3] = ["nothing-undecided", "in-region", "nothing-lost"];

/// Whether a run of a scenario has such a name: its own, or with the seed of one that is kept.
fn is_named(name: &str, scenario: &str) -> bool {
    let seed = name
        .strip_prefix(scenario)
        .and_then(|rest| rest.strip_prefix('-'));
    let is_seed = |seed: &str| !seed.is_empty() && seed.bytes().all(|byte| byte.is_ascii_digit());
    !scenario.is_empty() && (name == scenario || seed.is_some_and(is_seed))
}

pub(super) fn outcome(report: &Value) -> Result<Outcome, String> {
    let scenarios = report.get("scenarios").and_then(Value::as_array);
    let scenarios = scenarios.ok_or("scenarios is not a list")?;
    let (mut outcome, mut names) = (Outcome::default(), BTreeSet::new());
    for scenario in scenarios {
        // As a run is called: one that is kept has its scenario, and a name of its own.
        let name = json::name(scenario, "name");
        let name = name.ok_or("a scenario has no name, or one that is too long")?;
        if !names.insert(name) {
            return Err(format!("{name} is there twice"));
        }
        let of = json::text(scenario, "scenario").unwrap_or_default();
        if !is_named(name, of) {
            return Err(format!("{name} is a run of the scenario {of:?}"));
        }
        let verdicts = scenario.get("verdicts").and_then(Value::as_array);
        let verdicts = verdicts.filter(|all| !all.is_empty());
        let verdicts = verdicts.ok_or_else(|| format!("{name} has no verdicts"))?;
        let mut all = true;
        for verdict in verdicts {
            let invariant = json::text(verdict, "invariant");
            let invariant = invariant.ok_or_else(|| format!("{name}: a verdict of nothing"))?;
            let holds = verdict.get("holds") == Some(&Value::Bool(true));
            let broken = verdict.get("violations").and_then(Value::as_array);
            // What says that it holds, and names what broke it, does not hold.
            let holds = holds && broken.is_some_and(Vec::is_empty);
            outcome.add(format!("{name}: {invariant}"), holds);
            all &= holds;
        }
        let served = scenario
            .pointer("/figures/requests")
            .and_then(Value::as_u64);
        let is_shown = |needed: &str| {
            let of_it = |one: &&Value| json::text(one, "invariant") == Some(needed);
            let looked_at = |one: &Value| one.get("lookedAt").and_then(Value::as_u64);
            let one = verdicts.iter().find(of_it);
            one.and_then(looked_at).is_some_and(|many| many > 0)
        };
        match NEEDED.into_iter().find(|needed| !is_shown(needed)) {
            Some(needed) if all => drop(outcome.skipped.insert(format!("{name}: {needed}"))),
            _ => outcome.add(name, all && served.is_some_and(|requests| requests > 0)),
        }
    }
    Ok(outcome)
}
