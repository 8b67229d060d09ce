//! Changes, as this replica has read them.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use ig_contract::directory::{Change, Changes};
use tokio::sync::watch;

use crate::store::Store;

/// Changes that are remembered: a proxy that was away for longer forgets all.
const KEPT: usize = 100_000;
/// Rows that are read at a time.
const ROWS: i64 = 10_000;
/// Longest a proxy may wait for a change.
const MAX_WAIT: Duration = Duration::from_secs(30);

#[derive(Default)]
struct Known {
    /// Changes up to this one are not remembered.
    forgotten: i64,
    changes: VecDeque<(i64, Change)>,
}

/// The changes of the directory.
pub(crate) struct Directory {
    known: RwLock<Known>,
    /// Number of the last one.
    position: watch::Sender<i64>,
    /// One reader at a time: what is read first is told first.
    reading: tokio::sync::Mutex<()>,
}

impl Directory {
    /// Begins with what is there: no proxy has asked this replica before.
    pub(crate) async fn new(store: &Store) -> Result<Self, sqlx::Error> {
        let last = last(&mut *store.pool().acquire().await?).await?;
        Ok(Self {
            known: RwLock::new(Known {
                forgotten: last,
                changes: VecDeque::new(),
            }),
            position: watch::Sender::new(last),
            reading: tokio::sync::Mutex::default(),
        })
    }

    /// Reads what has changed since, and tells whoever waits.
    pub(crate) async fn follow(&self, store: &Store) -> Result<(), sqlx::Error> {
        let _reading = self.reading.lock().await;
        loop {
            let before = *self.position.borrow();
            let rows: Vec<(i64, String, Option<String>)> = sqlx::query_as(
                "SELECT number, tenant, user_id FROM directory_changes WHERE number > $1 \
                 ORDER BY number LIMIT $2",
            )
            .bind(before)
            .bind(ROWS)
            .fetch_all(store.pool())
            .await?;
            let Some((last, _, _)) = rows.last() else {
                return Ok(());
            };
            let last = *last;
            let is_all = rows.len() < usize::try_from(ROWS).unwrap_or(usize::MAX);
            {
                let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
                for (number, tenant, user) in rows {
                    known.changes.push_back((number, Change { tenant, user }));
                }
                while known.changes.len() > KEPT {
                    if let Some((number, _)) = known.changes.pop_front() {
                        known.forgotten = number;
                    }
                }
            }
            self.position.send_replace(last);
            if is_all {
                return Ok(());
            }
        }
    }

    /// What has changed after a position: at once if something has, otherwise
    /// when it does, or after `wait`.
    pub(crate) async fn changes(&self, after: Option<u64>, wait: Duration) -> Changes {
        let mut position = self.position.subscribe();
        if let Some(after) = after.and_then(|after| i64::try_from(after).ok()) {
            let newer = position.wait_for(|position| *position != after);
            let _ = tokio::time::timeout(wait.min(MAX_WAIT), newer).await;
        }
        self.since(after)
    }

    fn since(&self, after: Option<u64>) -> Changes {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let last = known
            .changes
            .back()
            .map_or(known.forgotten, |(number, _)| *number);
        let answer = |reset, changes| Changes {
            position: u64::try_from(last).unwrap_or_default(),
            reset,
            changes,
        };
        let Some(after) = after else {
            return answer(false, Vec::new());
        };
        let after = i64::try_from(after).unwrap_or(i64::MAX);
        if after < known.forgotten || after > last {
            return answer(true, Vec::new());
        }
        let first = known
            .changes
            .partition_point(|(number, _)| *number <= after);
        let mut changes: Vec<Change> = Vec::new();
        let mut bytes = 0;
        for (_, change) in known.changes.range(first..) {
            bytes += change.tenant.len() + change.user.as_ref().map_or(0, String::len) + MEMBERS;
            if bytes > ig_contract::directory::MAX_CHANGES_BYTES {
                return answer(true, Vec::new());
            }
            changes.push(change.clone());
        }
        answer(false, changes)
    }
}

/// Names, quotes and braces around one change in JSON, in bytes.
const MEMBERS: usize = 64;

/// Number of the last change.
pub(super) async fn last(connection: &mut sqlx::AnyConnection) -> Result<i64, sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(number) FROM directory_changes")
        .fetch_one(connection)
        .await?;
    Ok(last.unwrap_or_default())
}

/// Forgets old rows, but never the last: positions only grow.
pub(crate) async fn prune(store: &Store) -> Result<(), sqlx::Error> {
    let kept = i64::try_from(KEPT).unwrap_or(i64::MAX);
    sqlx::query(
        "DELETE FROM directory_changes WHERE number < \
         (SELECT MAX(number) FROM directory_changes) - $1",
    )
    .bind(kept)
    .execute(store.pool())
    .await?;
    Ok(())
}
