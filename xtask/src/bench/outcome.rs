//! What was measured: taken from what tests say, shown, and written down.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;

use crate::process::Process;
use crate::workspace::PACKAGES;

/// What end-to-end tests say that they `measured`, with these variables.
///
/// # Errors
/// When one fails, or what it says is no JSON.
pub(super) fn measured(
    root: &Path,
    tests: &[&str],
    variables: &[(&str, u32)],
) -> Result<Vec<Value>> {
    let mut measured = Vec::new();
    for test in tests {
        eprintln!("{test}");
        let process = Process::new("cargo")
            .args(["test", "--quiet"])
            .args(PACKAGES)
            .args(["--test", "e2e", "--"])
            .args([test, "--exact", "--nocapture"])
            .env("CI", "1")
            .current_dir(root);
        let process = variables.iter().fold(process, |process, (name, value)| {
            process.env(name, value.to_string())
        });
        let said = process.capture()?.stdout;
        let lines = said.lines().filter_map(|line| line.split_once("measured "));
        for (_, figures) in lines {
            measured.push(serde_json::from_str(figures)?);
        }
    }
    Ok(measured)
}

/// Where it goes besides the screen.
#[derive(Clone, Debug)]
pub(super) struct Places {
    /// The page in `docs`, if it is to be written.
    pub(super) page: Option<PathBuf>,
    /// Figures as JSON.
    pub(super) json: Option<PathBuf>,
}

impl Places {
    /// Prints something, and writes page and figures where that was asked for.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub(super) fn tell(&self, said: &str, page: &str, figures: &impl Serialize) -> Result<()> {
        println!("\n{said}");
        if let Some(file) = &self.page {
            write(file, page.as_bytes())?;
        }
        if let Some(file) = &self.json {
            if let Some(parent) = file.parent() {
                std::fs::create_dir_all(parent)?;
            }
            write(file, &serde_json::to_vec_pretty(figures)?)?;
        }
        Ok(())
    }
}

fn write(file: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}
