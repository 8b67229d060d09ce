//! The bill of materials: SPDX 2.3 of exactly the artefacts, which name themselves what
//! has to be in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::license;
use crate::judge::{Finding, Given};
use crate::{attest, json, names, seen};

pub(super) fn decide(given: &Given<'_>) -> Finding {
    let files = [names::SBOM, names::SUMS, names::SEEN];
    if let Some(name) = files
        .into_iter()
        .find(|name| given.files.get(name).is_none())
    {
        return Finding::gap(format!("there is no {name}"));
    }
    match check(given) {
        Ok(why) => Finding::pass(why),
        Err(why) => Finding::fail(format!("{}: {why}", names::SBOM)),
    }
}

/// A document, by its references.
struct Document<'a> {
    packages: BTreeMap<&'a str, &'a Value>,
    /// From, kind, to.
    relations: BTreeSet<(&'a str, &'a str, &'a str)>,
}

fn check(given: &Given<'_>) -> Result<String, String> {
    let file = |name: &str| given.files.get(name).unwrap_or_default();
    let said = json::read("JSON", file(names::SBOM))?;
    let document = Document::of(&said)?;
    if !json::text(&said, "documentNamespace")
        .unwrap_or_default()
        .contains(&given.about.commit)
    {
        return Err("its namespace is not of the bundle's commit".into());
    }
    let artefacts = attest::subjects(file(names::SUMS))?;
    let seen = seen::parse(file(names::SEEN))?;
    let described: BTreeSet<_> = document.linked("SPDXRef-DOCUMENT", "DESCRIBES").collect();
    if described.len() != artefacts.len() || seen.len() != artefacts.len() {
        return Err(format!(
            "{} artefacts are described, {} are seen into, and {} has {}",
            described.len(),
            seen.len(),
            names::SUMS,
            artefacts.len()
        ));
    }
    // Of just anybody's bundle, there may be as many as a file has lines.
    let by_name = described
        .iter()
        .filter_map(|id| Some((document.text(id, "name")?, *id)));
    let by_name: BTreeMap<_, _> = by_name.collect();
    for artefact in &artefacts {
        let name = &artefact.name;
        let id = by_name.get(name.as_str()).copied();
        let id = id.ok_or_else(|| format!("{name} is not described"))?;
        let digest = artefact.sha256.to_string();
        if document.checksum(id) != Some(digest.as_str()) {
            return Err(format!(
                "{name} has another SHA-256 than {} says",
                names::SUMS
            ));
        }
        if document.text(id, "versionInfo") != Some(given.about.version.as_str()) {
            return Err(format!("{name} is of another version than the bundle"));
        }
        let linked = document
            .linked(id, "STATIC_LINK")
            .filter_map(|id| document.named(id));
        let linked: BTreeSet<String> = linked.collect();
        let seen = seen
            .get(name)
            .ok_or_else(|| format!("nobody saw into {name}"))?;
        if seen.is_empty() {
            return Err(format!(
                "{name} names no crate, so nothing shows what it has"
            ));
        }
        if let Some(missing) = seen.difference(&linked).next() {
            return Err(format!("{missing} is linked into {name}, and is not in it"));
        }
        if linked.is_empty() {
            return Err(format!("nothing is linked into {name}"));
        }
    }
    let (packages, artefacts) = (document.packages.len(), artefacts.len());
    Ok(format!("{packages} packages of {artefacts} artefacts"))
}

impl<'a> Document<'a> {
    fn of(said: &'a Value) -> Result<Self, String> {
        for (name, value) in [
            ("spdxVersion", "SPDX-2.3"),
            ("dataLicense", "CC0-1.0"),
            ("SPDXID", "SPDXRef-DOCUMENT"),
        ] {
            if json::text(said, name) != Some(value) {
                return Err(format!("{name} is not {value}"));
            }
        }
        let mut packages = BTreeMap::new();
        for package in json::list(said, "packages") {
            let id = json::text(package, "SPDXID").ok_or("a package has no SPDXID")?;
            complete(id, package)?;
            if packages.insert(id, package).is_some() {
                return Err(format!("{id} is there twice"));
            }
        }
        let mut relations = BTreeSet::new();
        let mut related = BTreeSet::new();
        for one in json::list(said, "relationships") {
            let part = |name: &str| json::text(one, name).ok_or("a relationship is not complete");
            let (from, to) = (part("spdxElementId")?, part("relatedSpdxElement")?);
            for id in [from, to] {
                if id != "SPDXRef-DOCUMENT" && !packages.contains_key(id) {
                    return Err(format!("a relationship is of {id}, which is not there"));
                }
            }
            related.insert(to);
            relations.insert((from, part("relationshipType")?, to));
        }
        let orphan = packages.keys().find(|id| !related.contains(*id)).copied();
        match orphan {
            Some(id) => Err(format!("{id} is of nothing")),
            None => Ok(Self {
                packages,
                relations,
            }),
        }
    }

    fn text(&self, id: &str, name: &str) -> Option<&'a str> {
        json::text(self.packages.get(id)?, name)
    }

    /// `name version`, as artefacts are seen to have it.
    fn named(&self, id: &str) -> Option<String> {
        Some(format!(
            "{} {}",
            self.text(id, "name")?,
            self.text(id, "versionInfo")?
        ))
    }

    fn checksum(&self, id: &str) -> Option<&'a str> {
        let checksums = json::list(self.packages.get(id)?, "checksums").iter();
        let mut sha256 = checksums.filter(|one| json::text(one, "algorithm") == Some("SHA256"));
        json::text(sha256.next()?, "checksumValue")
    }

    fn linked(&self, from: &'a str, kind: &'a str) -> impl Iterator<Item = &'a str> {
        let relations = self.relations.range((from, kind, "")..);
        relations
            .take_while(move |(one, how, _)| *one == from && *how == kind)
            .map(|(_, _, to)| *to)
    }
}

/// What NTIA's minimum asks of each, and licences as expressions.
fn complete(id: &str, package: &Value) -> Result<(), String> {
    for name in [
        "name",
        "versionInfo",
        "supplier",
        "downloadLocation",
        "licenseDeclared",
    ] {
        if json::text(package, name).is_none_or(str::is_empty) {
            return Err(format!("{id} has no {name}"));
        }
    }
    let declared = json::text(package, "licenseDeclared").unwrap_or_default();
    license::check(declared).map_err(|why| format!("{id}: {declared:?} is no expression: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_linked_is_found_among_many() {
        let names: Vec<_> = (0..200_000).map(|one| format!("a{one}")).collect();
        let relation = |name: &'static str| {
            let of_each = names.iter();
            of_each.map(move |from| (from.as_str(), name, "b"))
        };
        let relations = relation("STATIC_LINK").chain(relation("DEPENDS_ON"));
        let document = Document {
            packages: BTreeMap::new(),
            relations: relations.collect(),
        };
        // Looking at all of them for each would not end here.
        for name in &names {
            let linked: Vec<_> = document.linked(name, "STATIC_LINK").collect();
            assert_eq!(linked, ["b"]);
        }
        assert_eq!(document.linked("a", "STATIC_LINK").count(), 0);
    }
}
