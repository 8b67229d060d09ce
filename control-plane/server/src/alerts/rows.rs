//! Groups of alerts in the database: what each issue is to be, and who makes it so.

use sqlx::{Any, FromRow, Transaction};
use uuid::Uuid;

use super::late::{self, Instance, Known};
use super::text::{self, SILENT_DAYS};
use crate::error::ApiError;
use crate::store::{Store, now};

/// The most groups that are kept.
const MAX_GROUPS: i64 = 10_000;
/// Milliseconds of a day.
const DAY: i64 = 24 * 60 * 60 * 1000;
/// How long a group that is over is kept, in milliseconds.
const KEEP: i64 = 30 * DAY;
/// How long after it was last told of a group is given up, in milliseconds. Alertmanager
/// tells again of what goes on after `repeat_interval` or its `--data.retention` (five days
/// by default), whichever is shorter.
const SILENT: i64 = SILENT_DAYS * DAY;
/// How long nobody else works on a group, in milliseconds: longer than a turn.
pub(super) const CLAIM: i64 = 90_000;
/// Groups that are listed.
const LISTED: i64 = 200;

/// What an issue is to be.
pub(super) struct Wanted {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) is_firing: bool,
    pub(super) is_critical: bool,
    pub(super) alerts: Vec<Instance>,
}

/// A row.
#[derive(FromRow)]
pub(super) struct Group {
    pub(super) id: String,
    pub(super) firing: i64,
    pub(super) critical: i64,
    pub(super) title: String,
    pub(super) body: String,
    pub(super) started_at: i64,
    pub(super) changed_at: i64,
    pub(super) wanted: i64,
    pub(super) done: i64,
    pub(super) issue: Option<i64>,
    pub(super) gone: i64,
    pub(super) labelled: i64,
    pub(super) failures: i64,
    pub(super) error: Option<String>,
}

const COLUMNS: &str = "id, firing, critical, title, body, started_at, changed_at, wanted, done, \
                       issue, gone, labelled, failures, error";

/// Stores what an issue is to be. Of what says nothing new, nothing changes but when it
/// was told; of what was overtaken, nothing; of what is over and was never known, nothing
/// is kept.
pub(super) async fn put(store: &Store, wanted: &Wanted) -> Result<(), ApiError> {
    let at = now();
    let alerts = serde_json::to_string(&wanted.alerts).map_err(ApiError::invalid)?;
    let mut transaction = store.begin().await?;
    store.lock(&mut transaction, "alerts").await?;
    let known: Option<(i64, String, i64)> =
        sqlx::query_as("SELECT firing, alerts, changed_at FROM alert_groups WHERE id = $1")
            .bind(wanted.id.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
    match known {
        Some((firing, alerts_of, changed_at)) => {
            let known: Vec<Instance> = serde_json::from_str(&alerts_of).unwrap_or_default();
            let known = Known {
                is_firing: firing != 0,
                alerts: &known,
                age: at - changed_at,
            };
            if late::is_late(&known, wanted.is_firing, &wanted.alerts) {
                return Ok(());
            }
            change(&mut transaction, wanted, &alerts, at).await?;
        }
        None if !wanted.is_firing => {}
        None => insert(&mut transaction, wanted, &alerts, at).await?,
    }
    transaction.commit().await?;
    Ok(())
}

async fn change(
    transaction: &mut Transaction<'static, Any>,
    wanted: &Wanted,
    alerts: &str,
    at: i64,
) -> Result<(), sqlx::Error> {
    // Also of what says nothing new: it goes on.
    sqlx::query("UPDATE alert_groups SET alerts = $2, told_at = $3 WHERE id = $1")
        .bind(wanted.id.as_str())
        .bind(alerts)
        .bind(at)
        .execute(&mut **transaction)
        .await?;
    sqlx::query(
        "UPDATE alert_groups SET firing = $2, critical = $3, title = $4, body = $5, \
         changed_at = $6, wanted = wanted + 1 WHERE id = $1 \
         AND (firing <> $2 OR critical <> $3 OR title <> $4 OR body <> $5)",
    )
    .bind(wanted.id.as_str())
    .bind(i64::from(wanted.is_firing))
    .bind(i64::from(wanted.is_critical))
    .bind(wanted.title.as_str())
    .bind(wanted.body.as_str())
    .bind(at)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

async fn insert(
    transaction: &mut Transaction<'static, Any>,
    wanted: &Wanted,
    alerts: &str,
    at: i64,
) -> Result<(), ApiError> {
    let groups: i64 = sqlx::query_scalar("SELECT count(*) FROM alert_groups")
        .fetch_one(&mut **transaction)
        .await?;
    if groups >= MAX_GROUPS {
        return Err(ApiError::Later(
            "too many groups of alerts; let Alertmanager group by fewer labels",
        ));
    }
    sqlx::query(
        "INSERT INTO alert_groups (id, firing, critical, title, body, started_at, \
         changed_at, told_at, wanted, done, failures, next_at, claimed_until, alerts) \
         VALUES ($1, $2, $3, $4, $5, $6, $6, $6, 1, 0, 0, 0, 0, $7)",
    )
    .bind(wanted.id.as_str())
    .bind(i64::from(wanted.is_firing))
    .bind(i64::from(wanted.is_critical))
    .bind(wanted.title.as_str())
    .bind(wanted.body.as_str())
    .bind(at)
    .bind(alerts)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// A group whose issue is not as it is to be, for the caller alone for a while.
pub(super) struct Claimed {
    pub(super) group: Group,
    claim: String,
}

/// Why nothing is kept of a group.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotHeld {
    /// Another replica works on it, or it is not there any more.
    #[error("another replica works on it")]
    Lost,
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

/// Takes the group that waits longest, if one does.
pub(super) async fn claim(store: &Store) -> Result<Option<Claimed>, sqlx::Error> {
    let at = now();
    let claim = Uuid::now_v7().to_string();
    let select = format!(
        "UPDATE alert_groups SET claim = $1, claimed_until = $2 WHERE id = (SELECT id FROM \
         alert_groups WHERE wanted > done AND next_at <= $3 AND claimed_until < $3 \
         ORDER BY next_at, id LIMIT 1) AND claimed_until < $3 RETURNING {COLUMNS}"
    );
    let group: Option<Group> = sqlx::query_as(sqlx::AssertSqlSafe(select))
        .bind(claim.as_str())
        .bind(at + CLAIM)
        .bind(at)
        .fetch_optional(store.pool())
        .await?;
    Ok(group.map(|group| Claimed { group, claim }))
}

impl Claimed {
    /// Keeps the number of the issue, as soon as it is known, and which labels it has.
    ///
    /// # Errors
    /// [`NotHeld`]
    pub(super) async fn found(
        &self,
        store: &Store,
        issue: i64,
        labelled: i64,
    ) -> Result<(), NotHeld> {
        let set = "issue = $3, labelled = $4";
        self.update(store, set, &[issue, labelled]).await
    }

    /// The issue is gone: the next one has another marker.
    ///
    /// # Errors
    /// [`NotHeld`]
    pub(super) async fn lost(&mut self, store: &Store) -> Result<(), NotHeld> {
        let gone = self.group.gone + 1;
        let set = "issue = NULL, labelled = 0, gone = $3";
        self.update(store, set, &[gone]).await?;
        self.group.gone = gone;
        Ok(())
    }

    /// Goes on for as long as a claim is, if it is still the caller's.
    ///
    /// # Errors
    /// [`NotHeld`]
    pub(super) async fn renew(&self, store: &Store) -> Result<(), NotHeld> {
        let until = now() + CLAIM;
        self.update(store, "claimed_until = $3", &[until]).await
    }

    async fn update(&self, store: &Store, set: &str, values: &[i64]) -> Result<(), NotHeld> {
        let sql = format!("UPDATE alert_groups SET {set} WHERE id = $1 AND claim = $2");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(self.group.id.as_str())
            .bind(self.claim.as_str());
        for value in values {
            query = query.bind(*value);
        }
        match query.execute(store.pool()).await?.rows_affected() {
            0 => Err(NotHeld::Lost),
            _ => Ok(()),
        }
    }

    /// The issue is as it was to be when the group was taken.
    pub(super) async fn done(&self, store: &Store) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE alert_groups SET done = $3, failures = 0, next_at = 0, error = NULL, \
             claim = NULL, claimed_until = 0 WHERE id = $1 AND claim = $2",
        )
        .bind(self.group.id.as_str())
        .bind(self.claim.as_str())
        .bind(self.group.wanted)
        .execute(store.pool())
        .await?;
        Ok(())
    }

    /// It is not, and is tried again later.
    pub(super) async fn failed(
        &self,
        store: &Store,
        next_at: i64,
        error: &str,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "UPDATE alert_groups SET failures = failures + 1, next_at = $3, error = $4, \
             claim = NULL, claimed_until = 0 WHERE id = $1 AND claim = $2",
        )
        .bind(self.group.id.as_str())
        .bind(self.claim.as_str())
        .bind(next_at)
        .bind(error)
        .execute(store.pool())
        .await?;
        Ok(())
    }
}

pub(super) async fn list(store: &Store) -> Result<Vec<Group>, sqlx::Error> {
    let select =
        format!("SELECT {COLUMNS} FROM alert_groups ORDER BY changed_at DESC, id LIMIT $1");
    sqlx::query_as(sqlx::AssertSqlSafe(select))
        .bind(LISTED)
        .fetch_all(store.pool())
        .await
}

/// Groups whose issue is not as it is to be.
pub(crate) async fn count_waiting(store: &Store) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT count(*) FROM alert_groups WHERE wanted > done")
        .fetch_one(store.pool())
        .await
}

/// Gives up groups that nobody has told of for long; how many. Whether they are over is
/// not known, and their issues say so when they are closed. A group that is told of
/// again has its issue opened again, whenever its alerts began: none of them is known to
/// be over. Otherwise it is forgotten as others are that are over.
pub(super) async fn give_up(store: &Store) -> Result<u64, sqlx::Error> {
    let at = now();
    // A release before this one wrote it: it counts from now.
    sqlx::query("UPDATE alert_groups SET told_at = $1 WHERE told_at IS NULL")
        .bind(at)
        .execute(store.pool())
        .await?;
    let note = text::given_up();
    let given_up = sqlx::query(
        "UPDATE alert_groups SET firing = 0, alerts = '[]', body = $1 || body, \
         changed_at = $2, wanted = wanted + 1 WHERE firing = 1 AND told_at < $3",
    )
    .bind(note.as_str())
    .bind(at)
    .bind(at - SILENT)
    .execute(store.pool())
    .await?;
    Ok(given_up.rows_affected())
}

/// Forgets groups that are over for long and whose issues say so. Those that fire again
/// have a new issue.
pub(crate) async fn prune(store: &Store) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM alert_groups WHERE firing = 0 AND wanted = done AND changed_at < $1")
        .bind(now() - KEEP)
        .execute(store.pool())
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A database with one group.
    async fn with_group(folder: &tempfile::TempDir) -> Store {
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let store = Store::open(&url, Duration::ZERO).await.unwrap();
        let wanted = Wanted {
            id: "a".into(),
            title: "t".into(),
            body: "b".into(),
            is_firing: true,
            is_critical: false,
            alerts: Vec::new(),
        };
        put(&store, &wanted).await.unwrap();
        store
    }

    /// Puts a time of the group back by so many days.
    async fn put_back(store: &Store, sql: &'static str, days: i64) {
        let query = sqlx::query(sql).bind(days * DAY);
        query.execute(store.pool()).await.unwrap();
    }

    /// Rows do not grow without an end: what nobody tells of any more is given up, and
    /// forgotten once its issue says so.
    #[tokio::test]
    async fn what_nobody_tells_of_is_forgotten_in_the_end() {
        const TOLD: &str = "UPDATE alert_groups SET told_at = told_at - $1";
        const CHANGED: &str = "UPDATE alert_groups SET changed_at = changed_at - $1";
        let folder = tempfile::tempdir().unwrap();
        let store = with_group(&folder).await;
        let claimed = claim(&store).await.unwrap().unwrap();
        claimed.done(&store).await.unwrap();
        // It fires for years, and is told of.
        put_back(&store, CHANGED, 1000).await;
        put_back(&store, TOLD, SILENT_DAYS - 1).await;
        assert_eq!(give_up(&store).await.unwrap(), 0);
        prune(&store).await.unwrap();
        assert_eq!(list(&store).await.unwrap().len(), 1);
        put_back(&store, TOLD, 2).await;
        assert_eq!(give_up(&store).await.unwrap(), 1);
        assert_eq!(give_up(&store).await.unwrap(), 0);
        let group = list(&store).await.unwrap().pop().unwrap();
        assert_eq!((group.firing, group.wanted, group.done), (0, 2, 1));
        assert!(group.body.ends_with("\n\nb"), "{}", group.body);
        // Not before its issue is closed, however long that takes.
        put_back(&store, CHANGED, 31).await;
        prune(&store).await.unwrap();
        let claimed = claim(&store).await.unwrap().unwrap();
        claimed.done(&store).await.unwrap();
        prune(&store).await.unwrap();
        assert_eq!(list(&store).await.unwrap().len(), 0);
    }

    /// Whoever has lost a group keeps nothing of it, and knows.
    #[tokio::test]
    async fn a_claim_that_is_lost_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let store = with_group(&folder).await;
        let mut first = claim(&store).await.unwrap().unwrap();
        first.renew(&store).await.unwrap();
        assert!(claim(&store).await.unwrap().is_none());
        sqlx::query("UPDATE alert_groups SET claimed_until = 1")
            .execute(store.pool())
            .await
            .unwrap();
        // Nobody has taken it: it is still the first one's.
        first.renew(&store).await.unwrap();
        sqlx::query("UPDATE alert_groups SET claimed_until = 1")
            .execute(store.pool())
            .await
            .unwrap();
        let second = claim(&store).await.unwrap().unwrap();
        assert!(matches!(first.renew(&store).await, Err(NotHeld::Lost)));
        let found = first.found(&store, 7, 1).await;
        assert!(matches!(found, Err(NotHeld::Lost)));
        assert!(matches!(first.lost(&store).await, Err(NotHeld::Lost)));
        second.found(&store, 8, 2).await.unwrap();
        let group = list(&store).await.unwrap().pop().unwrap();
        assert_eq!((group.issue, group.labelled, group.gone), (Some(8), 2, 0));
    }
}
