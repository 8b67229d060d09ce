//! Load on the real system, undisturbed: requests arrive at a rate, whoever is late.

mod generate;
mod measured;
mod page;
mod profile;
mod summary;
mod usage;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::versions::Versions;
use crate::world::World;

pub use self::generate::{Clients, generate};
pub use self::measured::{Answer, Measured, Path, milliseconds};
pub use self::profile::{Arrivals, Profile, Stage};
pub use self::summary::{Load, MOST_FAILED, THRESHOLDS};
pub use self::usage::{Growth, Use};

/// Requests under way at a time while it is measured how many there can be.
const LANES: u64 = 64;

/// For how long that is measured.
const MEASURE: Duration = Duration::from_secs(10);

/// Part of the capacity that a soak takes.
const SOAK: f64 = 0.7;

/// Requests a second at the most, where nobody says otherwise: those of
/// `tests/load/stress.js`.
const RATE: f64 = 200.0;

/// Until connections that nobody uses are ended on both sides of a gateway: its own keep
/// those to hosts for four seconds.
const REST: Duration = Duration::from_secs(10);

/// Between two looks at processes.
const LOOK: Duration = Duration::from_secs(1);

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Its shape.
    pub profile: Profile,
    /// How long it takes; by itself otherwise.
    pub time: Option<Duration>,
    /// Requests a second at the most; the profile's otherwise.
    pub rate: Option<f64>,
}

/// What came of a load.
pub struct Done {
    /// k6's summary.
    pub summary: Value,
    /// The page.
    pub page: String,
    /// Some lines for who waits.
    pub said: Vec<String>,
    /// Whether everything that is promised held.
    pub holds: bool,
}

/// Puts a load on a world.
///
/// # Errors
/// If nothing is served, or a process ends.
pub async fn run(world: &World, plan: Plan) -> Result<Done> {
    let versions = Versions::now();
    let clients = Clients::of(world)?;
    let capacity = match (plan.rate, plan.profile) {
        (None, Profile::Soak) => Some(clients.capacity(LANES, MEASURE).await?),
        // What a first request costs is no part of a load.
        _ => clients
            .capacity(2, Duration::from_secs(1))
            .await
            .map(|_| None)?,
    };
    let rate = plan
        .rate
        .or(capacity.map(|most| most * SOAK))
        .unwrap_or(RATE);
    ensure!(rate > 0.0, "no request a second is no load");
    let time = plan.time.unwrap_or_else(|| plan.profile.time());
    let stages = plan.profile.stages(time, rate);
    let is_over = Arc::new(AtomicBool::new(false));
    let processes = processes(world)?;
    let before = at_rest(&clients, &processes).await?;
    let watching = tokio::spawn(watch(processes.clone(), is_over.clone()));
    let started = Instant::now();
    let measured = generate(&clients, stages, 1).await?;
    let took = u64::try_from(started.elapsed().as_millis())?;
    is_over.store(true, Ordering::Relaxed);
    let seen = watching.await??;
    let after = at_rest(&clients, &processes).await?;
    let growth: Vec<_> = seen
        .iter()
        .zip(before.into_iter().zip(after))
        .map(|((name, seen), (before, after))| {
            let growth = Growth::of(name, seen, [before, after]);
            growth.with_context(|| format!("{name}: too little was seen of it"))
        })
        .collect::<Result<_>>()?;
    let load = Load {
        profile: plan.profile.name(),
        rate,
        capacity,
        took,
        measured: &measured,
        growth: &growth,
        versions: &versions,
    };
    Ok(Done {
        summary: load.summary(),
        page: page::page(&load, &seen),
        said: said(&load),
        holds: load.holds(),
    })
}

const BEGIN: &str = "<!-- figures of ";
const END: &str = "<!-- end -->";

/// Writes what was measured into a page, between the marks of the profile.
///
/// # Errors
/// If the page has no such marks, or cannot be written.
pub fn write(page: &std::path::Path, profile: &str, done: &Done) -> Result<()> {
    let text = std::fs::read_to_string(page)?;
    let mark = format!("{BEGIN}{profile} -->\n");
    let (before, rest) = text.split_once(&mark).context("the page has no mark")?;
    let (_, after) = rest
        .split_once(END)
        .context("the page has no end of a mark")?;
    let versions = &done.summary["engine"]["versions"];
    let of = |name: &str| versions[name].as_str().unwrap_or("not known").to_owned();
    let text = format!(
        "{before}{mark}{}; commit {}, {}, Envoy {}:\n\n```text\n{}\n```\n{END}{after}",
        of("date"),
        of("commit"),
        of("machine"),
        of("envoy"),
        done.said.join("\n"),
    );
    Ok(std::fs::write(page, text)?)
}

fn said(load: &Load<'_>) -> Vec<String> {
    let measured = load.measured;
    let mut said = vec![format!(
        "{} {}: {:.0} requests a second at the most, {} in {} s, {} not served, {} not sent",
        if load.holds() { "PASS" } else { "FAIL" },
        load.profile,
        load.rate,
        measured.all.len(),
        load.took / 1000,
        measured.all_failed(),
        measured.dropped,
    )];
    if let Some(capacity) = load.capacity {
        said.push(format!(
            "  served while {LANES} wait at a time: {capacity:.0} a second"
        ));
    }
    for (path, times) in measured
        .by_path
        .iter()
        .filter(|(_, times)| !times.is_empty())
    {
        let [half, p95, p99] = [0.5, 0.95, 0.99].map(|part| milliseconds(times, part));
        let name = path.name();
        said.push(format!(
            "  {name}: p50 {half:.1} ms, p95 {p95:.1} ms, p99 {p99:.1} ms"
        ));
    }
    for one in load.growth {
        said.push(format!(
            "  {}: {:.1} MiB once it was warm, {:+.1} % at the end; files at rest {} before and {} after",
            one.name,
            one.memory_warm as f64 / f64::from(1 << 20),
            one.memory_percent,
            one.files[0],
            one.files[1],
        ));
    }
    said
}

/// Names and ids of the processes that are ours.
fn processes(world: &World) -> Result<Vec<(String, u32)>> {
    let mut processes = Vec::new();
    for gateway in &world.gateways {
        let id = gateway.id().context("a gateway has ended")?;
        processes.push((format!("Envoy {}", gateway.node), id));
    }
    for (number, replica) in world.replicas.iter().enumerate() {
        let id = replica.id().context("a replica has ended")?;
        processes.push((format!("control plane {number}"), id));
    }
    Ok(processes)
}

/// Files of processes while nobody asks for anything.
async fn at_rest(clients: &Clients, processes: &[(String, u32)]) -> Result<Vec<u64>> {
    clients.hang_up();
    tokio::time::sleep(REST).await;
    let files = processes.iter().map(|(_, id)| usage::open_files(*id));
    files.collect()
}

async fn watch(
    processes: Vec<(String, u32)>,
    is_over: Arc<AtomicBool>,
) -> Result<Vec<(String, Vec<Use>)>> {
    let started = Instant::now();
    let mut seen: Vec<_> = processes
        .iter()
        .map(|(name, _)| (name.clone(), Vec::new()))
        .collect();
    while !is_over.load(Ordering::Relaxed) {
        for ((_, id), (_, seen)) in processes.iter().zip(&mut seen) {
            seen.push(Use::of(*id, started.elapsed())?);
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(seen)
}
