//! `ig evidence`: what a release brings along for auditors.

mod build;
mod verify;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    Build(Box<build::Args>),
    Verify(verify::Args),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Build(args) => build::run(&args),
        Command::Verify(args) => verify::run(&args),
    }
}
