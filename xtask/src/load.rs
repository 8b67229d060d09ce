//! `cargo xtask load`: everything that it needs, then `ig-load`.

use std::process::ExitCode;

use anyhow::Result;

use crate::chaos;

/// Puts load on the real system, at a rate that does not wait for answers
#[derive(clap::Args, Clone, Debug)]
#[command(
    disable_help_flag = true,
    after_help = "`cargo xtask load --help` says what it takes."
)]
pub struct Args {
    /// What `ig-load` takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Runs `cargo xtask load`.
///
/// # Errors
/// When a part is missing or does not build.
pub fn run(args: &Args) -> Result<ExitCode> {
    chaos::prepare(&args.words)?;
    chaos::start("ig-load", &args.words)
}
