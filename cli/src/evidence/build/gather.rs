//! What goes into a bundle: what is there, and of this commit and day.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Error, Result};
use ig_evidence::{About, Files, MAX_FILE_BYTES, Report, attest, names, seen};
use ig_signing::Sha256;
use ig_signing::file::{self, FileError};
use serde_json::Value;

use super::Places;
use crate::files;

/// Files that were found, and what was not.
pub(super) struct Gathered {
    pub(super) files: Files,
    pub(super) gaps: Vec<String>,
}

impl Gathered {
    pub(super) fn of(places: &Places, about: &About) -> Result<Self> {
        let mut gathered = Self {
            files: Files::new(),
            gaps: Vec::new(),
        };
        let controls = files::read(&places.controls)?;
        gathered.files.insert(names::CONTROLS, controls)?;
        gathered.files.insert(names::ABOUT, about.to_bytes())?;
        for report in Report::ALL {
            gathered.report(report, about, &places.reports)?;
        }
        gathered.dist(about, &places.dist)?;
        gathered.dashboards(&places.dashboards)?;
        Ok(gathered)
    }

    /// A report; one that does not speak for this release is a gap, and stays out.
    fn report(&mut self, report: Report, about: &About, folder: &Path) -> Result<()> {
        let path = folder.join(report.file_name());
        let Some(bytes) = there(&path)? else {
            self.not_there(&path);
            return Ok(());
        };
        match report.read(&bytes, about) {
            Ok(_) => self.files.insert(&report.path(), bytes)?,
            Err(why) => self.not_taken(&path, &why),
        }
        Ok(())
    }

    /// What `cargo xtask dist` says, and what the artefacts themselves name.
    fn dist(&mut self, about: &About, folder: &Path) -> Result<()> {
        let mut found = BTreeMap::new();
        for name in [names::SUMS, names::SBOM, names::PROVENANCE] {
            let path = folder.join(name);
            let Some(bytes) = there(&path)? else {
                self.not_there(&path);
                return Ok(());
            };
            found.insert(name, bytes);
        }
        if let Some(why) = is_of_another(&found[names::PROVENANCE], about) {
            self.not_taken(folder, why);
            return Ok(());
        }
        // Names that lead elsewhere are none.
        let artifacts = attest::subjects(&found[names::SUMS]).map_err(Error::msg)?;
        let mut seen = seen::Seen::new();
        for artifact in artifacts {
            let path = folder.join(&artifact.name);
            let bytes = files::read(&path)?;
            if Sha256::of(&bytes) != artifact.sha256 {
                self.not_taken(&path, "it is not SHA256SUMS's");
                return Ok(());
            }
            seen.insert(artifact.name, seen::crates(&bytes));
        }
        found.insert(names::SEEN, seen::to_bytes(&seen));
        for (name, bytes) in found {
            self.files.insert(name, bytes)?;
        }
        Ok(())
    }

    fn dashboards(&mut self, folder: &Path) -> Result<()> {
        if !folder.is_dir() {
            self.not_there(folder);
            return Ok(());
        }
        for (name, path) in files::tree(folder)? {
            let name = format!("{}{name}", names::DASHBOARDS);
            self.files.insert(&name, files::read(&path)?)?;
        }
        Ok(())
    }

    fn not_there(&mut self, path: &Path) {
        let what = format!("{}: it is not there", path.display());
        self.gaps.push(what);
    }

    fn not_taken(&mut self, path: &Path, why: &str) {
        let what = format!("{}: not taken: {why}", path.display());
        self.gaps.push(what);
    }
}

/// A file that may not be there. That it cannot be read is something else.
fn there(path: &Path) -> Result<Option<Vec<u8>>> {
    match file::read(path, MAX_FILE_BYTES) {
        Ok(bytes) => Ok(Some(bytes.to_vec())),
        Err(FileError::Read(_, error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Why what was built does not speak for this release, as a report of another tree does not.
fn is_of_another(provenance: &[u8], about: &About) -> Option<&'static str> {
    let Ok(said) = serde_json::from_slice::<Value>(provenance) else {
        return Some("its provenance is no JSON");
    };
    let built = &said["buildDefinition"];
    let materials = built["resolvedDependencies"].as_array();
    let mut materials = materials.into_iter().flatten();
    if !materials.any(|one| one["digest"]["gitCommit"] == about.commit.as_str()) {
        return Some("it is of another commit");
    }
    match built["externalParameters"]["changedFiles"].as_u64() {
        Some(0) => None,
        Some(_) if about.dirty => None,
        Some(_) => Some("it was built of a tree with changes that the commit does not have"),
        None => Some("its provenance does not say whether the tree had changes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_was_built_is_of_the_commit_without_changes() {
        let (ours, other) = ("a".repeat(40), "b".repeat(40));
        let provenance = |commit: &str, changed: Value| {
            let said = json!({"buildDefinition": {
                "externalParameters": {"changedFiles": changed},
                "resolvedDependencies": [{"name": "lock"}, {"digest": {"gitCommit": commit}}],
            }});
            said.to_string()
        };
        for (said, dirty, why) in [
            (provenance(&ours, json!(0)), false, None),
            (provenance(&ours, json!(0)), true, None),
            (provenance(&ours, json!(2)), true, None),
            (provenance(&ours, json!(2)), false, Some("with changes")),
            (provenance(&ours, json!(null)), false, Some("does not say")),
            (provenance(&other, json!(0)), false, Some("another commit")),
            ("{}".into(), false, Some("another commit")),
            ("{".into(), false, Some("no JSON")),
        ] {
            let about = About::new("0.1.0", &ours, dirty, 1_790_000_000).unwrap();
            let found = is_of_another(said.as_bytes(), &about);
            let is_so = match (found, why) {
                (Some(found), Some(why)) => found.contains(why),
                (found, why) => found == why,
            };
            assert!(is_so, "{said} {dirty}: {found:?}");
        }
    }
}
