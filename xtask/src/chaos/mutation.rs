//! A build that is broken on purpose: patches, and the invariant that has to notice.

use std::path::{Component, Path};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

/// One file of `chaos/mutations`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// The file's name without its end.
    #[serde(skip)]
    pub name: String,
    /// What is broken, in a sentence.
    pub about: String,
    /// The one invariant that then does not hold, by the name that reports have.
    pub breaks: String,
    /// The scenario that shows it.
    pub scenario: String,
    /// What has to be built anew.
    pub builds: Builds,
    /// Its seed.
    #[serde(default = "one")]
    pub seed: u64,
    /// Seconds for which the system is disturbed.
    #[serde(default = "eight")]
    pub duration: u64,
    /// What is changed.
    pub patch: Vec<Patch>,
}

fn one() -> u64 {
    1
}

fn eight() -> u64 {
    8
}

/// The part that a mutation is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Builds {
    /// The guard's module.
    Module,
    /// The control plane.
    ControlPlane,
    /// The harness, which has the renderer of gateways.
    Harness,
}

/// A text of a file, and what stands for it.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patch {
    /// From the root of the workspace.
    pub file: String,
    /// What is there, exactly once.
    pub find: String,
    /// What is there instead.
    pub replace: String,
}

impl Patch {
    /// The file's text with the change.
    ///
    /// # Errors
    /// If what is to be changed is not there exactly once: the code went on, and the
    /// mutation has to follow it.
    pub fn apply(&self, text: &str) -> Result<String> {
        let count = text.matches(&self.find).count();
        ensure!(
            count == 1,
            "{}: `{}` is there {count} times, not once; change the mutation as the code was",
            self.file,
            self.find
        );
        ensure!(self.find != self.replace, "{}: nothing changes", self.file);
        Ok(text.replacen(&self.find, &self.replace, 1))
    }
}

impl Mutation {
    /// Changes the workspace at `root`.
    ///
    /// # Errors
    /// As [`Patch::apply`], and if a file cannot be read or written.
    pub fn apply(&self, root: &Path) -> Result<()> {
        for (file, text) in self.changed(root)? {
            std::fs::write(root.join(&file), text)
                .with_context(|| format!("cannot write {file}"))?;
        }
        Ok(())
    }

    /// The files that it changes, and what they are then.
    ///
    /// # Errors
    /// As [`Patch::apply`], and if a file cannot be read.
    pub fn changed(&self, root: &Path) -> Result<Vec<(String, String)>> {
        let mut changed: Vec<(String, String)> = Vec::new();
        ensure!(!self.patch.is_empty(), "{}: no patch", self.name);
        for patch in &self.patch {
            let parts = Path::new(&patch.file).components();
            let is_inside = parts
                .into_iter()
                .all(|part| matches!(part, Component::Normal(_)));
            ensure!(is_inside, "{}: not in the workspace", patch.file);
            let at = changed.iter().position(|(file, _)| *file == patch.file);
            let text = match at {
                Some(at) => changed.swap_remove(at).1,
                None => std::fs::read_to_string(root.join(&patch.file))
                    .with_context(|| format!("cannot read {}", patch.file))?,
            };
            let text = patch.apply(&text).with_context(|| self.name.clone())?;
            changed.push((patch.file.clone(), text));
        }
        Ok(changed)
    }
}

/// All mutations of a workspace, by name.
///
/// # Errors
/// If one cannot be read.
pub fn all(root: &Path) -> Result<Vec<Mutation>> {
    let folder = root.join("chaos/mutations");
    let mut all = Vec::new();
    let entries = std::fs::read_dir(&folder);
    for entry in entries.with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        let text = std::fs::read_to_string(&path)?;
        let mut mutation: Mutation =
            toml::from_str(&text).with_context(|| format!("{} is not valid", path.display()))?;
        let name = path.file_stem().context("a file without a name")?;
        mutation.name = name.to_string_lossy().into_owned();
        all.push(mutation);
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}
