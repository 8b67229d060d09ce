//! What is counted. Graphs are those that are published, and `unknown`.

use std::time::Duration;

use ig_contract::Mode;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::metrics::GraphLabel;

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OverLabels {
    graph: String,
    mode: &'static str,
}

/// Seconds; Envoy waits 0.05.
const BUCKETS: [f64; 11] = [
    0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.25, 0.35, 0.9,
];

/// What is counted of the fleet's limits.
pub(crate) struct RateLimitMetrics {
    asked: Family<GraphLabel, Counter>,
    over: Family<OverLabels, Counter>,
    degraded: Family<GraphLabel, Counter>,
    duration: Histogram,
}

impl RateLimitMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let this = Self {
            asked: Family::default(),
            over: Family::default(),
            degraded: Family::default(),
            duration: Histogram::new(BUCKETS),
        };
        registry.register(
            "rate_limit_asked",
            "Requests that proxies asked the fleet's limits for",
            this.asked.clone(),
        );
        registry.register(
            "rate_limit_over",
            "Requests over a limit of the fleet; in shadow they passed",
            this.over.clone(),
        );
        registry.register(
            "rate_limit_degraded",
            "Requests that this replica limited by itself, since Redis was away",
            this.degraded.clone(),
        );
        registry.register_with_unit(
            "rate_limit_duration",
            "Time to answer proxies",
            Unit::Seconds,
            this.duration.clone(),
        );
        this
    }

    pub(crate) fn asked(&self, graph: &str, time: Duration) {
        self.asked.get_or_create(&labels(graph)).inc();
        self.duration.observe(time.as_secs_f64());
    }

    pub(crate) fn over(&self, graph: &str, mode: Mode) {
        let mode = match mode {
            Mode::Enforce => "enforce",
            Mode::Shadow => "shadow",
        };
        let graph = graph.to_owned();
        self.over.get_or_create(&OverLabels { graph, mode }).inc();
    }

    pub(crate) fn degraded(&self, graph: &str) {
        self.degraded.get_or_create(&labels(graph)).inc();
    }
}

fn labels(graph: &str) -> GraphLabel {
    GraphLabel {
        graph: graph.to_owned(),
    }
}
