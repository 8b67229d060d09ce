//! From access-log streams to the database: in batches, so that a write is
//! rare; behind a queue with an end, so that a slow disk costs records (counted)
//! and never memory or a proxy's patience.

use std::sync::Arc;
use std::time::Duration;

use ig_contract::decision::{DecisionRecord, Outcome};
use tokio::sync::mpsc;

use crate::catalogue::{Uses, record_uses};
use crate::config::Decisions;
use crate::metrics::Metrics;
use crate::store::{Store, now};

/// A decision on its way to the database.
pub(crate) struct Entry {
    at: i64,
    node: String,
    graph: String,
    decision_id: String,
    tenant: Option<String>,
    actor: Option<String>,
    operation: Option<String>,
    rule: String,
    outcome: &'static str,
    /// Hash of the document, where it went to the upstream.
    used: Option<String>,
    record: String,
}

impl Entry {
    pub(crate) fn new(
        at: i64,
        node: &str,
        graph: &str,
        decision: &DecisionRecord<'_>,
        record: &str,
    ) -> Self {
        let is_deny = decision.outcome == Outcome::Deny;
        let document = decision.document.as_deref().filter(|_| !is_deny);
        Self {
            at,
            node: column(node),
            graph: column(graph),
            decision_id: column(&decision.decision_id),
            tenant: decision.tenant_id.as_deref().map(column),
            actor: decision.actor.as_deref().map(column),
            operation: decision.operation.as_deref().map(column),
            rule: column(&decision.rule),
            outcome: decision.outcome.as_str(),
            used: document.map(column),
            record: record.to_owned(),
        }
    }
}

/// PostgreSQL has no zero byte in text, and one must not cost a whole batch.
fn column(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// Most decisions that wait to be written.
const QUEUE: usize = 20_000;
/// Most rows of one statement, and of one transaction.
const ROWS: usize = 100;
const BATCH: usize = 1000;
/// How long a batch is gathered, and thereby how late decisions are seen.
const GATHER: Duration = Duration::from_millis(200);
/// How often a batch is tried, and the pause between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);
/// How often old ones are deleted.
const SWEEP: Duration = Duration::from_secs(60);
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// Where decisions are put.
pub(crate) struct Queue {
    sender: mpsc::Sender<Entry>,
    metrics: Arc<Metrics>,
}

impl Queue {
    pub(crate) fn push(&self, entry: Entry) {
        if self.sender.try_send(entry).is_err() {
            self.metrics.decisions_lost.inc();
        }
    }
}

/// Writes what is in the queue.
pub(crate) struct Writer {
    receiver: mpsc::Receiver<Entry>,
    store: Store,
    metrics: Arc<Metrics>,
    keep: Decisions,
}

impl Writer {
    pub(crate) fn new(store: Store, metrics: Arc<Metrics>, keep: Decisions) -> (Queue, Self) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let queue = Queue {
            sender,
            metrics: metrics.clone(),
        };
        let writer = Self {
            receiver,
            store,
            metrics,
            keep,
        };
        (queue, writer)
    }

    /// Until every sender is gone.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut sweeps = tokio::time::interval(SWEEP);
        sweeps.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let count = tokio::select! {
                count = self.receiver.recv_many(&mut batch, BATCH) => count,
                _ = sweeps.tick() => {
                    if let Err(error) = self.sweep().await {
                        tracing::warn!(%error, "old decisions are not deleted");
                    }
                    continue;
                }
            };
            if count == 0 {
                return;
            }
            self.write_or_lose(&batch).await;
            batch.clear();
            tokio::time::sleep(GATHER).await;
        }
    }

    /// The queue holds what comes while a database is away for a moment.
    async fn write_or_lose(&self, batch: &[Entry]) {
        for attempt in 1..=ATTEMPTS {
            match self.write(batch).await {
                Ok(()) => return,
                Err(error) => tracing::warn!(%error, attempt, "decisions are not written"),
            }
            if attempt < ATTEMPTS {
                tokio::time::sleep(PAUSE).await;
            }
        }
        self.metrics.decisions_lost.inc_by(batch.len() as u64);
    }

    async fn write(&self, batch: &[Entry]) -> Result<(), sqlx::Error> {
        let mut transaction = self.store.begin().await?;
        for rows in batch.chunks(ROWS) {
            let mut query = sqlx::query(sqlx::AssertSqlSafe(insert(rows.len())));
            for one in rows {
                query = query
                    .bind(one.at)
                    .bind(one.graph.as_str())
                    .bind(one.node.as_str())
                    .bind(one.decision_id.as_str())
                    .bind(one.tenant.as_deref())
                    .bind(one.actor.as_deref())
                    .bind(one.operation.as_deref())
                    .bind(one.rule.as_str())
                    .bind(one.outcome)
                    .bind(one.record.as_str());
            }
            query.execute(&mut *transaction).await?;
        }
        let mut uses = Uses::new();
        for one in batch {
            if let Some(hash) = &one.used {
                let use_ = uses.entry((one.graph.clone(), hash.clone())).or_default();
                *use_ = (use_.0 + 1, use_.1.max(one.at));
            }
        }
        record_uses(&mut transaction, &uses).await?;
        transaction.commit().await
    }

    async fn sweep(&self) -> Result<(), sqlx::Error> {
        let oldest = now() - i64::from(self.keep.keep_days) * DAY_MILLIS;
        sqlx::query("DELETE FROM decisions WHERE at < $1")
            .bind(oldest)
            .execute(self.store.pool())
            .await?;
        sqlx::query(
            "DELETE FROM decisions WHERE number <= (SELECT MAX(number) FROM decisions) - $1",
        )
        .bind(i64::from(self.keep.keep_rows))
        .execute(self.store.pool())
        .await?;
        Ok(())
    }
}

/// An INSERT of this many rows.
fn insert(rows: usize) -> String {
    const COLUMNS: usize = 10;
    let row = |row: usize| {
        let places = (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column));
        format!("({})", places.collect::<Vec<_>>().join(","))
    };
    format!(
        "INSERT INTO decisions (at, graph, node, decision_id, tenant, actor, operation, rule, \
         outcome, record) VALUES {}",
        (0..rows).map(row).collect::<Vec<_>>().join(",")
    )
}
