//! What goes into a bundle: what is there, and of this commit and day.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use ig_evidence::{About, Files, Report, names, seen};
use ig_signing::Sha256;

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
        let provenance = String::from_utf8_lossy(&found[names::PROVENANCE]).into_owned();
        if !provenance.contains(&about.commit) {
            let what = format!("{}: not taken: it is of another commit", folder.display());
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
