//! `ig snapshot`

mod compile;
mod diff;
mod inspect;
mod stored;

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
    /// Publish what the control plane has for a graph.
    Publish(stored::PublishArgs),
    /// Compile what the control plane has, without publishing it.
    Preview(stored::PreviewArgs),
    /// List publications.
    List(stored::ListArgs),
    /// Get a published snapshot.
    Get(stored::GetArgs),
    /// Publish an earlier snapshot again.
    Rollback(stored::RollbackArgs),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Compile(args) => compile::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Publish(args) => stored::publish(&args),
        Command::Preview(args) => stored::preview(&args),
        Command::List(args) => stored::list(&args),
        Command::Get(args) => stored::get(&args),
        Command::Rollback(args) => stored::rollback(&args),
    }
}
