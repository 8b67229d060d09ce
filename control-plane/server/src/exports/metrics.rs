//! What is counted of exports.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::error::ApiError;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: &'static str,
}

/// Seconds. A few synchronisations of a disk are the least.
const BUCKETS: [f64; 12] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.35, 0.5, 0.9, 1.0, 2.5, 10.0,
];

/// What is counted of exports.
pub(crate) struct ExportMetrics {
    outcomes: Family<OutcomeLabel, Counter>,
    duration: Histogram,
}

impl ExportMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let this = Self {
            outcomes: Family::default(),
            duration: Histogram::new(BUCKETS),
        };
        registry.register(
            "exports",
            "Exports that were asked for, by what came of it",
            this.outcomes.clone(),
        );
        registry.register_with_unit(
            "exports_duration",
            "Time until exports were in the ledger",
            Unit::Seconds,
            this.duration.clone(),
        );
        this
    }

    /// Counts what came of one. Only what was signed is timed: a refusal is
    /// faster than any export.
    pub(super) fn count<T>(&self, outcome: &Result<T, ApiError>, time: Duration) {
        match outcome {
            Ok(_) => {
                self.duration.observe(time.as_secs_f64());
                self.one("signed");
            }
            Err(error) => self.not_made(error),
        }
    }

    /// Counts one that was not made.
    pub(crate) fn not_made(&self, error: &ApiError) {
        self.one(match error {
            ApiError::Denied(_) => "denied",
            error if error.status().is_server_error() => "failed",
            _ => "refused",
        });
    }

    fn one(&self, outcome: &'static str) {
        self.outcomes.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
