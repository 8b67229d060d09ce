//! `ig evidence`: what a release brings along for auditors.

mod verify;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    Verify(verify::Args),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Verify(args) => verify::run(&args),
    }
}
