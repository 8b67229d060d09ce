//! Runs that once found something, kept so that they find it again.

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::scenario::{SCENARIOS, Scenario};

/// A run that once did not hold.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Its scenario.
    pub scenario: String,
    /// What was drawn depended on it.
    pub seed: u64,
    /// Seconds for which the system was disturbed.
    pub duration: u64,
    /// What it found.
    pub why: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    seed: Vec<Kept>,
}

impl Kept {
    /// The scenario of the name.
    ///
    /// # Errors
    /// If there is none.
    pub fn scenario(&self) -> Result<&'static Scenario> {
        let found = SCENARIOS.iter().find(|one| one.name == self.scenario);
        found.with_context(|| format!("there is no scenario `{}`", self.scenario))
    }
}

/// All of them, as `chaos/seeds.toml` has them.
///
/// # Errors
/// If one has no scenario, no time or no reason.
pub fn kept() -> Result<Vec<Kept>> {
    let file: File = toml::from_str(include_str!("../seeds.toml"))?;
    for one in &file.seed {
        one.scenario()?;
        ensure!(
            (2..=120).contains(&one.duration),
            "{one:?}: 2 to 120 seconds"
        );
        ensure!(!one.why.trim().is_empty(), "{one:?}: say why");
    }
    Ok(file.seed)
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_can_be_run() {
        assert!(!super::kept().unwrap().is_empty());
    }
}
