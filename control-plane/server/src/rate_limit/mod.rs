//! Limits that all Envoys of a graph share. Envoy's own rate-limit filter asks
//! here, with the tenant, class and cost that the guard has found out; limits
//! are those of the graph's last publication.
//!
//! Buckets are in this process, or, where replicas share them, in Redis. While
//! Redis is away each replica answers from buckets of its own: a limit that is
//! too generous for a while is better than one that nobody gets past.

mod answer;
mod config;
mod limits;
mod memory;
mod metrics;
mod request;
mod service;
mod shared;
#[cfg(test)]
mod tests;

use ig_rate_limit::{FleetCharge, Refusal};

pub use config::{RateLimitConfig, RedisUrl};
pub(crate) use metrics::RateLimitMetrics;
pub(crate) use service::RateLimits;

use self::limits::Graphs;
use self::memory::Memory;
use self::shared::Shared;
use crate::app::App;
use crate::snapshots::Publications;

/// What is to be taken from one bucket.
#[derive(Clone, Debug)]
struct Charge {
    /// Name of the bucket, with its graph, tenant and class.
    key: String,
    charge: FleetCharge,
}

/// A charge that its bucket refused, by its place.
#[derive(PartialEq, Eq, Debug)]
struct Refused {
    charge: usize,
    refusal: Refusal,
}

/// Takes all charges, or none. No two are of one bucket.
type Verdict = Result<(), Refused>;

/// The limits of all graphs, and the buckets.
pub(crate) struct Fleet {
    graphs: Graphs,
    memory: Memory,
    shared: Option<Shared>,
}

impl Fleet {
    /// With the limits of what is published.
    ///
    /// # Errors
    /// When the address of Redis is none.
    pub(crate) fn new(
        config: &RateLimitConfig,
        published: &Publications,
    ) -> Result<Self, redis::RedisError> {
        let shared = config.redis.as_ref();
        let shared = shared.map(|url| Shared::new(url, config.redis_timeout()));
        let graphs = Graphs::default();
        graphs.learn(&published.watch().borrow());
        Ok(Self {
            graphs,
            memory: Memory::new(),
            shared: shared.transpose()?,
        })
    }

    /// The verdict, and whether it is only this replica's though it should be
    /// all replicas'.
    async fn take(&self, charges: &[Charge]) -> (Verdict, bool) {
        if let Some(shared) = &self.shared
            && let Some(verdict) = shared.take(charges).await
        {
            // So that a replica that is left alone for a moment gives no more.
            if verdict.is_ok() {
                let _ = self.memory.take(charges);
            }
            return (verdict, false);
        }
        (self.memory.take(charges), self.shared.is_some())
    }
}

/// Follows what is published, and Redis, for ever.
pub(crate) async fn run(app: App) {
    let follow = async {
        let mut published = app.published.watch();
        loop {
            let current = published.borrow_and_update().clone();
            // A snapshot may have megabytes.
            let fleet = app.fleet.clone();
            let learning = tokio::task::spawn_blocking(move || fleet.graphs.learn(&current));
            if let Err(error) = learning.await {
                tracing::error!(%error, "limits of the fleet are those of before");
            }
            if published.changed().await.is_err() {
                return;
            }
        }
    };
    let keep = async {
        if let Some(shared) = &app.fleet.shared {
            shared.keep().await;
        }
    };
    tokio::join!(follow, keep);
}
