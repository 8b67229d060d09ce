//! What goes into a bundle: what is there, and of this commit and day.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use ig_evidence::{About, Files, Report, names, seen};
use ig_signing::Sha256;
use serde_json::Value;

/// Files that were found, and what was not.
pub(super) struct Gathered {
    pub(super) files: Files,
    pub(super) gaps: Vec<String>,
}

impl Gathered {
    pub(super) fn of(root: &Path, about: &About, reports: &Path, dist: &Path) -> Result<Self> {
        let mut gathered = Self {
            files: Files::new(),
            gaps: Vec::new(),
        };
        let controls = root.join("evidence/controls.toml");
        let controls =
            fs::read(&controls).with_context(|| format!("cannot read {}", controls.display()))?;
        gathered.files.insert(names::CONTROLS, controls)?;
        gathered.files.insert(names::ABOUT, about.to_bytes())?;
        for report in Report::ALL {
            gathered.report(report, about, reports)?;
        }
        gathered.dist(about, dist)?;
        gathered.dashboards(&root.join("charts/ig-guard/files/dashboards"))?;
        Ok(gathered)
    }

    /// A report; one that does not speak for this release is a gap, and stays out.
    fn report(&mut self, report: Report, about: &About, folder: &Path) -> Result<()> {
        let path = folder.join(report.file_name());
        let Ok(bytes) = fs::read(&path) else {
            self.gaps
                .push(format!("{}: it is not there", path.display()));
            return Ok(());
        };
        match report.read(&bytes, about) {
            Ok(_) => self.files.insert(&report.path(), bytes)?,
            Err(why) => self
                .gaps
                .push(format!("{}: not taken: {why}", path.display())),
        }
        Ok(())
    }

    /// What `cargo xtask dist` says, and what the artefacts themselves name.
    fn dist(&mut self, about: &About, folder: &Path) -> Result<()> {
        let mut found = BTreeMap::new();
        for name in [names::SUMS, names::SBOM, names::PROVENANCE] {
            match fs::read(folder.join(name)) {
                Ok(bytes) => drop(found.insert(name, bytes)),
                Err(_) => {
                    let what = format!("{}: it is not there", folder.join(name).display());
                    self.gaps.push(what);
                    return Ok(());
                }
            }
        }
        if let Some(why) = is_of_another(&found[names::PROVENANCE], about) {
            let what = format!("{}: not taken: {why}", folder.display());
            self.gaps.push(what);
            return Ok(());
        }
        let sums = String::from_utf8(found[names::SUMS].clone()).context(names::SUMS)?;
        let mut seen = seen::Seen::new();
        for line in sums.lines() {
            let (sum, name) = line.split_once("  ").context("a line of SHA256SUMS")?;
            let path = folder.join(name);
            let artifact =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if Sha256::of(&artifact).to_string() != sum {
                let what = format!("{}: not taken: it is not SHA256SUMS's", path.display());
                self.gaps.push(what);
                return Ok(());
            }
            seen.insert(name.to_owned(), seen::crates(&artifact));
        }
        found.insert(names::SEEN, seen::to_bytes(&seen));
        for (name, bytes) in found {
            self.files.insert(name, bytes)?;
        }
        Ok(())
    }

    fn dashboards(&mut self, folder: &Path) -> Result<()> {
        let context = || format!("cannot read {}", folder.display());
        for entry in fs::read_dir(folder).with_context(context)? {
            let entry = entry.with_context(context)?;
            let name = format!(
                "{}{}",
                names::DASHBOARDS,
                entry.file_name().to_string_lossy()
            );
            self.files
                .insert(&name, fs::read(entry.path()).with_context(context)?)?;
        }
        Ok(())
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
