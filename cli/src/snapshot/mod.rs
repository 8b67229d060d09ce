//! `ig snapshot`

mod compile;
mod diff;
mod inspect;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Compile a snapshot.
    Compile(compile::Args),
    /// Show what a snapshot has.
    Inspect(inspect::Args),
    /// Compare two snapshots.
    Diff(diff::Args),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Compile(args) => compile::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Diff(args) => diff::run(&args),
    }
}
