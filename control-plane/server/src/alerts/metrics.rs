//! What is counted of alerts.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What came of a turn of a group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, EncodeLabelValue)]
pub(crate) enum Outcome {
    Opened,
    /// It was there: a call of before succeeded, and its answer was lost.
    Found,
    Changed,
    Closed,
    /// It was over before there was an issue.
    Nothing,
    Failed,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct OutcomeLabel {
    outcome: Outcome,
}

/// Of alerts and their issues.
#[derive(Default)]
pub(crate) struct AlertMetrics {
    pub(super) webhooks: Counter,
    turns: Family<OutcomeLabel, Counter>,
    pub(crate) waiting: Gauge,
}

impl AlertMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let this = Self::default();
        registry.register(
            "alert_webhooks",
            "Messages of Alertmanager that were taken",
            this.webhooks.clone(),
        );
        registry.register(
            "alert_issues",
            "Turns of issues of alerts, by what came of it",
            this.turns.clone(),
        );
        registry.register(
            "alert_issues_waiting",
            "Groups of alerts whose issue is not yet as it is to be",
            this.waiting.clone(),
        );
        this
    }

    pub(crate) fn turn(&self, outcome: Outcome) {
        self.turns.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
