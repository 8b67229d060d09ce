//! `ig-verify manifest`

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::thread;

use anyhow::Result;
use ig_signing::{Manifest, Sha256, manifest};

use crate::files;
use crate::input::{self, Logs, Signer};
use crate::logged;
use crate::report::{Kind, Problem, Report};

/// Verify a manifest, and the files that it names.
///
/// Without --files, only that the key signed the manifest. With it, each item's
/// id has to be the name of a file below the folder, with the bytes that the
/// manifest says, and there may be no other files but those given here.
///
/// With --trusted-root, each log entry of the bundle has to be of this signature,
/// and in a tree that the log's key signed; with --checkpoint, in a tree of the log
/// that you know.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    ig-verify manifest --manifest m.json --bundle m.sigstore.json --key cosign.pub\n  \
    ig-verify manifest --manifest m.json --bundle m.sigstore.json --key cosign.pub --files export/\n  \
    ig-verify manifest --manifest m.json --bundle m.sigstore.json --key cosign.pub --trusted-root root.json\n  \
    ig-verify manifest --manifest m.json --bundle m.sigstore.json --key cosign.pub --trusted-root root.json --checkpoint old.checkpoint --ledger log/\n  \
    ig-verify manifest --json --manifest m.json --bundle m.sigstore.json --key cosign.pub")]
pub(crate) struct Args {
    /// The manifest.
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// The Sigstore bundle of the manifest.
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    #[command(flatten)]
    signer: Signer,
    #[command(flatten)]
    logs: Logs,
    /// The folder of the files.
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// How many files are hashed at once [default: one for each processor].
    #[arg(long, value_name = "N", requires = "files")]
    jobs: Option<NonZeroUsize>,
}

pub(crate) fn run(args: &Args) -> Result<Report> {
    let key = args.signer.public_key()?;
    let root = args.logs.trusted_root()?;
    let bytes = input::read(&args.manifest, manifest::MAX_BYTES)?;
    let name = args.manifest.display().to_string();
    let mut report = Report::default();

    match input::bundle(&args.bundle)? {
        Ok(bundle) => match bundle.verify(&key, &Sha256::of(&bytes)) {
            Ok(()) => {
                report.verified(format!("{name}: signed by {}", key.key_id()));
                logged::verify(&bundle, &key, root.as_ref(), &args.logs, &mut report)?;
            }
            Err(failure) => report.problem(Problem::new(Kind::Signature, &*name, failure)),
        },
        Err(problem) => report.problem(problem),
    }
    let manifest = match Manifest::parse(&bytes) {
        Ok(manifest) => manifest,
        Err(error) => {
            report.problem(Problem::new(Kind::Malformed, name, error));
            return Ok(report.finish());
        }
    };
    // Files are compared whoever signed: who looks for what was changed wants to
    // know all of it.
    match &args.files {
        Some(folder) => {
            let given = [&args.manifest, &args.bundle, &args.signer.key];
            let given: Vec<_> = given.into_iter().chain(args.logs.files()).collect();
            let jobs = args.jobs.or_else(|| thread::available_parallelism().ok());
            let jobs = jobs.map_or(1, NonZeroUsize::get);
            files::verify(&manifest, folder, &given, jobs, &mut report)?;
        }
        None => {
            let items = manifest.items().len();
            report
                .not_checked
                .push(format!("files of {items} items: no --files"));
        }
    }
    Ok(report.finish())
}
