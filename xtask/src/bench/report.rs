//! Results: medians over rounds, as a table, as JSON, as a page.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::arms::{Arm, Filters};
use super::load::Load;
use super::records::Records;
use super::snapshot::LargeCatalogue;

/// One round of one arm.
pub(super) struct Sample {
    pub(super) load: Load,
    pub(super) cpu: Duration,
}

/// All rounds of one arm.
#[derive(Default)]
pub(super) struct Samples {
    pub(super) rounds: Vec<Sample>,
    pub(super) resident_bytes: u64,
    /// Where a control plane is told.
    pub(super) records: Option<Records>,
}

/// What is said of one arm.
#[derive(Serialize, Debug, Clone)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    pub(super) arm: &'static str,
    workers: u32,
    pub(super) requests_per_second: f64,
    /// Throughput over that of bare Envoy in the same round.
    ratio: f64,
    pub(super) p50_micros: f64,
    pub(super) p99_micros: f64,
    pub(super) cpu_micros: f64,
    /// CPU per request over bare Envoy's in the same round.
    pub(super) added_micros: f64,
    resident_mib: f64,
    pub(super) errors: u64,
    /// Of all rounds, where a control plane is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Records>,
}

/// Everything.
#[derive(Serialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) machine: String,
    pub(super) date: String,
    pub(super) envoy: String,
    pub(super) rounds: usize,
    pub(super) rows: Vec<Row>,
    pub(super) large_catalogue: Option<LargeCatalogue>,
}

impl Samples {
    fn cpu_micros(&self) -> impl Iterator<Item = f64> {
        self.rounds
            .iter()
            .map(|one| one.cpu.as_secs_f64() * 1e6 / (one.load.requests.max(1) as f64))
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (length, half) if length % 2 == 1 => values[half],
        (_, half) => f64::midpoint(values[half - 1], values[half]),
    }
}

/// Sums up an arm; `baseline` ran in the same rounds.
pub(super) fn row(arm: &'static Arm, samples: &Samples, baseline: &Samples) -> Row {
    let rounds = || samples.rounds.iter().zip(&baseline.rounds);
    let ratio = median(rounds().map(|(one, bare)| one.load.per_second() / bare.load.per_second()));
    let added = samples.cpu_micros().zip(baseline.cpu_micros());
    Row {
        arm: arm.name,
        workers: arm.workers,
        requests_per_second: median(samples.rounds.iter().map(|one| one.load.per_second())),
        ratio,
        p50_micros: median(samples.rounds.iter().map(|one| one.load.p50)),
        p99_micros: median(samples.rounds.iter().map(|one| one.load.p99)),
        cpu_micros: median(samples.cpu_micros()),
        added_micros: median(added.map(|(one, bare)| one - bare)),
        resident_mib: samples.resident_bytes as f64 / MIB,
        errors: samples.rounds.iter().map(|one| one.load.errors).sum(),
        records: samples.records,
    }
}

const MIB: f64 = 1024.0 * 1024.0;

impl Report {
    /// The table, in Markdown.
    pub(super) fn table(&self) -> String {
        let mut out = String::from(
            "| arm | workers | requests/s | of bare | p50 µs | p99 µs | CPU µs/request | over bare | RSS MiB |\n\
             |---|---|---|---|---|---|---|---|---|\n",
        );
        for row in &self.rows {
            let _ = writeln!(
                out,
                "| {} | {} | {:.0} | {:.0} % | {:.0} | {:.0} | {:.1} | {:+.1} | {:.0} |{}",
                row.arm,
                row.workers,
                row.requests_per_second,
                row.ratio * 100.0,
                row.p50_micros,
                row.p99_micros,
                row.cpu_micros,
                row.added_micros,
                row.resident_mib,
                match row.errors {
                    0 => String::new(),
                    errors => format!(" {errors} ERRORS"),
                },
            );
        }
        for row in &self.rows {
            if let Some(records) = &row.records {
                let _ = writeln!(out, "\n{}: {records}.", row.arm);
            }
        }
        if let Some(large) = &self.large_catalogue {
            let _ = writeln!(
                out,
                "\n{} operations (texts in a store, {:.1} MiB of snapshot): {:.0} ms to load in the \
                 slowest VM; {:.1} MiB of memory with one worker, {:.1} MiB for a second.",
                large.operations,
                large.snapshot_bytes as f64 / MIB,
                large.load_millis,
                large.one_worker_bytes as f64 / MIB,
                large.second_worker_bytes as f64 / MIB,
            );
        }
        out
    }

    /// The page in `docs`.
    pub(super) fn page(&self) -> String {
        format!(
            "# Benchmarks\n\n\
             The last run of `cargo xtask bench --write`; do not edit by hand.\n\n\
             {}, {}, {}, {} rounds, median of each figure.\n\n{}\n{}",
            self.date,
            self.machine,
            self.envoy,
            self.rounds,
            self.table(),
            METHOD,
        )
    }

    /// Whether any request of any arm was not answered with 200.
    pub(super) fn has_errors(&self) -> bool {
        self.rows.iter().any(|row| row.errors > 0)
    }
}

const METHOD: &str = include_str!("method.md");

/// Sums up all arms, each against bare Envoy with as many workers, or without
/// one against the first.
pub(super) fn rows(samples: &[(&'static Arm, Samples)]) -> Vec<Row> {
    let baseline = |arm: &Arm| {
        let is_bare = |other: &Arm| other.filters == Filters::None && other.workers == arm.workers;
        samples
            .iter()
            .find(|(other, _)| is_bare(other))
            .or(samples.first())
    };
    samples
        .iter()
        .filter_map(|(arm, of)| Some(row(arm, of, &baseline(arm)?.1)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert!((median([3.0, 1.0, 2.0].into_iter()) - 2.0).abs() < f64::EPSILON);
        assert!((median([4.0, 1.0, 2.0, 3.0].into_iter()) - 2.5).abs() < f64::EPSILON);
        assert!(median(std::iter::empty()).is_nan());
    }
}
