//! Which crates an artefact itself names: a second witness of its bill of materials.
//!
//! Messages of panics have the place in the source they come from, and that of a crate
//! is `…/registry/src/<registry>/<name>-<version>/src/…`. Not every crate can panic, so
//! what is seen is less than what is linked; but what is seen is linked.

use std::collections::{BTreeMap, BTreeSet};

use crate::json;

const MARK: &[u8] = b"/registry/src/";

/// Crates by artefact.
pub type Seen = BTreeMap<String, BTreeSet<String>>;

/// Names and versions (`serde 1.0.228`) that a program or module names.
#[must_use]
pub fn crates(artefact: &[u8]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = artefact;
    while let Some(at) = rest.windows(MARK.len()).position(|window| window == MARK) {
        rest = rest.get(at + MARK.len()..).unwrap_or_default();
        // The registry, then the crate; no name of either is longer than this.
        let mut parts = rest.get(..256).unwrap_or(rest).split(|byte| *byte == b'/');
        let folder = parts.nth(1).and_then(|part| str::from_utf8(part).ok());
        let is_whole = parts.next().is_some();
        found.extend(folder.filter(|_| is_whole).and_then(split));
    }
    found
}

/// `serde_json-1.0.145` as `serde_json 1.0.145`.
fn split(folder: &str) -> Option<String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-+".contains(c);
    let mut dashes = folder.match_indices('-').map(|(at, _)| at);
    let at = dashes.find(|at| {
        let version = folder.get(at + 1..).unwrap_or_default();
        // `md-5-0.11.0` is of md-5: what comes before the first point is a number.
        let (major, rest) = version.split_once('.').unwrap_or_default();
        !major.is_empty() && major.bytes().all(|byte| byte.is_ascii_digit()) && rest.contains('.')
    })?;
    let (name, version) = (folder.get(..at)?, folder.get(at + 1..)?);
    (!name.is_empty() && folder.chars().all(is_plain)).then(|| format!("{name} {version}"))
}

/// As the bundle has it.
#[must_use]
pub fn to_bytes(seen: &Seen) -> Vec<u8> {
    json::write(seen)
}

/// Reads it.
pub(crate) fn parse(bytes: &[u8]) -> Result<Seen, String> {
    let value = json::read(crate::names::SEEN, bytes)?;
    let wrong = || format!("{}: not names by artefact", crate::names::SEEN);
    let artefacts = value.as_object().ok_or_else(wrong)?;
    let mut seen = Seen::new();
    for (artefact, names) in artefacts {
        let names = names.as_array().ok_or_else(wrong)?.iter();
        let names = names.map(|name| name.as_str().map(ToOwned::to_owned));
        let names: Option<_> = names.collect();
        seen.insert(artefact.clone(), names.ok_or_else(wrong)?);
    }
    Ok(seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_panics_says_where_it_is_from() {
        let artefact = b"\0\x01/cargo/registry/src/index-1949cf8c6b5b557f/serde_json-1.0.145/src/de.rs\
            called `x`/cargo/registry/src/index-1949cf8c6b5b557f/ring-0.17.14/src/aead.rs\0\
            /home/a/registry/src/index-1/sec1-0.7.3/src/lib.rs/registry/src/index-1/a-b-1.2.3-rc.1+x/l\
            /registry/src/index-1/md-5-0.11.0/src/lib.rs/registry/src/cut";
        let found = crates(artefact);
        let found: Vec<_> = found.iter().map(String::as_str).collect();
        assert_eq!(
            found,
            [
                "a-b 1.2.3-rc.1+x",
                "md-5 0.11.0",
                "ring 0.17.14",
                "sec1 0.7.3",
                "serde_json 1.0.145"
            ]
        );
        assert!(crates(b"").is_empty());
    }
}
