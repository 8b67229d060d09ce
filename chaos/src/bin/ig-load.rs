//! `ig-load`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use ig_chaos::load::{Plan, Profile, run};
use ig_chaos::world::{Built, Under, World};

/// Puts load on the real system, at a rate that does not wait for answers.
#[derive(Parser)]
#[command(
    version,
    after_help = "Examples:\n  \
        cargo xtask load\n  \
        cargo xtask load --profile soak\n  \
        cargo xtask load --profile stress --duration 120 --rate 100\n  \
        cargo xtask load --write    also into docs/load.md\n\n\
        Exit codes: 0 what is promised held, 1 it did not, 2 it could not be run."
)]
struct Args {
    /// Its shape
    #[arg(long, value_enum, default_value = "stress")]
    profile: Profile,
    /// Seconds that it takes in all; by itself 1800, a spike 300
    #[arg(long, value_parser = clap::value_parser!(u64).range(10..=86_400))]
    duration: Option<u64>,
    /// Requests a second at the most; by itself 200, for a soak 70 of 100 that there can be
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Worker threads of each Envoy
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    workers: u32,
    /// Where the report goes
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
    /// Write the figures into docs/load.md
    #[arg(long)]
    write: bool,
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
    let runtime = tokio::runtime::Runtime::new().context("cannot start")?;
    runtime.block_on(load(args))
}

async fn load(args: &Args) -> Result<bool> {
    let name = args.profile.name();
    let summary = args.reports.join(format!("k6-{name}.json"));
    let page = args.reports.join(format!("load-{name}.html"));
    // Where this one ends early, they would be taken for its own.
    for left in [&summary, &page] {
        ig_chaos::forget(left)?;
    }
    eprintln!("starting the system");
    let under = Under::Load {
        workers: args.workers,
    };
    let world = World::start(&Built::here()?, under).await?;
    let plan = Plan {
        profile: args.profile,
        time: args.duration.map(Duration::from_secs),
        rate: args.rate.map(f64::from),
    };
    let done = run(&world, plan).await?;
    for line in &done.said {
        println!("{line}");
    }
    std::fs::create_dir_all(&args.reports)?;
    std::fs::write(&summary, serde_json::to_vec_pretty(&done.summary)?)?;
    std::fs::write(&page, &done.page)?;
    eprintln!("{} and {}", summary.display(), page.display());
    if args.write {
        ig_chaos::load::write(&ig_e2e::workspace().join("docs/load.md"), name, &done)?;
    }
    Ok(done.holds)
}
