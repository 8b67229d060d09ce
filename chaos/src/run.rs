//! One scenario: the workload runs, something is done to the system, it is repaired,
//! and the history is judged.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Result;
use rustix::process::Signal;
use serde::Serialize;

use crate::check::{Record, Unlogged, Verdict, quantile};
use crate::ending::{Before, ending};
use crate::fault::{Filter, Toxics};
use crate::history::{Change, Event, Fault, Micros, What, digest};
use crate::numbers::Numbers;
use crate::scenario::{Act, RESET, Scenario, Step};
use crate::workload::{Controls, Workload};
use crate::world::{CONTROL_LINKS, REGIONS, World, primary_of};

/// Before anything is disturbed.
const WARM: Duration = Duration::from_secs(2);

/// Without a failure, the system has recovered.
const QUIET: Duration = Duration::from_millis(1500);

/// From when a database is told to end until nobody is waited for any more.
const INSISTS: Duration = Duration::from_secs(2);

/// What came of a scenario.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Its name in reports: the scenario's, unless another run has that.
    pub name: String,
    /// The scenario.
    pub scenario: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// The seed that makes it the same again, but for the time things take.
    pub seed: u64,
    /// Seconds for which the system was disturbed: what is drawn is spread over them.
    pub duration: u64,
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
    /// Breakers that were seen open, by gateway and name.
    pub breakers: BTreeMap<String, Breaker>,
    /// Most hosts that a gateway left out at a time.
    pub hosts_out: u64,
}

/// What became of a breaker.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Breaker {
    /// How often it opened, as far as somebody looked.
    pub trips: usize,
    /// Milliseconds from a look that found it open to one that found it closed.
    pub open_ms: u64,
    /// Whether it was closed when somebody looked last.
    pub recovered: bool,
}

/// Breakers over time, by gateway and name.
fn breakers(record: &Record<'_>) -> BTreeMap<String, Breaker> {
    let mut all: BTreeMap<String, (Breaker, Micros)> = BTreeMap::new();
    let mut last: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for seen in record.breakers() {
        let name = |breaker: &String| format!("gateway {}: {breaker}", seen.gateway);
        let open: BTreeSet<_> = seen.open.iter().map(name).collect();
        let before = last.entry(seen.gateway).or_default();
        for name in open.difference(before) {
            let (breaker, since) = all.entry(name.clone()).or_default();
            breaker.trips += 1;
            breaker.recovered = false;
            *since = seen.at;
        }
        for name in before.difference(&open) {
            if let Some((breaker, since)) = all.get_mut(name) {
                breaker.recovered = true;
                breaker.open_ms += (seen.at - *since) / 1000;
            }
        }
        *before = open;
    }
    all.into_iter()
        .map(|(name, (breaker, _))| (name, breaker))
        .collect()
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
    let before = Before::of(world).await?;
    let mut workload = Workload::start(world, numbers.fork().below(usize::MAX) as u64)?;
    let controls = Controls::of(world);
    tokio::time::sleep(WARM).await;
    let steps = (scenario.steps)(&mut numbers, time);
    for step in &steps {
        apply(world, &mut workload, step).await?;
    }
    world.repair().await?;
    let bound = Duration::from_millis(scenario.promises.recovery_ms) + QUIET;
    let repaired = Instant::now();
    let began = world.history.now();
    while repaired.elapsed() < bound {
        let quiet = world.history.now() - workload.last_failure().max(began);
        // Connections of a burst are closed once they were idle for a while; until
        // then, their breaker is open.
        if quiet > u64::try_from(QUIET.as_micros())? && workload.is_closed() {
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
    let unlogged = unlogged(&steps, &events);
    let ending = ending(world, &controls, &before, &events, unlogged).await?;
    let record = Record::of(&events, &ending, scenario.promises);
    let verdicts = record.judge();
    let faults = events.iter().filter_map(|event| match event {
        Event::Fault(fault) => Some(fault.clone()),
        _ => None,
    });
    let outcome = Outcome {
        name: scenario.name.to_owned(),
        scenario: scenario.name,
        about: scenario.about,
        seed,
        duration: time.as_secs(),
        holds: verdicts.iter().all(|verdict| verdict.holds),
        figures: figures(&record, &events),
        verdicts,
        history: digest(&events)?,
        faults: faults.collect(),
    };
    Ok((outcome, events))
}

/// Gateways that were ended, each with the time in which its log is not whole.
fn unlogged(steps: &[Step], events: &[Event]) -> Vec<Unlogged> {
    // Steps are done one after the other, and each notes its fault.
    let faults = events.iter().filter_map(|event| match event {
        Event::Fault(fault) => Some(fault),
        _ => None,
    });
    let ended = steps.iter().zip(faults).filter_map(|(step, fault)| {
        let (Act::EndGateway(at, _) | Act::LoseNames(at)) = step.act else {
            return None;
        };
        Some(Unlogged {
            region: REGIONS[at].to_owned(),
            from: fault.from,
            until: fault.until,
        })
    });
    ended.collect()
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
        breakers: breakers(record),
        hosts_out: record
            .breakers()
            .map(|one| one.hosts_out)
            .max()
            .unwrap_or_default(),
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
            Event::Running(_) | Event::Breakers(_) | Event::Fault(_) => {}
        }
    }
    figures
}

/// Does something, waits, and undoes it.
async fn apply(world: &mut World, workload: &mut Workload, step: &Step) -> Result<()> {
    let from = world.history.now();
    begin(world, workload, &step.act).await?;
    if let Some((link, toxics)) = step.beside {
        world.disturb(link, toxics);
    }
    tokio::time::sleep(step.time).await;
    // First, so that what starts again finds whom it asks.
    if let Some((link, _)) = step.beside {
        world.disturb(link, Toxics::default());
    }
    undo(world, &step.act).await?;
    let beside = step.beside.map(|beside| format!(", and {beside:?}"));
    world.history.push(Event::Fault(Fault {
        name: format!("{:?}{}", step.act, beside.unwrap_or_default()),
        from,
        until: world.history.now(),
    }));
    Ok(())
}

async fn begin(world: &mut World, workload: &mut Workload, act: &Act) -> Result<()> {
    match act {
        Act::EndGateway(at, signal) => world.gateways[*at].end(*signal).await?,
        Act::PauseGateway(at) => world.gateways[*at].signal(Signal::STOP)?,
        Act::EndReplica(at, signal) => world.replicas[*at].end(*signal)?,
        Act::PauseReplica(at) => world.replicas[*at].signal(Signal::STOP)?,
        Act::EndUpstream(at) => world.upstreams[*at].kill().await,
        Act::PauseUpstream(at) => world.upstreams[*at].pause(true),
        Act::Burst(region) => {
            world.upstreams[primary_of(*region)].pause(true);
            workload.burst(world, *region)?;
        }
        Act::EndRedis => world.redis.kill()?,
        Act::TerminateRedis => world.redis.terminate()?,
        Act::PauseRedis => world.redis.signal("STOP")?,
        Act::EndPostgres => world.postgres.kill()?,
        Act::TerminatePostgres => {
            world.postgres.terminate()?;
            tokio::time::sleep(INSISTS).await;
            world.postgres.end()?;
        }
        Act::PausePostgres => world.postgres.signal("STOP")?,
        Act::FillDisk => world.disk()?.fill()?,
        Act::Poison => {
            let at = world.history.now();
            let key = world.poison()?;
            world.history.push(Event::Change(Change {
                what: What::Poison,
                key,
                at,
                acknowledged: None,
                entry: None,
            }));
        }
        Act::EndCertificate => {
            world.expire_certificates(true)?;
            // Replicas have read it by then.
            tokio::time::sleep(Duration::from_secs(2)).await;
            world.disturb(&CONTROL_LINKS, RESET);
            tokio::time::sleep(Duration::from_millis(200)).await;
            world.disturb(&CONTROL_LINKS, Toxics::default());
        }
        Act::LoseNames(at) => {
            world.fail_names(true);
            world.gateways[*at].end(Signal::KILL).await?;
            world.gateways[*at].start_again().await?;
        }
        Act::Filter(at, filter) => world.gateways[*at].filter(*filter).await?,
        Act::Links(names, toxics) => world.disturb(names, *toxics),
    }
    Ok(())
}

async fn undo(world: &mut World, act: &Act) -> Result<()> {
    match act {
        Act::EndGateway(at, _) => world.gateways[*at].start_again().await?,
        Act::PauseGateway(at) => world.gateways[*at].signal(Signal::CONT)?,
        Act::EndReplica(at, _) => world.replicas[*at].start_again()?,
        Act::PauseReplica(at) => world.replicas[*at].signal(Signal::CONT)?,
        Act::EndUpstream(at) => world.upstreams[*at].start()?,
        Act::PauseUpstream(at) => world.upstreams[*at].pause(false),
        Act::Burst(region) => world.upstreams[primary_of(*region)].pause(false),
        Act::EndRedis | Act::TerminateRedis => world.redis.restart()?,
        Act::PauseRedis => world.redis.signal("CONT")?,
        Act::EndPostgres | Act::TerminatePostgres => world.postgres.start_again()?,
        Act::PausePostgres => world.postgres.signal("CONT")?,
        Act::FillDisk => {
            world.disk()?.free()?;
            world.postgres.start_if_ended()?;
        }
        // The next publication is above it.
        Act::Poison => {}
        Act::EndCertificate => world.expire_certificates(false)?,
        Act::LoseNames(_) => world.fail_names(false),
        Act::Filter(at, _) => world.gateways[*at].filter(Filter::default()).await?,
        Act::Links(names, _) => world.disturb(names, Toxics::default()),
    }
    Ok(())
}
