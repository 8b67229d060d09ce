//! `cargo xtask chaos`: invariants of each scenario.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Outcome;
use crate::json;

/// What claims rest on: a scenario that did not judge it, or saw nothing, does not show it.
const NEEDED: [&str; 3] = ["nothing-undecided", "in-region", "nothing-lost"];

pub(super) fn outcome(report: &Value) -> Result<Outcome, String> {
    let scenarios = report.get("scenarios").and_then(Value::as_array);
    let scenarios = scenarios.ok_or("scenarios is not a list")?;
    let (mut outcome, mut names) = (Outcome::default(), BTreeSet::new());
    for scenario in scenarios {
        // As a run is called: one that is kept has its scenario, and a name of its own.
        let name = json::text(scenario, "name").ok_or("a scenario has no name")?;
        if !names.insert(name) {
            return Err(format!("{name} is there twice"));
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
