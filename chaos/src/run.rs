//! One scenario: the workload runs, something is done to the system, it is repaired,
//! and the history is judged.

use std::collections::{BTreeMap, HashMap};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::check::{Ending, Record, Verdict, quantile, read_access_log};
use crate::fault::Toxics;
use crate::history::{Event, Fault, What, digest};
use crate::numbers::Numbers;
use crate::scenario::{Act, Scenario, Step};
use crate::workload::{Controls, Workload};
use crate::world::{World, until};

/// Before anything is disturbed.
const WARM: Duration = Duration::from_secs(2);

/// Without a failure, the system has recovered.
const QUIET: Duration = Duration::from_millis(1500);

/// What came of a scenario.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// The scenario.
    pub scenario: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// The seed that makes it the same again, but for the time things take.
    pub seed: u64,
    /// Whether every invariant holds.
    pub holds: bool,
    /// Each invariant's verdict.
    pub verdicts: Vec<Verdict>,
    /// What was measured.
    pub figures: Figures,
    /// SHA-256 of the history, an event a line.
    pub history: String,
    /// What was done, and when.
    pub faults: Vec<Fault>,
}

/// What was measured, times in milliseconds.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Figures {
    /// Requests in all.
    pub requests: usize,
    /// Requests that upstreams saw.
    pub arrivals: usize,
    /// Changes that were acknowledged.
    pub changes: usize,
    /// Requests served while something was disturbed.
    pub served: usize,
    /// Requests due meanwhile that were not.
    pub unserved: usize,
    /// Half of those served took no longer.
    pub p50: f64,
    /// 95 of 100.
    pub p95: f64,
    /// 99 of 100.
    pub p99: f64,
    /// From the fault's end to the last failure of a request that was due.
    pub recovery: f64,
    /// Answers by code; of those without one, by status.
    pub answers: BTreeMap<String, usize>,
}

/// Runs a scenario; the events are its history.
///
/// # Errors
/// If the system cannot be disturbed or repaired.
pub async fn run(
    world: &mut World,
    scenario: &'static Scenario,
    seed: u64,
    time: Duration,
) -> Result<(Outcome, Vec<Event>)> {
    let mut numbers = Numbers::new(seed);
    let workload = Workload::start(world, numbers.fork().below(usize::MAX) as u64)?;
    let controls = Controls::of(world);
    tokio::time::sleep(WARM).await;
    let steps = (scenario.steps)(&mut numbers, time);
    let loses_log = steps
        .iter()
        .any(|step| matches!(step.act, Act::EndGateway(..)));
    for step in &steps {
        apply(world, step).await?;
    }
    world.repair().await?;
    let bound = Duration::from_millis(scenario.promises.recovery_ms) + QUIET;
    let repaired = Instant::now();
    let began = world.history.now();
    while repaired.elapsed() < bound {
        let quiet = world.history.now() - workload.last_failure().max(began);
        if quiet > u64::try_from(QUIET.as_micros())? {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let first = workload.first();
    workload.stop().await?;
    let mut events = world.history.take();
    // What a request of the scenario before still did is no part of this one.
    events.retain(|event| match event {
        Event::Arrival(arrival) => arrival.id.is_none_or(|id| id >= first),
        _ => true,
    });
    let ending = ending(world, &controls, &events, loses_log).await?;
    let record = Record::of(&events, &ending, scenario.promises);
    let verdicts = record.judge();
    let faults = events.iter().filter_map(|event| match event {
        Event::Fault(fault) => Some(fault.clone()),
        _ => None,
    });
    let outcome = Outcome {
        scenario: scenario.name,
        about: scenario.about,
        seed,
        holds: verdicts.iter().all(|verdict| verdict.holds),
        figures: figures(&record, &events),
        verdicts,
        history: digest(&events)?,
        faults: faults.collect(),
    };
    Ok((outcome, events))
}

fn figures(record: &Record<'_>, events: &[Event]) -> Figures {
    let served = record.served_during();
    let milliseconds = |part| quantile(&served, part) as f64 / 1000.0;
    let (_, end) = record.window().unwrap_or_default();
    let mut figures = Figures {
        requests: 0,
        arrivals: 0,
        changes: 0,
        served: served.len(),
        unserved: record.unserved_during(),
        p50: milliseconds(0.5),
        p95: milliseconds(0.95),
        p99: milliseconds(0.99),
        recovery: 0.0,
        answers: BTreeMap::new(),
    };
    for event in events {
        match event {
            Event::Request(request) => {
                figures.requests += 1;
                let name = match (&request.code, request.status) {
                    (Some(code), _) => code.clone(),
                    (None, 0) => "none".to_owned(),
                    (None, status) => status.to_string(),
                };
                *figures.answers.entry(name).or_default() += 1;
                let ended = request.at + request.took;
                if request.kind.is_due() && request.status != 200 && request.at > end {
                    let after = ended.saturating_sub(end) as f64 / 1000.0;
                    figures.recovery = figures.recovery.max(after);
                }
            }
            Event::Arrival(_) => figures.arrivals += 1,
            Event::Change(change) => figures.changes += usize::from(change.acknowledged.is_some()),
            Event::Running(_) | Event::Fault(_) => {}
        }
    }
    figures
}

/// Does something, waits, and undoes it.
async fn apply(world: &mut World, step: &Step) -> Result<()> {
    let from = world.history.now();
    match &step.act {
        Act::EndGateway(at, signal) => world.gateways[*at].end(*signal).await?,
        Act::PauseGateway(at) => world.gateways[*at].signal(Signal::STOP)?,
        Act::EndReplica(at, signal) => world.replicas[*at].end(*signal)?,
        Act::PauseReplica(at) => world.replicas[*at].signal(Signal::STOP)?,
        Act::EndUpstream(at) => world.upstreams[*at].kill().await,
        Act::PauseUpstream(at) => world.upstreams[*at].pause(true),
        Act::EndRedis => world.redis.kill()?,
        Act::PauseRedis => world.redis.signal("STOP")?,
        Act::EndPostgres => world.postgres.kill()?,
        Act::Links(names, toxics) => world.disturb(names, *toxics),
    }
    tokio::time::sleep(step.time).await;
    match &step.act {
        Act::EndGateway(at, _) => world.gateways[*at].start_again().await?,
        Act::PauseGateway(at) => world.gateways[*at].signal(Signal::CONT)?,
        Act::EndReplica(at, _) => world.replicas[*at].start_again()?,
        Act::PauseReplica(at) => world.replicas[*at].signal(Signal::CONT)?,
        Act::EndUpstream(at) => world.upstreams[*at].start()?,
        Act::PauseUpstream(at) => world.upstreams[*at].pause(false),
        Act::EndRedis => world.redis.restart()?,
        Act::PauseRedis => world.redis.signal("CONT")?,
        Act::EndPostgres => world.postgres.start_again()?,
        Act::Links(names, _) => world.disturb(names, Toxics::default()),
    }
    world.history.push(Event::Fault(Fault {
        name: format!("{:?}", step.act),
        from,
        until: world.history.now(),
    }));
    Ok(())
}

/// Looks at what is there now.
async fn ending(
    world: &World,
    controls: &Controls,
    events: &[Event],
    decisions_lost: bool,
) -> Result<Ending> {
    let mut ending = Ending {
        publications: publications(controls).await?,
        decisions_lost,
        catalogue: catalogue()?,
        ..Ending::default()
    };
    for event in events {
        let Event::Change(change) = event else {
            continue;
        };
        if change.what != What::User {
            continue;
        }
        let (tenant, name) = change.key.split_once('/').context("a user's key")?;
        let count = controls.count(tenant.parse()?, name).await?;
        ending.users.insert(change.key.clone(), count);
    }
    for gateway in &world.gateways {
        gateway.flush().await?;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    for gateway in &world.gateways {
        ending.decisions.push(read_access_log(&gateway.access_log)?);
    }
    ending.ledger = fsck(world)?;
    Ok(ending)
}

async fn publications(controls: &Controls) -> Result<HashMap<String, u64>> {
    let mut numbers = HashMap::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/snapshots/demo?limit=1000{cursor}");
        let said = until("publications", Duration::from_secs(30), async || {
            let (status, said) = controls.call(0, "GET", path.clone(), String::new()).await;
            (status == 200).then_some(said)
        })
        .await?;
        for one in said["items"].as_array().into_iter().flatten() {
            let revision = one["revision"]
                .as_str()
                .context("a publication's revision")?;
            let number = one["number"].as_u64().context("a publication's number")?;
            numbers.insert(revision.to_owned(), number);
        }
        match said["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return Ok(numbers),
        }
    }
}

fn catalogue() -> Result<std::collections::BTreeSet<String>> {
    let manifest = ig_e2e::workspace().join("persisted-queries/manifest.json");
    let manifest: Value = serde_json::from_slice(&std::fs::read(manifest)?)?;
    let operations = manifest["operations"].as_array().context("operations")?;
    let texts = operations.iter().filter_map(|one| one["body"].as_str());
    let hash = |text: &str| {
        let digest = Sha256::digest(text);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    Ok(texts.map(hash).collect())
}

/// What the control plane's own check says of the whole ledger, if it is not right.
fn fsck(world: &World) -> Result<Option<String>> {
    let with = &world.direct;
    let ran = Command::new(&with.program)
        .args(["--database", &with.database, "--module"])
        .arg(&with.module)
        .args(["ledger", "fsck"])
        .env("IG_LOG", "error")
        .output()?;
    if ran.status.success() {
        return Ok(None);
    }
    match ran.status.code() {
        Some(_) => Ok(Some(String::from_utf8_lossy(&ran.stderr).trim().to_owned())),
        None => bail!("the ledger's check was killed"),
    }
}
