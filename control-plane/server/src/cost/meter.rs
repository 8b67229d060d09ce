//! Counts on their way to the database: added up in memory, written in batches that
//! count once.
//!
//! What is lost is said in `docs/cost.md`: Envoy sends each entry at most once, and a
//! process that is killed loses what it has not written, a quarter of a second.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ig_cost::{HOUR_MILLIS, Key, OVERFLOW, UNKNOWN, hour_of};
use tokio::sync::Notify;
use uuid::Uuid;

use super::metrics::CostMetrics;
use super::month::Days;
use super::rows::{self, Batch};
use super::served::Served;
use super::turns::Turns;
use crate::app::App;
use crate::store::{Store, now};

/// How often counts are written.
const FLUSH: Duration = Duration::from_millis(250);
/// Pause after a write that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// Names that are told apart: of an hour, in this process. More are one; more of spans
/// weigh nothing.
const MAX_KEYS: usize = 10_000;
/// Hours whose names are known: requests are no older, and no newer.
const HOURS: i64 = 26;
const AHEAD_MILLIS: i64 = 5 * 60 * 1000;
/// Requests that are known again when a stream sends them twice.
const RECENT: usize = 65_536;
const DAY_MILLIS: i64 = 24 * HOUR_MILLIS;

/// Adds up what was served.
pub(crate) struct Meter {
    adding: Mutex<Adding>,
    /// What could not be written yet.
    pending: tokio::sync::Mutex<Option<Batch>>,
    hasher: RandomState,
    /// Whose turn it is to have a report.
    pub(super) reports: Turns,
    /// What the days of this month came to.
    pub(super) days: tokio::sync::Mutex<Days>,
    /// Told when something has changed that costs are made of.
    pub(super) changed: Notify,
}

#[derive(Default)]
struct Adding {
    batch: Batch,
    /// Hashes of names, by hour.
    names: BTreeMap<i64, Names>,
    /// Hashes of requests, the oldest first.
    recent: VecDeque<u64>,
    is_recent: HashSet<u64>,
}

/// Names of an hour. Those of spans are apart: whoever sends them chooses theirs, and
/// takes no request's place.
#[derive(Default)]
struct Names {
    counted: HashSet<u64>,
    weighed: HashSet<u64>,
}

/// Whether a name is told apart: it is known, or there is room for it.
fn is_known(names: &mut HashSet<u64>, name: u64) -> bool {
    let fits = names.len() < MAX_KEYS;
    names.contains(&name) || fits && names.insert(name)
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self {
            adding: Mutex::default(),
            pending: tokio::sync::Mutex::new(None),
            hasher: RandomState::new(),
            reports: Turns::new(),
            days: tokio::sync::Mutex::default(),
            changed: Notify::new(),
        }
    }

    fn adding(&self) -> MutexGuard<'_, Adding> {
        // What is in it is whole after each step.
        self.adding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request, unless it was counted.
    pub(crate) fn count(&self, served: Served, metrics: &CostMetrics) {
        let identity = served.identity(&self.hasher);
        let (hour, counts) = (believed(served.at), served.counts);
        let (region, key) = served.place();
        let mut adding = self.adding();
        if identity.is_some_and(|identity| !adding.is_new(identity)) {
            metrics.replayed.inc();
            return;
        }
        let names = &mut adding.names_of(hour).counted;
        let of_region = self.hasher.hash_one(&region);
        let of_key = self.hasher.hash_one((&region, &key));
        let region_fits = is_known(names, of_region);
        let place = match region_fits && is_known(names, of_key) {
            true => (region, key),
            false => {
                metrics.overflow.inc();
                let region = if region_fits {
                    region
                } else {
                    UNKNOWN.to_owned()
                };
                (region, overflow(key.graph))
            }
        };
        *adding
            .batch
            .counts
            .entry((hour, place.1, place.0))
            .or_default() += counts;
    }

    /// Adds what a span says of a request.
    pub(super) fn weigh(&self, at: i64, key: Key, nanos: u64) -> bool {
        let hour = believed(at);
        let of_key = self.hasher.hash_one(&key);
        let mut adding = self.adding();
        if !is_known(&mut adding.names_of(hour).weighed, of_key) {
            return false;
        }
        let sum = adding.batch.weights.entry((hour, key)).or_default();
        *sum = (sum.0.saturating_add(1), sum.1.saturating_add(nanos));
        true
    }

    /// Writes what was added up; what cannot be written stays.
    pub(crate) async fn flush(&self, store: &Store) -> Result<(), sqlx::Error> {
        let mut pending = self.pending.lock().await;
        if pending.is_none() {
            let batch = std::mem::take(&mut self.adding().batch);
            if batch.counts.is_empty() && batch.weights.is_empty() {
                return Ok(());
            }
            *pending = Some(Batch {
                id: Uuid::now_v7().to_string(),
                ..batch
            });
        }
        if let Some(batch) = &*pending {
            rows::add(store, batch).await?;
        }
        *pending = None;
        self.changed.notify_one();
        Ok(())
    }
}

impl Adding {
    /// Remembers a request; false if it is remembered.
    fn is_new(&mut self, identity: u64) -> bool {
        if !self.is_recent.insert(identity) {
            return false;
        }
        self.recent.push_back(identity);
        if self.recent.len() > RECENT
            && let Some(oldest) = self.recent.pop_front()
        {
            self.is_recent.remove(&oldest);
        }
        true
    }

    fn names_of(&mut self, hour: i64) -> &mut Names {
        let oldest = hour_of(now()) - HOURS * HOUR_MILLIS;
        self.names.retain(|hour, _| *hour >= oldest);
        self.names.entry(hour).or_default()
    }
}

/// All requests of a graph that are beyond the names.
fn overflow(graph: String) -> Key {
    Key {
        graph,
        tenant: None,
        route: OVERFLOW.to_owned(),
        operation: OVERFLOW.to_owned(),
    }
}

/// The hour of a time that a gateway says; now, if it is not likely.
fn believed(at: i64) -> i64 {
    let now = now();
    let is_likely = at > now - (HOURS - 1) * HOUR_MILLIS && at < now + AHEAD_MILLIS;
    hour_of(if is_likely { at } else { now })
}

/// Writes counts again and again.
pub(crate) async fn run(app: App) {
    loop {
        let wait = match app.cost.flush(&app.store).await {
            Ok(()) => FLUSH,
            Err(error) => {
                app.metrics.cost.write_failures.inc();
                tracing::warn!(%error, "counts of costs are not written; they are kept");
                PAUSE
            }
        };
        tokio::time::sleep(wait).await;
    }
}

/// Deletes what is older than is kept.
pub(crate) async fn prune(app: &App) -> Result<(), sqlx::Error> {
    let oldest = hour_of(now()) - i64::from(app.cost_config.keep_days) * DAY_MILLIS;
    for table in ["cost_counts", "cost_weights", "cost_usage"] {
        let sql = format!("DELETE FROM {table} WHERE hour < $1");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(oldest)
            .execute(app.store.pool())
            .await?;
    }
    sqlx::query("DELETE FROM cost_batches WHERE added_at < $1")
        .bind(now() - DAY_MILLIS)
        .execute(app.store.pool())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::data::accesslog::v3::HttpAccessLogEntry;
    use prometheus_client::registry::Registry;

    use super::super::served::Gateway;
    use super::*;

    fn served(graph: &str, at: i64) -> Served {
        let gateway = Gateway {
            node: "gateway-1",
            region: "eu",
            graph: Some(graph),
        };
        Served::new(&HttpAccessLogEntry::default(), gateway, at).unwrap()
    }

    /// However many names spans have, each request has its own.
    #[test]
    fn names_of_spans_take_no_requests_place() {
        let metrics = CostMetrics::register(&mut Registry::default());
        let meter = Meter::new();
        let at = now();
        let key = |number: usize| Key {
            graph: "demo".into(),
            tenant: Some("alpha".into()),
            route: String::new(),
            operation: format!("{number}"),
        };
        for number in 0..MAX_KEYS {
            assert!(meter.weigh(at, key(number), 1), "{number}");
        }
        assert!(!meter.weigh(at, key(MAX_KEYS), 1));
        assert!(meter.weigh(at, key(0), 1));
        for graph in ["a", "b", "c"] {
            meter.count(served(graph, at), &metrics);
        }
        assert_eq!(metrics.overflow.get(), 0);
        let graphs: Vec<String> = meter
            .adding()
            .batch
            .counts
            .keys()
            .map(|(_, key, _)| key.graph.clone())
            .collect();
        assert_eq!(graphs, ["a", "b", "c"]);
    }

    /// Nor do those of requests keep spans from weighing them.
    #[test]
    fn names_of_requests_take_no_spans_place() {
        let metrics = CostMetrics::register(&mut Registry::default());
        let meter = Meter::new();
        let at = now();
        for number in 0..=MAX_KEYS {
            meter.count(served(&format!("g{number}"), at), &metrics);
        }
        assert!(metrics.overflow.get() > 0);
        let key = Key {
            graph: "demo".into(),
            tenant: Some("alpha".into()),
            route: String::new(),
            operation: "Case".into(),
        };
        assert!(meter.weigh(at, key, 1));
    }
}
