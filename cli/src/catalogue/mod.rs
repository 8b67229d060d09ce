//! `ig catalogue`

mod build;
mod check;
mod import;
mod lint;
mod manifest;
mod read;
mod stored;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;
pub(crate) use read::{Imported, Sources, catalogue, report_rejects};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check that every operation of catalogues is valid for a schema.
    Check(check::Args),
    /// Build an Apollo manifest from GraphQL sources.
    Build(build::Args),
    /// Convert a catalogue of any format to an Apollo manifest.
    Import(import::Args),
    /// Push a catalogue to the control plane.
    Push(stored::PushArgs),
    /// List a graph's documents, and when each was last used.
    List(stored::ListArgs),
    /// Retire a document.
    Retire(stored::RetireArgs),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Build(args) => build::run(&args),
        Command::Import(args) => import::run(&args),
        Command::Push(args) => stored::push(&args),
        Command::List(args) => stored::list(&args),
        Command::Retire(args) => stored::retire(&args),
    }
}
