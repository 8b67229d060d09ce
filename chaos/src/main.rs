//! `ig-chaos`

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use clap::Parser;
use ig_chaos::history::Event;
use ig_chaos::world::{Built, Under, World};
use ig_chaos::{Outcome, SCENARIOS, Scenario, Versions, kept, page, run};
use serde_json::json;

/// Disturbs the real system under load, and judges whether it stayed safe.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
        cargo xtask chaos --list\n  \
        cargo xtask chaos --scenario control-plane-kill --seed 7\n  \
        cargo xtask chaos --all\n  \
        cargo xtask chaos --regressions\n  \
        cargo xtask chaos --mutations    builds that are broken on purpose, or those named\n\n\
        Exit codes: 0 every invariant held, 1 one did not, 2 it could not be run."
)]
struct Args {
    /// Names of scenarios, and what they are for
    #[arg(long)]
    list: bool,
    /// One scenario; again for more
    #[arg(long, value_name = "NAME",
        required_unless_present_any = ["list", "all", "regressions"])]
    scenario: Vec<String>,
    /// Every scenario
    #[arg(long, conflicts_with = "scenario")]
    all: bool,
    /// Runs that once found something, beside what is asked for
    #[arg(long)]
    regressions: bool,
    /// What is drawn at random depends on it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Seconds for which a scenario disturbs the system
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u64).range(2..=120))]
    duration: u64,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
    /// Another control plane than the one of this workspace
    #[arg(long, value_name = "FILE")]
    control_plane: Option<PathBuf>,
    /// Another module than the one of this workspace
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
}

/// A run: a scenario, its seed, and for how long.
struct Run {
    scenario: &'static Scenario,
    seed: u64,
    time: Duration,
    /// Its name in reports: no two have one.
    name: String,
}

fn main() -> ExitCode {
    match start(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn start(args: &Args) -> Result<bool> {
    if args.list {
        for scenario in SCENARIOS {
            println!("{:<24} {}", scenario.name, scenario.about);
        }
        return Ok(true);
    }
    let runs = chosen(args)?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    runtime.block_on(async {
        tokio::select! {
            done = all(args, &runs) => done,
            // The world ends with what is dropped here: who is stopped, and the disk.
            told = tokio::signal::ctrl_c() => {
                told.context("cannot wait for Ctrl-C")?;
                Err(anyhow!("interrupted"))
            }
        }
    })
}

fn chosen(args: &Args) -> Result<Vec<Run>> {
    let run = |scenario: &'static Scenario| Run {
        scenario,
        seed: args.seed,
        time: Duration::from_secs(args.duration),
        name: scenario.name.to_owned(),
    };
    let mut runs = Vec::new();
    if args.all {
        runs.extend(SCENARIOS.iter().map(run));
    }
    for name in &args.scenario {
        let found = SCENARIOS.iter().find(|one| one.name == name);
        runs.push(run(found.with_context(|| {
            format!("there is no scenario `{name}`; see --list")
        })?));
    }
    if args.regressions {
        for one in kept()? {
            runs.push(Run {
                scenario: one.scenario()?,
                seed: one.seed,
                time: Duration::from_secs(one.duration),
                name: format!("{}-{}", one.scenario, one.seed),
            });
        }
    }
    let names: BTreeSet<_> = runs.iter().map(|run| &run.name).collect();
    ensure!(names.len() == runs.len(), "a scenario is there twice");
    Ok(runs)
}

fn built(args: &Args) -> Result<Built> {
    match (&args.control_plane, &args.module) {
        (Some(control_plane), Some(module)) => Ok(Built {
            control_plane: control_plane.clone(),
            module: module.clone(),
        }),
        (control_plane, module) => {
            let here = Built::here()?;
            Ok(Built {
                control_plane: control_plane.clone().unwrap_or(here.control_plane),
                module: module.clone().unwrap_or(here.module),
            })
        }
    }
}

async fn all(args: &Args, runs: &[Run]) -> Result<bool> {
    let [file, html] = ["chaos-results.json", "chaos.html"].map(|name| args.reports.join(name));
    // Where this one ends early, they would be taken for its own.
    for left in [&file, &html] {
        ig_chaos::forget(left)?;
    }
    let versions = Versions::now();
    let started = Instant::now();
    eprintln!("starting the system");
    let mut world = World::start(&built(args)?, Under::Chaos).await?;
    // Said now, and not once half of all was run.
    let fills = runs.iter().any(|run| run.scenario.name == "disk-full");
    ensure!(
        !fills || world.disk().is_ok(),
        "disk-full needs root: the database's disk is a file system of its own"
    );
    let folder = args.reports.join("chaos");
    std::fs::create_dir_all(&folder)?;
    let mut outcomes = Vec::new();
    let mut broken = None;
    for (number, of) in (1..).zip(runs) {
        let (name, about) = (&of.name, of.scenario.about);
        eprintln!("{number}/{} {name}: {about}", runs.len());
        let done = run(&mut world, of.scenario, of.seed, of.time).await;
        let (mut outcome, events) = match done {
            Ok(done) => done,
            // What was run before is reported all the same.
            Err(error) => {
                let _ = world.keep_logs(&folder.join(name));
                broken = Some(error.context(name.clone()));
                break;
            }
        };
        outcome.name.clone_from(name);
        say(&outcome);
        std::fs::write(folder.join(format!("{name}.jsonl")), lines(&events)?)?;
        if !outcome.holds {
            world.keep_logs(&folder.join(name))?;
        }
        outcomes.push((outcome, events));
    }
    if outcomes.is_empty() {
        return Err(broken.unwrap_or_else(|| anyhow!("nothing was run")));
    }
    let holds = broken.is_none() && outcomes.iter().all(|(outcome, _)| outcome.holds);
    std::fs::write(&html, page(&versions, &outcomes))?;
    let scenarios: Vec<_> = outcomes.into_iter().map(|(outcome, _)| outcome).collect();
    let report = json!({
        "versions": versions, "seed": args.seed, "durationSeconds": args.duration,
        "tookSeconds": started.elapsed().as_secs(), "holds": holds, "scenarios": scenarios,
    });
    std::fs::write(&file, serde_json::to_vec_pretty(&report)?)?;
    eprintln!("{} and {}", file.display(), html.display());
    match broken {
        Some(error) => Err(error),
        None => Ok(holds),
    }
}

fn lines(events: &[Event]) -> Result<String> {
    let mut lines = String::new();
    for event in events {
        lines.push_str(&serde_json::to_string(event)?);
        lines.push('\n');
    }
    Ok(lines)
}

fn say(outcome: &Outcome) {
    let figures = &outcome.figures;
    println!(
        "{} {}: {} requests, {} arrived; meanwhile {} served, {} not, p95 {:.0} ms; \
         recovered after {:.0} ms",
        if outcome.holds { "PASS" } else { "FAIL" },
        outcome.name,
        figures.requests,
        figures.arrivals,
        figures.served,
        figures.unserved,
        figures.p95,
        figures.recovery,
    );
    for verdict in outcome.verdicts.iter().filter(|verdict| !verdict.holds) {
        println!("  {:?}", verdict.invariant);
        for violation in &verdict.violations {
            println!("    {violation}");
        }
    }
}
