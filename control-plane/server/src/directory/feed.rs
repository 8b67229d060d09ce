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
            let before = self.last();
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

    /// Whether somebody knows of a change that was not read here yet.
    pub(crate) fn is_behind(&self, after: Option<u64>) -> bool {
        after.is_some_and(|after| i64::try_from(after).is_ok_and(|one| one > self.last()))
    }

    fn last(&self) -> i64 {
        *self.position.borrow()
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
            // As it is sent, with the comma behind it.
            bytes += serde_json::to_vec(change).map_or(0, |json| json.len() + 1);
            if bytes > ig_contract::directory::MAX_CHANGES_BYTES - AROUND {
                return answer(true, Vec::new());
            }
            changes.push(change.clone());
        }
        answer(false, changes)
    }
}

/// What is around the changes of an answer, in bytes.
const AROUND: usize = 128;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn of(changes: Vec<Change>) -> Directory {
        let changes: VecDeque<_> = (1..).zip(changes).collect();
        Directory {
            position: watch::Sender::new(changes.back().map_or(0, |(number, _)| *number)),
            known: RwLock::new(Known {
                forgotten: 0,
                changes,
            }),
            reading: tokio::sync::Mutex::default(),
        }
    }

    /// Of what is longer, guards know only that they have to forget everybody.
    #[test]
    fn no_answer_is_longer_than_guards_take() {
        for (character, count) in [("a", 1200), ("\u{1}", 300), ("\"", 800), ("🦉", 900)] {
            let change = Change {
                tenant: "alpha".into(),
                user: Some(character.repeat(255)),
            };
            for count in [count / 8, count] {
                let answer = of(vec![change.clone(); count]).since(Some(0));
                let bytes = serde_json::to_vec(&answer).unwrap().len();
                assert!(
                    bytes <= ig_contract::directory::MAX_CHANGES_BYTES,
                    "{bytes}"
                );
                assert_eq!(answer.position, u64::try_from(count).unwrap());
                assert!(answer.reset || answer.changes.len() == count);
            }
        }
    }

    #[test]
    fn what_is_not_remembered_is_forgotten_by_proxies_too() {
        let change = Change {
            tenant: "alpha".into(),
            user: None,
        };
        let directory = of(vec![change; 3]);
        directory.known.write().unwrap().forgotten = 1;
        let asked = |after| directory.since(after);
        assert_eq!((asked(None).reset, asked(None).changes.len()), (false, 0));
        assert!(asked(Some(0)).reset && asked(Some(4)).reset && asked(Some(u64::MAX)).reset);
        assert_eq!(asked(Some(1)).changes.len(), 2);
        assert_eq!(asked(Some(3)).changes.len(), 0);
    }
}
