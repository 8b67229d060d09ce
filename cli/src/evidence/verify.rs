//! `ig evidence verify`

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use ig_evidence::read::{self, ReadError};
use ig_evidence::{Asked, Kind, Problem, Verified, verify};
use ig_signing::{PublicKey, TrustedRoot, file, key, trusted_root};

use crate::output::{self, count};
use crate::{Outcome, files};

/// The most bytes of a checkpoint.
const MAX_CHECKPOINT_BYTES: usize = 64 << 10;

/// Verify the evidence of a release: a folder, or a .tar of it.
///
/// Needs the release's public key, from somewhere else than the bundle, and no network.
/// The key has to have signed the manifest, which names each file and no other; the ledger
/// has to have the signature, and to have only grown. Every verdict is computed again from
/// the reports, each of which has to be of the bundle's commit and day, and attested.
///
/// A GAP is evidence that is missing: nothing is known to be wrong, and it is no success.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 everything verifies, and each claim has its evidence; \
1 something does not;
2 nothing is known to be wrong, but something is not shown (a GAP), or cannot be read; usage.

Examples:
  ig evidence verify evidence/release/v0.2 --key cosign.pub
  ig evidence verify evidence.tar --key cosign.pub --trusted-root root.json --checkpoint last.checkpoint
  ig evidence verify evidence.tar --key cosign.pub --artifacts downloads/ --json"
)]
pub(crate) struct Args {
    /// The bundle.
    #[arg(value_name = "DIR_OR_TAR")]
    bundle: PathBuf,
    /// The release's public key: PEM, ECDSA P-256.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The ledger to believe (Sigstore's TrustedRoot, JSON); without it, the one that the
    /// signer names.
    #[arg(long, value_name = "FILE")]
    trusted_root: Option<PathBuf>,
    /// The checkpoint that you kept of the release before: the ledger has to have grown
    /// from it.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// The commit that it has to be of, in full.
    #[arg(long, value_name = "SHA")]
    commit: Option<String>,
    /// A folder with programs and module of the release: they have to be the ones that the
    /// bundle speaks of.
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// A GAP is said, and no failure.
    #[arg(long)]
    allow_gaps: bool,
    /// Print the report as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let bytes = file::read(&args.key, key::MAX_BYTES)?;
    let key = PublicKey::from_pem(&bytes)
        .with_context(|| format!("{} is not a public key", args.key.display()))?;
    let root = args.trusted_root.as_deref().map(trusted).transpose()?;
    let checkpoint = args.checkpoint.as_deref();
    let checkpoint = checkpoint.map(|path| file::read(path, MAX_CHECKPOINT_BYTES));
    let checkpoint = checkpoint.transpose()?;
    let report = match read::bundle(&args.bundle) {
        Ok(bundle) => verify(
            &bundle,
            &Asked {
                key: &key,
                trusted_root: root.as_ref(),
                checkpoint: checkpoint.as_ref().map(|bytes| bytes.as_slice()),
                commit: args.commit.as_deref(),
                artefacts: args
                    .artifacts
                    .as_deref()
                    .map_or_else(|| Ok(BTreeMap::new()), artifacts)?,
                now: Some(ig_evidence::now()),
                allow_gaps: args.allow_gaps,
            },
        ),
        // Files that make no bundle are a finding; what cannot be read is not known.
        Err(ReadError::Files(error)) => malformed(&args.bundle, &error),
        Err(error @ ReadError::Io(..)) => return Err(error.into()),
    };
    match args.json {
        true => output::json(&report)?,
        false => print(&report)?,
    }
    match report.exit_code() {
        0 => Ok(Outcome::Clean),
        1 => Ok(Outcome::Findings),
        _ => bail!("nothing is known to be wrong, but not everything is shown"),
    }
}

fn trusted(path: &Path) -> Result<TrustedRoot> {
    let bytes = file::read(path, trusted_root::MAX_BYTES)?;
    TrustedRoot::parse(&bytes).with_context(|| format!("{} is not a trusted root", path.display()))
}

/// Every file of a folder but those that describe the others.
fn artifacts(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let is_described = |name: &str| {
        let ends = [".json", ".tar", ".tgz", ".pub", ".checkpoint"];
        !ends.iter().any(|end| name.ends_with(end)) && !["SHA256SUMS", "IMAGES"].contains(&name)
    };
    let mut found = BTreeMap::new();
    for (name, path) in files::tree(folder)? {
        if is_described(&name) {
            found.insert(name, files::read(&path)?);
        }
    }
    match found.is_empty() {
        true => bail!("{} has no programs and no module", folder.display()),
        false => Ok(found),
    }
}

fn malformed(bundle: &Path, error: &ig_evidence::FilesError) -> Verified {
    let problem = Problem {
        kind: Kind::Malformed,
        item: bundle.display().to_string(),
        why: error.to_string(),
    };
    Verified {
        problems: vec![problem],
        ..Verified::default()
    }
}

/// What a bundle is quoted with is no line of ours: its signature may be anybody's.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// For people, as `ig-verify` prints.
fn print(report: &Verified) -> Result<()> {
    for what in &report.verified {
        output::line(format_args!("ok           {what}"))?;
    }
    for what in &report.not_checked {
        output::line(format_args!("not checked  {}", one_line(what)))?;
    }
    for Problem { kind, item, why } in &report.problems {
        let word = match kind {
            Kind::NotShown => "NOT SHOWN  ",
            _ => "FAILED     ",
        };
        output::line(format_args!("{word}  {item}: {}", one_line(why)))?;
    }
    if !report.controls.is_empty() {
        output::line("")?;
        let rows = report.controls.iter().map(|control| {
            let claims = control.claims.iter().map(|claim| {
                let (check, verdict) = (claim.check.as_str(), claim.verdict.as_str());
                format!("{check} {verdict}")
            });
            let claims: Vec<_> = claims.collect();
            [
                control.id.clone(),
                control.verdict.as_str().to_owned(),
                claims.join(", "),
            ]
        });
        output::table(["CONTROL", "VERDICT", "CLAIMS"], rows)?;
        output::line("\nA mapping of controls is no audit.")?;
    }
    output::line(match report.problems.len() {
        0 => "verified".to_owned(),
        problems => format!("NOT VERIFIED: {}", count(problems, "problem")),
    })
}
