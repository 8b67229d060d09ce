//! `cargo xtask chaos`: everything that it needs, then `ig-chaos`.

mod mutants;
pub mod mutation;

use std::process::ExitCode;

use anyhow::Result;

use crate::{setup, tools, wasm, workspace};

/// Disturbs the real system under load, and judges whether it stayed safe
#[derive(clap::Args, Clone, Debug)]
#[command(
    disable_help_flag = true,
    after_help = "`cargo xtask chaos --help` says what it takes."
)]
pub struct Args {
    /// What `ig-chaos` takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

/// Instead of the system as it is, each build that is broken on purpose; or those named
/// after it.
const MUTATIONS: &str = "--mutations";

/// Runs `cargo xtask chaos`.
///
/// # Errors
/// When a part is missing or does not build.
pub fn run(args: &Args) -> Result<ExitCode> {
    prepare(&args.words)?;
    match &args.words[..] {
        [first, names @ ..] if first == MUTATIONS => mutants::run(&tools::root(), names),
        words => start("ig-chaos", words),
    }
}

/// Builds the harness and what it judges, unless somebody only wants to read.
///
/// # Errors
/// When a part is missing or does not build.
pub(crate) fn prepare(words: &[String]) -> Result<()> {
    let only_reads = ["--help", "-h", "--list", "--version", "-V"];
    let is_asked = |word: &&str| words.iter().any(|one| one == word);
    if !only_reads.iter().any(is_asked) {
        setup::ensure(vec![setup::Extra::Postgres, setup::Extra::Redis])?;
        let module = wasm::Args {
            variants: vec![wasm::Variant::Full],
            profile: "release".into(),
            json: false,
        };
        wasm::run(&module)?;
    }
    // Both, whichever is asked for: one of another commit would say that it is of this one.
    let programs = ["ig-chaos", "ig-load", "ig-control-plane"];
    workspace::build(&tools::root(), workspace::Target::Bin, &programs)?;
    Ok(())
}

/// Runs a program of the harness.
///
/// # Errors
/// If it does not start.
pub(crate) fn start(program: &str, words: &[String]) -> Result<ExitCode> {
    let status = std::process::Command::new(tools::root().join("target/debug").join(program))
        .args(words)
        .status()?;
    // Killed by a signal, it could not be run.
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(2),
    ))
}
