//! Each invariant has a build that breaks it, on a scenario that there is.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

use std::collections::BTreeSet;

use ig_chaos::SCENARIOS;
use ig_chaos::check::Invariant;

#[test]
fn each_invariant_has_one() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/mutations");
    let mut broken = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let mutation: toml::Table = text.parse().unwrap();
        let scenario = mutation["scenario"].as_str().unwrap();
        let is_there = SCENARIOS.iter().any(|one| one.name == scenario);
        assert!(is_there, "{}: no scenario {scenario}", path.display());
        broken.insert(mutation["breaks"].as_str().unwrap().to_owned());
    }
    let name = |one| {
        serde_json::to_value(one)
            .unwrap()
            .as_str()
            .unwrap()
            .to_owned()
    };
    let all: BTreeSet<String> = Invariant::ALL.into_iter().map(name).collect();
    assert_eq!(broken, all);
}
