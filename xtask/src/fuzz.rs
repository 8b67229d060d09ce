//! `cargo xtask fuzz`: every fuzz target for a while.

use std::process::ExitCode;

use anyhow::Result;
use clap::ValueEnum;

use crate::process::Process;
use crate::{setup, tools};

/// Runs the fuzz targets, one after the other
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask fuzz                                  both targets, a minute each\n  \
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
}

impl Target {
    fn folder_and_name(self) -> (&'static str, &'static str) {
        match self {
            Self::Snapshot => ("contract/fuzz", "snapshot_decode"),
            Self::Request => ("filters/guard/fuzz", "request"),
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
    Ok(Process::new("cargo")
        .args(["fuzz", "run", "--fuzz-dir", folder, name, "--"])
        .args([
            &format!("-max_total_time={seconds}"),
            "-print_final_stats=1",
        ])
        // Sanitizers are not stable; the toolchain is.
        .env("RUSTC_BOOTSTRAP", "1")
        .current_dir(tools::root())
        .inherit()?)
}
