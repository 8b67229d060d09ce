//! `ig policy`

mod bundle;
mod check;
mod stored;
mod test;

use std::path::Path;

use anyhow::{Result, anyhow};
use clap::Subcommand;
use ig_snapshot::Bundle;

use crate::{Outcome, files};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check that a bundle compiles, and denies by default.
    Check(check::Args),
    /// Run the tests of a bundle, on both engines.
    Test(test::Args),
    /// Pack a bundle, as OPA does.
    Bundle(bundle::Args),
    /// Push a bundle to the control plane.
    Push(stored::PushArgs),
    /// List bundles.
    List(stored::ListArgs),
    /// Put a bundle in force for a graph.
    Activate(stored::ActivateArgs),
    /// Put the bundle in force again that was before.
    Rollback(stored::RollbackArgs),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Bundle(args) => bundle::run(&args),
        Command::Push(args) => stored::push(&args),
        Command::List(args) => stored::list(&args),
        Command::Activate(args) => stored::activate(&args),
        Command::Rollback(args) => stored::rollback(&args),
    }
}

fn read(path: &Path) -> Result<Bundle> {
    Bundle::from_files(files::bundle_files(path)?)
        .map_err(|problems| anyhow!("{} is not valid:\n{problems}", path.display()))
}
