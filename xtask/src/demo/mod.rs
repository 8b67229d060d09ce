//! `cargo xtask demo`: a tour of every guard, over the real gateway.

mod exports;
mod published;
mod tour;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::stack::{Stack, UpArgs};

/// Starts the demo, sends a tour of requests and says what came of each
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask demo\n  \
    cargo xtask demo --json reports/demo.json\n  \
    cargo xtask demo --gateway-port 11000 --admin-port 11001 --upstream-port 11002")]
pub struct Args {
    /// Write the results here
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    #[command(flatten)]
    up: UpArgs,
}

/// What became of one stop of the tour.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    sent: &'static str,
    expected: String,
    got: String,
    holds: bool,
}

/// Runs `cargo xtask demo`.
///
/// # Errors
/// When the stack does not start or an answer is no HTTP.
pub fn run(args: &Args) -> Result<ExitCode> {
    let stack = Stack::start(&args.up)?;
    let outcomes = tour::run(&stack);
    stack.stop();
    let outcomes = outcomes?;
    print(&outcomes);
    if let Some(file) = &args.json {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).context("cannot make the report's folder")?;
        }
        std::fs::write(file, serde_json::to_string_pretty(&outcomes)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let held = outcomes.iter().filter(|outcome| outcome.holds).count();
    println!("\n{held} of {} hold", outcomes.len());
    Ok(if held == outcomes.len() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn print(outcomes: &[Outcome]) {
    let width = |of: fn(&Outcome) -> &str| {
        outcomes
            .iter()
            .map(|outcome| of(outcome).chars().count())
            .max()
            .unwrap_or(0)
    };
    let (sent, expected) = (width(|one| one.sent), width(|one| &one.expected));
    println!("\n     {:<sent$}  {:<expected$}  got", "sent", "expected");
    for outcome in outcomes {
        let mark = if outcome.holds { "ok  " } else { "FAIL" };
        println!(
            "{mark} {:<sent$}  {:<expected$}  {}",
            outcome.sent, outcome.expected, outcome.got
        );
    }
}
