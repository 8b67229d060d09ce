//! The folder of a release: programs, the module, their digests, and where they
//! come from.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::base::{self, Base};
use super::sbom::sbom;
use super::{MODULE, PROGRAMS, PROVENANCE, SBOM, SUMS};
use crate::process::Process;
use crate::{tools, wasm};

/// Builds what a release consists of.
///
/// Programs and the Wasm module are compiled by the pinned toolchain with the
/// locked dependencies and without paths of this machine, so that another build
/// of the commit gives the same bytes. Writes SHA256SUMS, a bill of
/// materials (sbom.spdx.json) and a predicate of SLSA's provenance (provenance.json), to be signed.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask dist                              target/dist\n  \
    cargo xtask dist --programs target/debug      what is built already, to try images\n  \
    (cd target/dist && sha256sum --check SHA256SUMS)")]
pub struct Args {
    /// Where it goes
    #[arg(long, default_value = "target/dist")]
    out: PathBuf,
    /// Take the programs from this folder instead of compiling them
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
    /// Base that the control plane's image will have, with its digest, for the provenance
    #[arg(long)]
    base: Option<Base>,
}

/// Runs `cargo xtask dist`.
///
/// # Errors
/// When something does not compile, or a file cannot be written.
pub fn run(args: &Args) -> Result<ExitCode> {
    let root = tools::root();
    let built = match &args.programs {
        Some(folder) => root.join(folder),
        None => programs(&root)?,
    };
    let out = root.join(&args.out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let toolchain = wasm::Toolchain::choose(&root)?;
    let module = wasm::build(&root, toolchain, wasm::Variant::Full, "release")?;
    let mut files = vec![(MODULE, module.path)];
    files.extend(PROGRAMS.map(|(_, name)| (name, built.join(name))));
    let mut sums = BTreeMap::new();
    for (name, from) in files {
        let bytes = fs::read(&from).with_context(|| format!("cannot read {}", from.display()))?;
        if name != MODULE {
            base::check(name, &bytes)?;
        }
        // Permissions come with it.
        fs::copy(&from, out.join(name)).with_context(|| format!("cannot write {name}"))?;
        sums.insert(name, hex(&Sha256::digest(&bytes)));
    }
    let lines = sums.iter().map(|(name, sum)| format!("{sum}  {name}\n"));
    let text: String = lines.collect();
    write(&out.join(SUMS), &text)?;
    let (commit, time) = commit(&root)?;
    let sbom = sbom(&root, &sums, &commit, &rfc3339(time)?)?;
    write(&out.join(SBOM), &pretty(&sbom)?)?;
    write(
        &out.join(PROVENANCE),
        &pretty(&provenance(&root, &commit, args.base.as_ref())?)?,
    )?;
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

fn pretty(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Seconds since 1970 as a date and time.
pub(super) fn rfc3339(seconds: u64) -> Result<String> {
    let said = Process::new("date")
        .args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d"])
        .arg(format!("@{seconds}"))
        .capture()?;
    Ok(said.stdout.trim().to_owned())
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compiles the programs, into a folder of their own: other flags would have
/// all else compiled again.
fn programs(root: &Path) -> Result<PathBuf> {
    let target = root.join("target/reproducible");
    let packages = PROGRAMS
        .iter()
        .flat_map(|(package, _)| ["--package", *package]);
    wasm::without_cargo(Process::new("cargo"))
        .args(["build", "--release", "--locked", "--target-dir"])
        .arg(&target)
        .args(packages)
        .env("CARGO_ENCODED_RUSTFLAGS", wasm::portable_flags(root, ""))
        .current_dir(root)
        .inherit_as_log()?;
    Ok(target.join("release"))
}

/// The commit that is checked out, and when it was made (seconds since 1970).
pub(super) fn commit(root: &Path) -> Result<(String, u64)> {
    let said = Process::new("git")
        .args(["log", "-1", "--format=%H %ct"])
        .current_dir(root)
        .capture()?;
    let (hash, time) = said.stdout.trim().split_once(' ').context("git log")?;
    Ok((hash.to_owned(), time.parse()?))
}

/// URL of the repository: the one that is built in, which may be a fork, or else the one that
/// the workspace names.
pub(super) fn source() -> String {
    match std::env::var("GITHUB_REPOSITORY") {
        Ok(repository) => format!("https://github.com/{repository}"),
        Err(_) => env!("CARGO_PKG_REPOSITORY").to_owned(),
    }
}

/// The predicate of SLSA's provenance, version 1 (<https://slsa.dev/spec/v1.0/provenance>).
/// Whether a platform or somebody's machine says so is for the signature to show.
fn provenance(root: &Path, commit: &str, base: Option<&Base>) -> Result<Value> {
    let changed = Process::new("git")
        .args(["status", "--porcelain"])
        .current_dir(root)
        .capture()?;
    let lock = fs::read(root.join("Cargo.lock")).context("cannot read Cargo.lock")?;
    let variable = |name: &str| std::env::var(name).ok();
    let run = variable("GITHUB_RUN_ID").zip(variable("GITHUB_REPOSITORY"));
    let platform = "https://github.com";
    let (builder, invocation) = match run {
        Some((id, repository)) => {
            let workflow = variable("GITHUB_WORKFLOW_REF").context("GITHUB_WORKFLOW_REF")?;
            (
                format!("{platform}/{workflow}"),
                format!("{platform}/{repository}/actions/runs/{id}"),
            )
        }
        None => (
            "https://github.com/intelgraph/guard/builders/own-machine/v1".to_owned(),
            "by hand".to_owned(),
        ),
    };
    let repository = source();
    ensure!(!repository.is_empty(), "the workspace names no repository");
    let mut resolved = vec![
        json!({"uri": format!("git+{repository}"), "digest": {"gitCommit": commit}}),
        json!({"uri": "Cargo.lock", "digest": {"sha256": hex(&Sha256::digest(&lock))}}),
    ];
    if let Some((reference, digest)) = base.and_then(Base::pinned) {
        let uri = format!("docker://{reference}");
        resolved.push(json!({"uri": uri, "digest": {"sha256": digest}}));
    }
    Ok(json!({
        "buildDefinition": {
            "buildType": "https://github.com/intelgraph/guard/builds/dist/v1",
            "externalParameters": {
                "source": format!("git+{repository}"),
                "command": "cargo xtask dist",
                "changedFiles": changed.stdout.lines().count(),
            },
            "resolvedDependencies": resolved,
        },
        "runDetails": {
            "builder": {"id": builder},
            "metadata": {"invocationId": invocation},
        },
    }))
}
