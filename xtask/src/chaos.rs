//! `cargo xtask chaos`: everything that it needs, then `ig-chaos`.

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

/// Runs `cargo xtask chaos`.
///
/// # Errors
/// When a part is missing or does not build.
pub fn run(args: &Args) -> Result<ExitCode> {
    let root = tools::root();
    let is_asked = |word: &str| args.words.iter().any(|one| one == word);
    if !["--help", "-h", "--list", "--version", "-V"]
        .into_iter()
        .any(is_asked)
    {
        setup::ensure(vec![setup::Extra::Postgres, setup::Extra::Redis])?;
        let module = wasm::Args {
            variants: vec![wasm::Variant::Full],
            profile: "release".into(),
            json: false,
        };
        wasm::run(&module)?;
    }
    workspace::build(&root, "--bin", &["ig-chaos", "ig-control-plane"])?;
    let status = std::process::Command::new(root.join("target/debug/ig-chaos"))
        .args(&args.words)
        .status()?;
    // Killed by a signal, it could not be run.
    Ok(ExitCode::from(
        status
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(2),
    ))
}
