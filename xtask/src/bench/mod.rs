//! `cargo xtask bench`: what the guard costs, beside what else one could run.

mod arms;
mod control_plane;
mod directory;
mod fleet;
mod limits;
mod load;
mod outcome;
mod proofs;
mod records;
mod report;
mod snapshot;
mod upstream;
mod usage;
mod websocket;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::process::Process;
use crate::{setup, stack, tools, wasm};
use fleet::{Fleet, Running};
use load::Request;
use outcome::Places;
use records::{Receiver, Records};
use report::{Report, Sample, Samples};

const READY: Duration = Duration::from_secs(60);
const GRACE: Duration = Duration::from_secs(3);

/// Measures requests per second, latency, CPU and memory, arm by arm
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask bench\n  \
    cargo xtask bench --rounds 9 --write       also into docs/benchmarks.md\n  \
    cargo xtask bench --arm guard --arm bare   only these arms\n  \
    cargo xtask bench --json reports/bench.json\n  \
    cargo xtask bench --control-plane          publishing under load, and many streams\n  \
    cargo xtask bench --step-up                what a proof of presence costs\n  \
    cargo xtask bench --limits                 regions and limits under load\n  \
    cargo xtask bench --websocket              connections that stay open\n  \
    cargo xtask bench --directory              SCIM on a million users, and its way to the edge")]
pub struct Args {
    /// Turns of each arm
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: u32,
    /// Seconds of load in a turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    seconds: u64,
    /// Only arms whose name contains this (repeatable)
    #[arg(long = "arm", value_name = "NAME")]
    arms: Vec<String>,
    /// Instead: what each host call adds to a filter that does nothing
    #[arg(long)]
    ladder: bool,
    /// Instead: publishing under load, and a thousand streams
    #[arg(long)]
    control_plane: bool,
    /// Instead: SCIM on a million users, and how long a change takes to the edge
    #[arg(long, conflicts_with = "control_plane")]
    directory: bool,
    /// Instead: what a proof of presence costs at the gateway
    #[arg(long, conflicts_with_all = ["control_plane", "directory"])]
    step_up: bool,
    /// Instead: accuracy of limits, and regions whose hosts come and go
    #[arg(long, conflicts_with_all = ["control_plane", "directory", "step_up"])]
    limits: bool,
    /// Instead: what WebSockets cost, and how soon a suspension ends them
    #[arg(long, conflicts_with_all = ["control_plane", "directory", "step_up", "limits"])]
    websocket: bool,
    /// Another build of the module, as one more arm
    #[arg(long, value_name = "FILE")]
    module: Option<PathBuf>,
    /// Operations of the large catalogue; 0 leaves it out
    #[arg(long, default_value_t = 100_000)]
    operations: usize,
    /// Write the page in docs that has the last run
    #[arg(long)]
    write: bool,
    /// Write the figures here
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Runs `cargo xtask bench`.
///
/// # Errors
/// When a part is missing or does not start.
pub fn run(args: &Args) -> Result<ExitCode> {
    let root = tools::root();
    let extras = match args.limits {
        true => vec![setup::Extra::Redis],
        false => vec![setup::Extra::Bench],
    };
    stack::prepare(&root, extras, vec![wasm::Variant::All])?;
    if args.limits {
        let is_fair = limits::run(&root, &args.places(&root, "benchmarks-limits.md"))?;
        return Ok(match is_fair {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        });
    }
    if args.websocket {
        websocket::run(&root, &args.places(&root, "benchmarks-websocket.md"))?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.control_plane {
        let all_held =
            control_plane::run(&root, &args.places(&root, "benchmarks-control-plane.md"))?;
        return Ok(if all_held {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        });
    }
    if args.directory {
        directory::run(&root, &args.places(&root, "benchmarks-directory.md"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    if args.step_up {
        return step_up(&root, folder.path(), args);
    }
    let mut fleet = Fleet::start(
        &root,
        folder.path(),
        &chosen(args),
        args.module.as_deref().unwrap_or(Path::new("")),
    )?;
    let samples = measure(&fleet, args)?;
    fleet.stop();
    let large_catalogue = match args.operations {
        0 => None,
        operations => {
            eprintln!("a catalogue of {operations} operations");
            Some(snapshot::measure(&fleet, folder.path(), operations)?)
        }
    };
    let report = Report {
        machine: machine(),
        date: today(),
        envoy: format!("Envoy {}", tools::envoy(&root)?.version),
        rounds: args.rounds as usize,
        rows: report::rows(&samples),
        large_catalogue,
    };
    let places = args.places(&root, "benchmarks.md");
    places.tell(&report.table(), &report.page(), &report)?;
    if report.has_errors() {
        eprintln!("error: some requests were not answered with 200; the figures are worthless");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

impl Args {
    fn places(&self, root: &Path, page: &str) -> Places {
        Places {
            page: self.write.then(|| root.join("docs").join(page)),
            json: self.json.clone(),
        }
    }
}

fn step_up(root: &Path, folder: &Path, args: &Args) -> Result<ExitCode> {
    let time = Duration::from_secs(args.seconds);
    let report = proofs::measure(root, folder, args.rounds, time)?;
    let page = proofs::page(&report, args.rounds, root)?;
    let places = args.places(root, "benchmarks-step-up.md");
    places.tell(&proofs::table(&report), &page, &report)?;
    Ok(match report.rows.iter().all(|row| row.errors == 0) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn chosen(args: &Args) -> Vec<&'static arms::Arm> {
    let all = match args.ladder {
        true => &arms::LADDER[..],
        false => &arms::ARMS[..],
    };
    let is_wanted = |arm: &&arms::Arm| {
        let is_named = |name: &String| arm.name.contains(name.as_str());
        args.arms.is_empty() || args.arms.iter().any(is_named)
    };
    let other = args.module.iter().map(|_| &arms::OTHER);
    all.iter().filter(is_wanted).chain(other).collect()
}

fn measure(fleet: &Fleet, args: &Args) -> Result<Vec<(&'static arms::Arm, Samples)>> {
    let time = Duration::from_secs(args.seconds);
    let mut all: Vec<_> = fleet
        .running
        .iter()
        .map(|running| (running.arm, Samples::default()))
        .collect();
    // The first round warms up: V8 optimises what runs often.
    for round in 0..=args.rounds {
        eprintln!("round {round} of {}", args.rounds);
        for (running, (_, samples)) in fleet.running.iter().zip(&mut all) {
            let (sample, records) = turn(fleet, running, time)?;
            if round > 0 {
                samples.rounds.push(sample);
                if let Some(records) = records {
                    samples.records.get_or_insert_default().add(records);
                }
            }
            samples.resident_bytes = usage::resident_bytes(running.id)?;
        }
    }
    Ok(all)
}

/// One turn of one arm, and what a control plane received of it where that is told.
fn turn(fleet: &Fleet, running: &Running, time: Duration) -> Result<(Sample, Option<Records>)> {
    let script = match running.arm.request {
        Request::Write => &fleet.write,
        _ => &fleet.read,
    };
    let receiver = fleet.receiver(running.arm);
    let counts = receiver.map(Receiver::counts).transpose()?;
    let before = usage::cpu_time(running.id)?;
    let load = load::run(running.port, script, time)?;
    let cpu = usage::cpu_time(running.id)?.saturating_sub(before);
    let records = receiver
        .zip(counts)
        .map(|(receiver, counts)| receiver.since(&counts, load.requests))
        .transpose()?;
    Ok((Sample { load, cpu }, records))
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{cores} cores of {model}")
}

fn today() -> String {
    let date = Process::new("date").args(["-u", "+%Y-%m-%d"]).capture();
    date.map_or_else(|_| "undated".into(), |date| date.stdout.trim().to_owned())
}
