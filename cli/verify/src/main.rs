//! `ig-verify`: verifies exports and the log of them, without the system that made
//! them. A network is used for logs that are behind a URL, and for nothing else.
//!
//! Exit codes: 0 when everything verifies, 1 when something does not, 2 for what
//! cannot be read or shown, and for a wrong command line.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod ahead;
mod bundle;
mod files;
mod growth;
mod input;
mod ledger;
mod logged;
mod manifest;
mod report;
mod source;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::{Shell, generate};

use report::Report;

/// Verifies exports: who signed what, whether the files are those, and whether a
/// log has it.
///
/// Needs the signer's public key, from somewhere else than the export. Only a log
/// that is given as a URL needs a network.
#[derive(Parser)]
#[command(
    name = "ig-verify",
    version,
    after_help = "Exit codes: 0 everything verifies, 1 something does not, \
                  2 usage, or something cannot be read or shown.\n\
                  Every command has examples: ig-verify manifest --help"
)]
struct Cli {
    /// Print a report as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Manifest(manifest::Args),
    Bundle(bundle::BundleArgs),
    Signature(bundle::SignatureArgs),
    Ledger(ledger::Args),
    /// Write a completion script for a shell.
    #[command(after_help = "Examples:\n  \
        ig-verify completions bash > ~/.local/share/bash-completion/completions/ig-verify\n  \
        ig-verify completions zsh > ~/.zfunc/_ig-verify")]
    Completions {
        /// The shell.
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = run(&cli);
    done.unwrap_or_else(|error| {
        let is_pipe = |error: &std::io::Error| error.kind() == std::io::ErrorKind::BrokenPipe;
        // The reader of a pipe left before it had read what was said, so it was
        // told nothing.
        if !error.downcast_ref().is_some_and(is_pipe) {
            eprintln!("error: {error:#}");
        }
        ExitCode::from(2)
    })
}

fn run(cli: &Cli) -> Result<ExitCode> {
    let report: Report = match &cli.command {
        Command::Manifest(args) => manifest::run(args)?,
        Command::Bundle(args) => bundle::run(args)?,
        Command::Signature(args) => bundle::run_signature(args)?,
        Command::Ledger(args) => ledger::run(args)?,
        Command::Completions { shell } => {
            let mut script = Vec::new();
            generate(*shell, &mut Cli::command(), "ig-verify", &mut script);
            std::io::stdout().write_all(&script)?;
            return Ok(ExitCode::SUCCESS);
        }
    };
    if cli.json {
        report.print_json()?;
    } else {
        report.print()?;
    }
    Ok(report.exit_code())
}
