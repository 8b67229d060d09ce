//! Where the artefacts are from.

use serde_json::Value;

use super::bundle;
use crate::judge::{Finding, Given};
use crate::{attest, json, names};

pub(super) fn decide(given: &Given<'_>) -> Finding {
    let files = [names::PROVENANCE, names::SUMS, attest::PROVENANCE_FILE];
    if let Some(name) = files
        .into_iter()
        .find(|name| given.files.get(name).is_none())
    {
        return Finding::gap(format!("there is no {name}"));
    }
    match check(given) {
        Ok(builder) => Finding::pass(format!(
            "SLSA Build L1: of this commit, by {builder}; a key signed it, and no platform"
        )),
        Err(why) => Finding::fail(why),
    }
}

fn check(given: &Given<'_>) -> Result<String, String> {
    let bytes = given.files.get(names::PROVENANCE).unwrap_or_default();
    let wrong = |why: &str| format!("{}: {why}", names::PROVENANCE);
    let said = json::read(names::PROVENANCE, bytes)?;
    let built = said
        .get("buildDefinition")
        .ok_or_else(|| wrong("it has no buildDefinition"))?;
    let materials = json::list(built, "resolvedDependencies");
    let commits: Vec<_> = materials
        .iter()
        .filter_map(|one| one.pointer("/digest/gitCommit").and_then(Value::as_str))
        .collect();
    if commits != [given.about.commit.as_str()] {
        return Err(wrong("it is of another commit than the bundle"));
    }
    let changed = built
        .pointer("/externalParameters/changedFiles")
        .and_then(Value::as_u64);
    match changed {
        Some(0) => {}
        Some(_) if given.about.dirty => {}
        _ => return Err(wrong("it was built of a tree with changes")),
    }
    let builder = said
        .pointer("/runDetails/builder/id")
        .and_then(Value::as_str);
    let builder = builder
        .ok_or_else(|| wrong("it names no builder"))?
        .to_owned();
    // A statement about other artefacts is another statement.
    let expected = attest::expected(given.files, given.about)?;
    let mut expected = expected.into_iter();
    let one = expected.find(|one| one.file == attest::PROVENANCE_FILE);
    let one = one.ok_or_else(|| wrong("it is of no artefacts"))?;
    let bytes = given.files.get(attest::PROVENANCE_FILE).unwrap_or_default();
    bundle::is_of(bytes, &one, given).map_err(|why| format!("{}: {why}", one.file))?;
    Ok(builder)
}
