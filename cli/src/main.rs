//! `ig`: compiles, inspects and checks what the guard enforces.
//!
//! Exit codes: 0 for success, 1 for findings (something was read and is not
//! right), 2 for a command that could not do its work.

#![forbid(unsafe_code)]

mod catalogue;
mod completions;
mod envoy;
mod files;
mod output;
mod policy;
mod snapshot;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a command found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// Nothing that is wrong.
    Clean,
    /// Something that is wrong; the command has said what.
    Findings,
}

impl Outcome {
    pub(crate) fn clean_if(clean: bool) -> Self {
        if clean { Self::Clean } else { Self::Findings }
    }
}

/// Compiles, inspects and checks what IntelGraph Guard enforces.
#[derive(Parser)]
#[command(
    name = "ig",
    version,
    after_help = "Exit codes: 0 success, 1 findings or rejects, 2 usage or I/O.\n\
                  Every command has examples: ig snapshot compile --help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check, build and import catalogues of operations.
    #[command(subcommand)]
    Catalogue(catalogue::Command),
    /// Compile, inspect and compare snapshots.
    #[command(subcommand)]
    Snapshot(snapshot::Command),
    /// Check, test and bundle policies.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Issue access tokens for development.
    Token(token::Args),
    /// Render configuration that loads the guard.
    #[command(subcommand)]
    Envoy(envoy::Command),
    /// Write a completion script for a shell.
    Completions(completions::Args),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Catalogue(command) => catalogue::run(command),
        Command::Snapshot(command) => snapshot::run(command),
        Command::Policy(command) => policy::run(command),
        Command::Token(args) => token::run(args),
        Command::Envoy(command) => envoy::run(command),
        Command::Completions(args) => completions::run(&args),
    };
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Findings) => ExitCode::from(1),
        // The reader of a pipe left; that is for it to decide.
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
