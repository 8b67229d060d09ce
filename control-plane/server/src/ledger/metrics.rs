//! What is counted of the ledger.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Counters and gauges of this replica.
#[derive(Default)]
pub(crate) struct LedgerMetrics {
    pub(super) size: Gauge,
    pub(super) cosigned_size: Gauge,
    pub(super) queued: Gauge,
    pub(super) oldest_seconds: Gauge,
    pub(super) batches: Counter,
    pub(super) failures: Counter,
    pub(super) witness_failures: Counter,
    pub(super) restarts: Counter,
}

impl LedgerMetrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let this = Self::default();
        for (name, help, gauge) in [
            (
                "ledger_size",
                "Entries of the ledger, as this replica last saw it",
                &this.size,
            ),
            (
                "ledger_cosigned_size",
                "Entries of the last checkpoint that witnesses have cosigned",
                &this.cosigned_size,
            ),
            (
                "ledger_queued",
                "Entries that wait to be in the ledger, up to 10000",
                &this.queued,
            ),
            (
                "ledger_oldest_queued_seconds",
                "How long the first of them has waited",
                &this.oldest_seconds,
            ),
        ] {
            registry.register(name, help, gauge.clone());
        }
        for (name, help, counter) in [
            (
                "ledger_batches",
                "Batches that this replica has appended",
                &this.batches,
            ),
            (
                "ledger_failures",
                "Times that this replica could not append",
                &this.failures,
            ),
            (
                "ledger_witness_failures",
                "Times that a witness did not cosign",
                &this.witness_failures,
            ),
            (
                "ledger_restarts",
                "Times that what appends, or asks witnesses, was begun again after a panic",
                &this.restarts,
            ),
        ] {
            registry.register(name, help, counter.clone());
        }
        this
    }
}
