//! `cargo xtask demo`: a tour of every guard, over the real gateway.

mod dashboards;
mod exports;
mod plot;
mod published;
mod tour;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::stack::{Stack, UpArgs};
use crate::tools;
use tour::Tour;

/// Starts the demo, sends a tour of requests and says what came of each
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask demo\n  \
    cargo xtask demo --json reports/demo.json\n  \
    cargo xtask demo --dashboards reports/dashboards.html\n  \
    cargo xtask demo --gateway-port 11000 --admin-port 11001 --upstream-port 11002")]
pub struct Args {
    /// Write the results here
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Read it by Prometheus under load, and write a page of all dashboards' panels here
    #[arg(long, value_name = "FILE")]
    dashboards: Option<PathBuf>,
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
    let seen = args.dashboards.as_deref().map(|page| (page, see(&stack)));
    let outcomes = match seen {
        Some((_, Err(error))) => Err(error),
        Some((page, Ok((outcomes, shown)))) => Ok((outcomes, Some((page, shown)))),
        None => tour(&stack).map(|outcomes| (outcomes, None)),
    };
    stack.stop();
    let (outcomes, shown) = outcomes?;
    print(&outcomes);
    let are_panels_there = match shown {
        Some((page, shown)) => dashboards::report(&shown, page)?,
        None => true,
    };
    if let Some(file) = &args.json {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder).context("cannot make the report's folder")?;
        }
        std::fs::write(file, serde_json::to_string_pretty(&outcomes)?)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let held = outcomes.iter().filter(|outcome| outcome.holds).count();
    println!("\n{held} of {} hold", outcomes.len());
    Ok(if held == outcomes.len() && are_panels_there {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn tour(stack: &Stack) -> Result<Vec<Outcome>> {
    let tour = Tour::new(stack)?;
    tour::run(&tour, &mut exports::enrol(&tour)?)
}

/// The tour, with load and a Prometheus.
fn see(stack: &Stack) -> Result<(Vec<Outcome>, Vec<dashboards::Shown>)> {
    let watch = dashboards::Watch::start(stack, &tools::root().join("target/dev"))?;
    let seen = Tour::new(stack).and_then(|tour| {
        let mut key = exports::enrol(&tour)?;
        let outcomes = tour::run(&tour, &mut key)?;
        watch.load(&tour, &mut key)?;
        Ok((outcomes, watch.ask()?))
    });
    watch.stop();
    seen
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
