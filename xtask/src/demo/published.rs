//! The stops at the control plane: what is published is enforced, without a
//! request being lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::Outcome;
use super::tour::Tour;
use crate::stack::GRAPH;

/// Longest wait for a proxy.
const PATIENCE: Duration = Duration::from_secs(20);

/// What is retired, and rolled back.
const RETIRED: &str = "RequestHeaders";
/// What others ask for meanwhile.
const OTHER: &str = "Cases";

pub(super) fn run(tour: &Tour<'_>) -> Result<Vec<Outcome>> {
    Ok(vec![decisions(tour)?, retire(tour)?, roll_back(tour)?])
}

/// The control plane has the decisions that the access log has.
fn decisions(tour: &Tour<'_>) -> Result<Outcome> {
    let ask = || -> Result<Vec<Value>> {
        let words = ["decisions", "--rule", "retention-too-long", "--json"];
        let said = tour.stack.control.ig(&words).capture()?;
        Ok(serde_json::from_str(&said.stdout)?)
    };
    let started = Instant::now();
    let mut found = ask()?;
    while found.is_empty() && started.elapsed() < PATIENCE {
        thread::sleep(Duration::from_millis(100));
        found = ask()?;
    }
    Ok(Outcome {
        sent: "the control plane's decisions, by rule",
        expected: "the one that kept too long".into(),
        got: format!(
            "{} of tenant {}",
            found.len(),
            found
                .first()
                .map_or(&Value::Null, |one| &one["record"]["tenantId"])
        ),
        holds: found.len() == 1 && found[0]["record"]["tenantId"] == "alpha",
    })
}

fn retire(tour: &Tour<'_>) -> Result<Outcome> {
    let id = tour.id(RETIRED)?;
    let words = ["catalogue", "retire", id, "--graph", GRAPH, "--force"];
    tour.stack.control.ig(&words).capture()?;
    while_others_ask(tour, "an operation retired, under load", 404, || {
        tour.stack.control.publish()
    })
}

fn roll_back(tour: &Tour<'_>) -> Result<Outcome> {
    while_others_ask(tour, "the snapshot rolled back, under load", 200, || {
        tour.stack
            .control
            .ig(&["snapshot", "rollback", GRAPH])
            .capture()?;
        Ok(())
    })
}

/// How long after the API's answer the retired operation is answered with
/// `status`, and whether anybody else's request failed meanwhile.
fn while_others_ask(
    tour: &Tour<'_>,
    sent: &'static str,
    status: u16,
    publish: impl FnOnce() -> Result<()>,
) -> Result<Outcome> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let others = scope.spawn(|| -> Result<(usize, usize)> {
            let (mut asked, mut failed) = (0, 0);
            while !stop.load(Ordering::Relaxed) {
                asked += 1;
                failed += usize::from(tour.status(OTHER)? != 200);
            }
            Ok((asked, failed))
        });
        let measured = publish().and_then(|()| {
            let answered = Instant::now();
            while tour.status(RETIRED)? != status {
                ensure!(answered.elapsed() < PATIENCE, "never enforced");
            }
            Ok(answered.elapsed())
        });
        stop.store(true, Ordering::Relaxed);
        let (asked, failed) = others.join().ok().context("the load ended")??;
        let enforced = measured?;
        Ok(Outcome {
            sent,
            expected: format!("{status} within 1 s, nobody else disturbed"),
            got: format!(
                "{status} after {} ms; {failed} of {asked} others failed",
                enforced.as_millis()
            ),
            holds: failed == 0 && enforced < Duration::from_secs(1),
        })
    })
}
