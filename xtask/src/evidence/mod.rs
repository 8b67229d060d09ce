//! `cargo xtask evidence`: what a release brings along for auditors, made of what was run.

mod gather;
mod keys;
pub mod record;
pub mod runs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use ig_evidence::seal::{Sealed, seal};
use ig_evidence::{About, Asked, Verdict, names, read, verify};
use ig_ledger::Log;
use ig_ledger::storage::{Disk, Files as _};
use ig_signing::{KeySource, PublicKey};

use crate::process::Process;
use crate::tools;
use gather::Gathered;
use keys::Keys;
use runs::Run;

/// Builds the evidence of a release: reports, bill of materials, provenance, dashboards,
/// attestations, the ledger's growth and the verdict of each control, in one signed
/// manifest that the ledger has.
///
/// A report counts when it is of this commit and this day. One that is missing, or of
/// another commit or day, is a GAP; it is not taken. `--run` makes reports anew.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask evidence                          of the reports and dist that are there\n  \
    cargo xtask evidence --run policy,schema,dist what is short, anew\n  \
    cargo xtask evidence --key release.pem --since last.checkpoint\n\n\
    Exit codes: 0 no control fails, 1 one does.")]
pub struct Args {
    /// The folder of the bundle; beside it come its .tar, the public key and the checkpoint
    #[arg(long, default_value = "evidence/release/v0.2")]
    out: PathBuf,
    /// The private key that signs, P-256 in PEM; without it, one of `--keys`
    #[arg(long, value_name = "FILE_OR_URI")]
    key: Option<KeySource>,
    /// The only line is the password of `--key`
    #[arg(long, value_name = "FILE", requires = "key")]
    password_file: Option<PathBuf>,
    /// Keys of the ledger, and one to sign with: made where they are not there
    #[arg(long, value_name = "DIR", default_value = "target/evidence/keys")]
    keys: PathBuf,
    /// The project's ledger: begun where it is not there
    #[arg(long, value_name = "DIR", default_value = "target/evidence/ledger")]
    ledger: PathBuf,
    /// Its name, a host name: verifiers of Sigstore ask for one
    #[arg(long, default_value = "ledger.intelgraph.example")]
    origin: String,
    /// The checkpoint of the last release; without it, the ledger's beginning
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
    /// Where reports are
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
    /// Where `cargo xtask dist` has left programs and module
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    dist: PathBuf,
    /// The revision whose schema this one is compared with; without it, the last tag of a
    /// release, or the schema's first commit
    #[arg(long, value_name = "REVISION")]
    schema_base: Option<String>,
    /// What is run first (repeatable, or separated by commas)
    #[arg(long = "run", value_enum, value_delimiter = ',')]
    runs: Vec<Run>,
}

/// Runs `cargo xtask evidence`.
///
/// # Errors
/// When something cannot be run, read, signed or written.
pub fn run(args: &Args) -> Result<ExitCode> {
    let root = tools::root();
    let at = |path: &Path| root.join(path);
    for one in runs::ordered(&args.runs) {
        one.run(
            &root,
            &at(&args.reports),
            &at(&args.dist),
            args.schema_base.as_deref(),
        )?;
    }
    let tree = Tree::of(&root)?;
    let about = About::new(
        env!("CARGO_PKG_VERSION"),
        &tree.commit,
        tree.dirty,
        ig_evidence::now(),
    )?;
    let gathered = Gathered::of(&root, &about, &at(&args.reports), &at(&args.dist))?;
    for gap in &gathered.gaps {
        println!("GAP   {gap}");
    }
    let keys = Keys::open(
        &at(&args.keys),
        &args.origin,
        args.key.clone(),
        args.password_file.as_deref(),
    )?;
    let sealed = made(args, &root, &keys, gathered)?;
    write(&sealed, keys.signer().public(), &at(&args.out))?;
    Ok(say(&sealed, &at(&args.out)))
}

/// Seals, and verifies what came of it: nothing is written that nobody would believe.
fn made(args: &Args, root: &Path, keys: &Keys, gathered: Gathered) -> Result<Sealed> {
    let mut log = ledger(&root.join(&args.ledger), keys)?;
    let since = args.since.as_deref().map(|path| {
        fs::read_to_string(root.join(path))
            .with_context(|| format!("cannot read {}", path.display()))
    });
    let since = since.transpose()?;
    let signer = keys.signer();
    let sealed = seal(
        gathered.files,
        signer,
        &mut log,
        keys.log().keys(),
        since.as_deref(),
    )?;
    let asked = Asked {
        allow_gaps: true,
        checkpoint: since.as_ref().map(String::as_bytes),
        ..Asked::by(signer.public())
    };
    let found = verify(&sealed.files, &asked);
    let broken = found
        .problems
        .iter()
        .find(|one| one.kind != ig_evidence::Kind::Claim);
    if let Some(broken) = broken {
        anyhow::bail!(
            "the bundle does not verify: {}: {}",
            broken.item,
            broken.why
        );
    }
    Ok(sealed)
}

/// Opens the ledger, or begins it.
fn ledger(folder: &Path, keys: &Keys) -> Result<Log<Disk>> {
    let context = || format!("the ledger in {}", folder.display());
    let disk = Disk::open(folder).with_context(context)?;
    let there = disk
        .read(ig_ledger::layout::Resource::Checkpoint)
        .with_context(context)?;
    let log = match there {
        None => Log::create(disk, keys.log()),
        Some(_) => Log::open(disk, keys.log(), None),
    };
    log.with_context(context)
}

/// The folder, as a whole or not at all, and what is handed out beside it.
fn write(sealed: &Sealed, key: &PublicKey, out: &Path) -> Result<()> {
    let above = out.parent().context("--out has a folder above it")?;
    fs::create_dir_all(above).with_context(|| format!("cannot make {}", above.display()))?;
    let name = out
        .file_name()
        .and_then(|name| name.to_str())
        .context("--out has a name")?;
    let next = above.join(format!(".{name}.{}", std::process::id()));
    let written = read::write(&sealed.files, &next);
    written.with_context(|| format!("cannot write {}", next.display()))?;
    if out.exists() {
        ensure!(
            out.join(names::MANIFEST).is_file(),
            "{} is there, and is no bundle: it is not replaced",
            out.display()
        );
        fs::remove_dir_all(out)?;
    }
    fs::rename(&next, out).with_context(|| format!("cannot write {}", out.display()))?;
    fs::write(above.join(format!("{name}.tar")), sealed.files.to_tar()?)?;
    fs::write(above.join("cosign.pub"), key.to_pem())?;
    fs::write(above.join(format!("{name}.checkpoint")), &sealed.checkpoint)?;
    Ok(())
}

fn say(sealed: &Sealed, out: &Path) -> ExitCode {
    for control in &sealed.verdicts.controls {
        println!("{:<5} {}", control.verdict.as_str(), control.id);
        for claim in control
            .claims
            .iter()
            .filter(|claim| claim.verdict != Verdict::Pass)
        {
            let (verdict, check) = (claim.verdict.as_str(), claim.check.as_str());
            println!("      {verdict} {check}: {}", claim.why);
        }
    }
    let [pass, gap, fail] =
        [Verdict::Pass, Verdict::Gap, Verdict::Fail].map(|verdict| sealed.verdicts.count(verdict));
    println!("{}: {pass} PASS, {gap} GAP, {fail} FAIL", out.display());
    match fail {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    }
}

/// What is checked out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    /// The commit, in full.
    pub commit: String,
    /// Whether there are changes that it does not have.
    pub dirty: bool,
}

impl Tree {
    /// Of the workspace.
    ///
    /// # Errors
    /// When it is no repository.
    pub fn of(root: &Path) -> Result<Self> {
        let git = |words: &[&str]| {
            let said = Process::new("git")
                .args(words)
                .current_dir(root)
                .capture()?;
            Ok::<_, anyhow::Error>(said.stdout.trim().to_owned())
        };
        Ok(Self {
            commit: git(&["rev-parse", "HEAD"])?,
            dirty: !git(&["status", "--porcelain"])?.is_empty(),
        })
    }

    /// Of a run that began with this tree and ends now.
    ///
    /// # Errors
    /// When it is no repository any more.
    pub fn until_now(&self, root: &Path) -> Result<Self> {
        Ok(self.until(&Self::of(root)?))
    }

    /// A run may take hours. Where the tree is another after it, nobody knows which one it
    /// was of, so it speaks for no commit.
    fn until(&self, after: &Self) -> Self {
        Self {
            commit: self.commit.clone(),
            dirty: self.dirty || self != after,
        }
    }

    /// What a report says of its run.
    #[must_use]
    pub fn stamp(&self, command: &str) -> serde_json::Value {
        serde_json::json!({
            "commit": self.commit,
            "dirty": self.dirty,
            "date": ig_evidence::rfc3339(ig_evidence::now()),
            "command": command,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_of_a_tree_that_stayed() {
        let tree = |(commit, dirty): (&str, bool)| Tree {
            commit: commit.into(),
            dirty,
        };
        for (before, after, expected) in [
            (("a", false), ("a", false), ("a", false)),
            (("a", false), ("a", true), ("a", true)),
            (("a", true), ("a", false), ("a", true)),
            (("a", true), ("a", true), ("a", true)),
            // Committed or checked out meanwhile.
            (("a", false), ("b", false), ("a", true)),
            (("a", true), ("b", false), ("a", true)),
        ] {
            let found = tree(before).until(&tree(after));
            assert_eq!(found, tree(expected), "{before:?} {after:?}");
        }
    }
}
