//! `ig envoy`

mod control_plane;
mod jwks;
mod mesh;
mod module;
mod probe;
mod region;
mod render;
mod tracing;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Render configuration that loads the guard.
    Render(Box<render::Args>),
    /// Find out whether a gateway enforces its allow-list.
    Probe(Box<probe::Args>),
    /// Copy the guard's module of this release to where Envoy reads it.
    Module(module::Args),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Render(args) => render::run(*args),
        Command::Probe(args) => probe::run(*args),
        Command::Module(args) => module::run(&args),
    }
}
