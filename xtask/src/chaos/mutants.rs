//! `cargo xtask chaos --mutations`: whether the harness notices what it is for. Each
//! mutation is built in a copy of the workspace, run, and judged: exactly the invariant
//! that it breaks must not hold.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::mutation::{self, Builds, Mutation};
use crate::process::Process;
use crate::wasm::{self, Toolchain, Variant};

/// A copy of the workspace that is broken, and built again and again.
struct Mutant {
    root: PathBuf,
    toolchain: Toolchain,
    /// The workspace that is right.
    from: PathBuf,
}

/// Tries the mutations of these names; all without any.
///
/// # Errors
/// If one does not apply or build, or nothing can be run.
pub(super) fn run(root: &Path, names: &[String]) -> Result<ExitCode> {
    let all = mutation::all(root)?;
    let is_asked = |one: &&Mutation| names.is_empty() || names.contains(&one.name);
    let chosen: Vec<_> = all.iter().filter(is_asked).collect();
    let known = || {
        all.iter()
            .map(|one| one.name.as_str())
            .collect::<Vec<_>>()
            .join(", ")
    };
    ensure!(
        !chosen.is_empty(),
        "there is no such mutation; there is {}",
        known()
    );
    for name in names {
        ensure!(
            chosen.iter().any(|one| one.name == *name),
            "there is no mutation `{name}`"
        );
    }
    let mutant = Mutant {
        root: root.join("target/mutants/src"),
        toolchain: Toolchain::choose(root)?,
        from: root.to_owned(),
    };
    let mut missed = 0;
    for mutation in chosen {
        eprintln!("{}: {}", mutation.name, mutation.about);
        let broken = mutant
            .broken_by(mutation)
            .with_context(|| mutation.name.clone())?;
        let is_noticed = broken.len() == 1 && broken.contains(&mutation.breaks);
        missed += usize::from(!is_noticed);
        let broken: Vec<_> = broken.iter().map(String::as_str).collect();
        println!(
            "{} {}: breaks {}, and was to break {}",
            if is_noticed { "PASS" } else { "FAIL" },
            mutation.name,
            if broken.is_empty() {
                "nothing".to_owned()
            } else {
                broken.join(", ")
            },
            mutation.breaks,
        );
    }
    Ok(if missed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Mutant {
    /// Names of the invariants that do not hold with a mutation.
    fn broken_by(&self, mutation: &Mutation) -> Result<BTreeSet<String>> {
        copy(&self.from, &self.root)?;
        mutation.apply(&self.root)?;
        let mut harness = self.from.join("target/debug/ig-chaos");
        let mut control_plane = self.from.join("target/debug/ig-control-plane");
        let mut module = wasm::output_dir(&self.from).join(Variant::Full.file_name());
        match mutation.builds {
            Builds::Module => {
                module = wasm::build(&self.root, self.toolchain, Variant::Full, "release")?.path;
            }
            Builds::ControlPlane => control_plane = self.cargo("ig-control-plane")?,
            Builds::Harness => harness = self.cargo("ig-chaos")?,
        }
        let reports = self
            .from
            .join("target/mutants/reports")
            .join(&mutation.name);
        let results = reports.join("chaos-results.json");
        // Those of a run before would be taken for this one's.
        let _ = fs::remove_file(&results);
        let mut run = std::process::Command::new(harness);
        run.args(["--scenario", &mutation.scenario])
            .args(["--seed", &mutation.seed.to_string()])
            .args(["--duration", &mutation.duration.to_string()])
            .arg("--reports")
            .arg(&reports)
            .arg("--control-plane")
            .arg(control_plane)
            .arg("--module")
            .arg(module)
            .current_dir(&self.from)
            .stdout(fs::File::create(self.log(&mutation.name)?)?);
        if let Ok(envoy) = crate::tools::envoy(&self.from) {
            run.env(crate::tools::ENVOY_VARIABLE, envoy.path);
        }
        let status = run.status().context("the harness does not start")?;
        match status.code() {
            Some(0 | 1) => broken(&results),
            _ => bail!("the harness ended with {status}"),
        }
    }

    fn log(&self, name: &str) -> Result<PathBuf> {
        let folder = self.from.join("target/mutants");
        fs::create_dir_all(&folder)?;
        Ok(folder.join(format!("{name}.log")))
    }

    fn cargo(&self, program: &str) -> Result<PathBuf> {
        Process::new("cargo")
            .args(["build", "--quiet", "--bin", program])
            .env_remove("CARGO_TARGET_DIR")
            .current_dir(&self.root)
            .inherit()?;
        Ok(self.root.join("target/debug").join(program))
    }
}

fn broken(results: &Path) -> Result<BTreeSet<String>> {
    let results: Value = serde_json::from_slice(&fs::read(results)?)?;
    let scenarios = results["scenarios"].as_array().context("no scenarios")?;
    let verdicts = scenarios
        .iter()
        .filter_map(|one| one["verdicts"].as_array());
    let mut broken = BTreeSet::new();
    for verdict in verdicts.flatten() {
        let name = verdict["invariant"]
            .as_str()
            .context("a verdict without its name")?;
        if verdict["holds"] != true {
            broken.insert(name.to_owned());
        }
    }
    Ok(broken)
}

/// Makes `to` what is in `from` and not ignored. What is the same keeps its time, so
/// that it is not built again.
fn copy(from: &Path, to: &Path) -> Result<()> {
    let listed = Process::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(from)
        .capture()?;
    let files: BTreeSet<_> = listed
        .stdout
        .split('\0')
        .filter(|one| !one.is_empty())
        .collect();
    ensure!(!files.is_empty(), "{} has no files", from.display());
    for file in &files {
        let (source, target) = (from.join(file), to.join(file));
        let Ok(bytes) = fs::read(&source) else {
            // Deleted, and not committed yet; or a link to a folder.
            continue;
        };
        if fs::read(&target).is_ok_and(|there| there == bytes) {
            continue;
        }
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&target, bytes).with_context(|| format!("cannot write {}", target.display()))?;
    }
    clean(to, to, &files)
}

/// Removes what is no file of the workspace any more.
fn clean(folder: &Path, root: &Path, files: &BTreeSet<&str>) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = path.strip_prefix(root)?.to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if name != "target" {
                clean(&path, root, files)?;
            }
        } else if !files.contains(name.as_str()) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}
