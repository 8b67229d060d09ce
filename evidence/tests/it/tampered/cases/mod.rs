//! What is changed, by whom, and why it is refused.

mod bundle;
mod reports;

use ig_evidence::{Kind, Report, names, rfc3339};
use serde_json::{Value, json};

use crate::small::{self, COMMIT, Map, NOW, Small, bytes};

/// Who changes something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum By {
    /// Somebody without the key, in a bundle that was made.
    Stranger,
    /// Somebody without the key, in a bundle that was made and signs it with theirs.
    Foreign,
    /// The signer, in a bundle that was made, who signs again.
    Signer,
    /// The signer, in the reports, before a bundle is made of them.
    Maker,
}

pub struct Case {
    pub name: &'static str,
    pub by: By,
    pub change: fn(&mut Map),
    pub kind: Kind,
    pub why: &'static str,
}

fn edit(map: &mut Map, name: &str, how: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&map[name]).unwrap();
    how(&mut value);
    map.insert(name.to_owned(), bytes(&value));
}

fn replace(map: &mut Map, name: &str, from: &str, to: &str) {
    let text = String::from_utf8(map[name].clone()).unwrap();
    assert!(text.contains(from), "{name} has no {from}");
    map.insert(name.to_owned(), text.replace(from, to).into_bytes());
}

fn path(report: Report) -> String {
    report.path()
}

/// The other's attestation in the place of one.
fn swap(map: &mut Map, one: Report, other: Report) {
    let bytes = map[&other.attestation()].clone();
    map.insert(one.attestation(), bytes);
}

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Case> {
    bundle::CASES.iter().chain(reports::CASES)
}

fn sum(name: &str) -> String {
    ig_signing::Sha256::of(&small::artefact(name)).to_string()
}

/// A checkpoint of the same keys, of a log that had less.
fn small_checkpoint() -> String {
    let mut log = Small::new().log();
    log.append(&[b"one"]).unwrap().checkpoint
}
