//! `cargo xtask fuzz`: every fuzz target for a while.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::ValueEnum;

use crate::process::Process;
use crate::{setup, tools};

/// Runs the fuzz targets, one after the other
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask fuzz                                  every target, a minute each\n  \
    cargo xtask fuzz --target request --seconds 600   one of them for longer")]
pub struct Args {
    /// Only this target (repeatable)
    #[arg(long = "target", value_enum)]
    targets: Vec<Target>,
    /// Seconds for each
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// A fuzz target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Target {
    /// Decoding snapshots
    Snapshot,
    /// Requests on their way through all guards
    Request,
    /// Filters of SCIM
    Filter,
    /// PATCH of SCIM
    Patch,
    /// Step-up tokens
    Token,
    /// Frames of WebSockets
    Frames,
    /// Manifests of exports
    Manifest,
    /// Sigstore bundles
    Bundle,
    /// DSSE envelopes
    Envelope,
    /// in-toto statements
    Statement,
    /// Keys and detached signatures
    Key,
    /// Cosign's encrypted keys
    EncryptedKey,
    /// Sigstore's trusted roots
    TrustedRoot,
    /// Signed notes, checkpoints and keys of the ledger
    Note,
    /// Proofs of the ledger
    Proof,
    /// Bundles of the ledger's entries
    Entries,
    /// Paths of the ledger's files
    Resource,
    /// Policies of the ledger: whom to believe
    Policy,
    /// Files of the ledger, as `fsck` reads them
    Fsck,
}

impl Target {
    fn folder_and_name(self) -> (&'static str, &'static str) {
        match self {
            Self::Snapshot => ("contract/fuzz", "snapshot_decode"),
            Self::Request => ("filters/guard/fuzz", "request"),
            Self::Filter => ("control-plane/scim/fuzz", "filter"),
            Self::Patch => ("control-plane/scim/fuzz", "patch"),
            Self::Token => ("filters/step-up/fuzz", "token"),
            Self::Frames => ("filters/websocket/fuzz", "frames"),
            Self::Manifest => ("control-plane/signing/fuzz", "manifest"),
            Self::Bundle => ("control-plane/signing/fuzz", "bundle"),
            Self::Envelope => ("control-plane/signing/fuzz", "envelope"),
            Self::Statement => ("control-plane/signing/fuzz", "statement"),
            Self::Key => ("control-plane/signing/fuzz", "key"),
            Self::EncryptedKey => ("control-plane/signing/fuzz", "encrypted_key"),
            Self::TrustedRoot => ("control-plane/signing/fuzz", "trusted_root"),
            Self::Note => ("control-plane/ledger/fuzz", "note"),
            Self::Proof => ("control-plane/ledger/fuzz", "proof"),
            Self::Entries => ("control-plane/ledger/fuzz", "entries"),
            Self::Resource => ("control-plane/ledger/fuzz", "resource"),
            Self::Policy => ("control-plane/ledger/fuzz", "policy"),
            Self::Fsck => ("control-plane/ledger/fuzz", "fsck"),
        }
    }
}

/// Runs `cargo xtask fuzz`.
///
/// # Errors
/// When cargo-fuzz is missing, or a target finds something; where the input
/// lies that shows it has been printed.
pub fn run(args: &Args) -> Result<ExitCode> {
    setup::ensure(vec![setup::Extra::Fuzz])?;
    for target in Target::value_variants() {
        if args.targets.is_empty() || args.targets.contains(target) {
            fuzz(*target, args.seconds)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn fuzz(target: Target, seconds: u32) -> Result<()> {
    let (folder, name) = target.folder_and_name();
    eprintln!("== fuzz target {name}, {seconds} s");
    // What is found goes to the first; seeds are only read.
    let corpus = format!("{folder}/corpus/{name}");
    let made = std::fs::create_dir_all(tools::root().join(&corpus));
    made.with_context(|| format!("cannot make {corpus}"))?;
    let seeds = format!("{folder}/seeds/{name}");
    let has_seeds = tools::root().join(&seeds).is_dir();
    let inputs = [Some(corpus), has_seeds.then_some(seeds)];
    Ok(Process::new("cargo")
        .args(["fuzz", "run", "--fuzz-dir", folder, name])
        .args(inputs.into_iter().flatten())
        .arg("--")
        .args([
            &format!("-max_total_time={seconds}"),
            "-print_final_stats=1",
        ])
        // Sanitizers are not stable; the toolchain is.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(tools::root())
        .inherit()?)
}
