//! `ig envoy`

mod control_plane;
mod jwks;
mod mesh;
mod probe;
mod region;
mod render;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Render configuration that loads the guard.
    Render(Box<render::Args>),
    /// Find out whether a gateway enforces its allow-list.
    Probe(Box<probe::Args>),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Render(args) => render::run(*args),
        Command::Probe(args) => probe::run(*args),
    }
}
