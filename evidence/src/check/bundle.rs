//! Checks of what the bundle itself has: attestations, the ledger, dashboards.

use std::collections::BTreeSet;

use ig_ledger::verify::Hash;
use ig_signing::Bundle;
use serde_json::Value;

use crate::delta::Delta;
use crate::judge::{Finding, Given};
use crate::log_entry;
use crate::{Claim, Report, attest, json, names};

/// Every report has one that the key signed, of what came of it.
pub(super) fn attestations(given: &Given<'_>) -> Finding {
    let expected = match attest::expected(given.files, given.about) {
        Ok(expected) => expected,
        Err(why) => return Finding::fail(why),
    };
    let names: BTreeSet<_> = expected.iter().map(|one| one.file.as_str()).collect();
    let is_extra = |name: &&str| name.starts_with(names::ATTESTATIONS) && !names.contains(name);
    if let Some((extra, _)) = given.files.iter().find(|(name, _)| is_extra(name)) {
        return Finding::fail(format!("{extra} is of no report"));
    }
    for one in &expected {
        let Some(bytes) = given.files.get(&one.file) else {
            return Finding::gap(format!("there is no {}", one.file));
        };
        if let Err(why) = is_of(bytes, one, given) {
            return Finding::fail(format!("{}: {why}", one.file));
        }
    }
    match expected.len() {
        0 => Finding::gap("there is nothing that is attested"),
        many => Finding::pass(format!("{many} attestations by the key, in the ledger")),
    }
}

/// Whether an attestation is the one that it should be.
pub(super) fn is_of(bytes: &[u8], one: &attest::Expected, given: &Given<'_>) -> Result<(), String> {
    let bundle = Bundle::parse(bytes).map_err(|error| error.to_string())?;
    let said = bundle
        .verify_statement(given.key)
        .map_err(|error| error.to_string())?;
    if said.subjects() != one.statement.subjects() {
        return Err("it is of another file than the bundle's".into());
    }
    if said != one.statement {
        return Err("it does not say what the file says".into());
    }
    log_entry::verify(&bundle, given.key, given.root).map(drop)
}

/// The ledger only grew, and what came are this release's attestations among others.
pub(super) fn ledger(given: &Given<'_>) -> Finding {
    let Some(bytes) = given.files.get(names::DELTA) else {
        return Finding::gap(format!("there is no {}", names::DELTA));
    };
    match grew(bytes, given) {
        Ok(why) => Finding::pass(why),
        Err(why) => Finding::fail(format!("{}: {why}", names::DELTA)),
    }
}

fn grew(bytes: &[u8], given: &Given<'_>) -> Result<String, String> {
    let [log] = given.root.logs() else {
        return Err("the trusted root does not have exactly one log".into());
    };
    let growth = Delta::parse(bytes)?.verify(&log_entry::policy(log)?)?;
    for (name, bytes) in given.files.iter() {
        if !name.starts_with(names::ATTESTATIONS) {
            continue;
        }
        let bundle = Bundle::parse(bytes).map_err(|error| format!("{name}: {error}"))?;
        let entered = log_entry::verify(&bundle, given.key, given.root);
        let entered = entered.map_err(|why| format!("{name}: {why}"))?;
        let leaf = Hash::leaf(&bundle.log_body(given.key));
        let came = growth
            .entries
            .get(&entered.index)
            .map(|body| Hash::leaf(body));
        if came != Some(leaf) {
            return Err(format!(
                "{name} is not among what came since the last release"
            ));
        }
    }
    let (came, since, size) = (growth.entries.len(), growth.since.size, growth.head.size);
    if since == 0 {
        return Ok(format!(
            "{size} entries; it begins with them, so nothing is shown of a release before"
        ));
    }
    Ok(format!(
        "from {since} to {size} entries, {came} of them since the last release"
    ))
}

/// Dashboards that are named, with panels that ask something.
pub(super) fn dashboards(given: &Given<'_>, claim: &Claim) -> Finding {
    let mut found = BTreeSet::new();
    let dashboards = given
        .files
        .iter()
        .filter(|(name, _)| name.starts_with(names::DASHBOARDS));
    for (name, bytes) in dashboards {
        match dashboard(name, bytes) {
            Ok(uid) => drop(found.insert(uid)),
            Err(why) => return Finding::fail(format!("{name}: {why}")),
        }
    }
    match claim.names.iter().find(|name| !found.contains(*name)) {
        Some(name) => Finding::gap(format!("there is no dashboard {name:?}")),
        None => Finding::pass(format!("{} dashboards", found.len())),
    }
}

fn dashboard(name: &str, bytes: &[u8]) -> Result<String, String> {
    let dashboard = json::read(name, bytes)?;
    let asks = |panel: &Value| {
        let targets = json::list(panel, "targets").iter();
        targets
            .filter_map(|target| json::text(target, "expr"))
            .any(|expr| !expr.is_empty())
    };
    if !json::list(&dashboard, "panels").iter().any(asks) {
        return Err("no panel asks anything".into());
    }
    let uid = json::text(&dashboard, "uid").ok_or("it has no uid")?;
    Ok(uid.to_owned())
}

/// Reports that are not there, by name.
pub(crate) fn absent(given: &Given<'_>) -> Vec<String> {
    let paths = Report::ALL.into_iter().map(Report::path);
    paths
        .filter(|path| given.files.get(path).is_none())
        .collect()
}
