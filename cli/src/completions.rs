//! `ig completions`

use std::io::Write as _;

use anyhow::Result;
use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::{Cli, Outcome};

/// Write a completion script for a shell.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  ig completions bash > ~/.local/share/bash-completion/completions/ig\n  ig completions zsh > ~/.zfunc/_ig"
)]
pub(crate) struct Args {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<Outcome> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "ig", &mut script);
    std::io::stdout().write_all(&script)?;
    Ok(Outcome::Clean)
}
