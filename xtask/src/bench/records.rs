//! The control plane that an arm's Envoy tells of requests, and whether it was told.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::usage;
use crate::net;
use crate::stack::{Control, GRAPH, Materials};

/// How long it is looked whether the control plane rests, and how much CPU one that does
/// takes meanwhile, at most.
const LOOK: Duration = Duration::from_secs(1);
const RESTING: Duration = Duration::from_millis(50);
/// How long it may take to write what it was told.
const PATIENCE: Duration = Duration::from_secs(60);

/// A control plane that feeds an arm's guard with what the other guards have, and
/// receives its records.
pub(super) struct Receiver {
    control: Control,
}

/// What a control plane has counted so far.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Counts {
    received: u64,
    lost: u64,
}

/// What came of an arm's requests.
#[derive(Serialize, Clone, Copy, Default, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Records {
    requests: u64,
    /// Records that the control plane received of them.
    received: u64,
    /// Those of them that it did not store.
    lost: u64,
}

impl Receiver {
    /// Starts one, with what an arm's guard needs.
    ///
    /// # Errors
    /// When it does not start, or takes no snapshot.
    pub(super) fn start(root: &Path, folder: &Path, materials: &Materials) -> Result<Self> {
        let control = Control::start(root, folder, net::free_port()?, net::free_port()?)?;
        control.fill(&materials.config())?;
        Ok(Self { control })
    }

    pub(super) fn grpc_port(&self) -> u16 {
        self.control.grpc_port
    }

    /// Waits until the arm's guard has its snapshot.
    pub(super) fn wait_for_proxy(&self) -> Result<()> {
        self.control.wait_for_proxy()
    }

    pub(super) fn counts(&self) -> Result<Counts> {
        Ok(counted(&self.control.get("/metrics")?))
    }

    /// What was received of so many requests, once the control plane has done all that
    /// it does with them: it takes nothing from the next arm.
    ///
    /// # Errors
    /// When it received nothing.
    pub(super) fn since(&self, before: &Counts, requests: u64) -> Result<Records> {
        self.rest()?;
        let now = self.counts()?;
        let records = Records {
            requests,
            received: now.received.saturating_sub(before.received),
            lost: now.lost.saturating_sub(before.lost),
        };
        ensure!(
            records.received > 0,
            "the control plane received no record of {requests} requests: the arm's figures are of \
             nothing"
        );
        Ok(records)
    }

    fn rest(&self) -> Result<()> {
        let id = self.control.id().context("the control plane ended")?;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let before = usage::cpu_time(id)?;
            thread::sleep(LOOK);
            if usage::cpu_time(id)?.saturating_sub(before) < RESTING {
                break;
            }
        }
        Ok(())
    }

    /// Ends it.
    pub(super) fn stop(self) {
        self.control.stop();
    }
}

impl Records {
    /// Adds those of another round.
    pub(super) fn add(&mut self, more: Self) {
        self.requests += more.requests;
        self.received += more.received;
        self.lost += more.lost;
    }
}

impl std::fmt::Display for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "of {} requests the control plane received {} records ({:.1} %), of which it did not \
             store {}",
            self.requests,
            self.received,
            self.received as f64 * 100.0 / self.requests.max(1) as f64,
            self.lost,
        )
    }
}

/// What the metrics of a control plane say of the bench's graph.
fn counted(metrics: &str) -> Counts {
    let sum = |name: &str| -> u64 {
        let lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
        let values = lines.filter_map(|rest| rest.rsplit(' ').next()?.parse::<u64>().ok());
        values.sum()
    };
    Counts {
        received: sum(&format!("ig_decisions_total{{graph=\"{GRAPH}\",")),
        lost: sum("ig_decisions_lost_total "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_decisions_of_the_graph_are_counted_and_no_others() {
        let metrics = "\
            # TYPE ig_decisions counter\n\
            ig_decisions_total{graph=\"demo\",outcome=\"allow\",code=\"\"} 40\n\
            ig_decisions_total{graph=\"demo\",outcome=\"deny\",code=\"POLICY_DENIED\"} 2\n\
            ig_decisions_total{graph=\"unknown\",outcome=\"allow\",code=\"\"} 7\n\
            # TYPE ig_decisions_lost counter\n\
            ig_decisions_lost_total 3\n\
            # EOF\n";
        let (received, lost) = (42, 3);
        assert_eq!(counted(metrics), Counts { received, lost });
        let nothing = Counts {
            received: 0,
            lost: 0,
        };
        assert_eq!(counted("# EOF\n"), nothing);
    }
}
