//! Groups of alerts in the database: what each issue is to be, and who makes it so.

use sqlx::FromRow;
use uuid::Uuid;

use crate::error::ApiError;
use crate::store::{Store, now};

/// The most groups that are kept.
const MAX_GROUPS: i64 = 10_000;
/// How long a group that is over is kept, in milliseconds.
const KEEP: i64 = 30 * 24 * 60 * 60 * 1000;
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
    pub(super) failures: i64,
    pub(super) error: Option<String>,
}

const COLUMNS: &str = "id, firing, critical, title, body, started_at, changed_at, wanted, done, \
                       issue, failures, error";

/// Stores what an issue is to be. Of what says nothing new, nothing changes; of what
/// is over and was never known, nothing is kept.
pub(super) async fn put(store: &Store, wanted: &Wanted) -> Result<(), ApiError> {
    let at = now();
    let firing = i64::from(wanted.is_firing);
    let mut transaction = store.begin().await?;
    store.lock(&mut transaction, "alerts").await?;
    // What fires again has begun again: its issue was seen by now.
    let changed = sqlx::query(
        "UPDATE alert_groups SET firing = $2, critical = $3, title = $4, body = $5, \
         changed_at = $6, wanted = wanted + 1 WHERE id = $1 \
         AND (firing <> $2 OR critical <> $3 OR title <> $4 OR body <> $5)",
    )
    .bind(wanted.id.as_str())
    .bind(firing)
    .bind(i64::from(wanted.is_critical))
    .bind(wanted.title.as_str())
    .bind(wanted.body.as_str())
    .bind(at)
    .execute(&mut *transaction)
    .await?;
    if changed.rows_affected() == 0 && wanted.is_firing {
        let groups: i64 = sqlx::query_scalar("SELECT count(*) FROM alert_groups")
            .fetch_one(&mut *transaction)
            .await?;
        let known: Option<i64> =
            sqlx::query_scalar("SELECT wanted FROM alert_groups WHERE id = $1")
                .bind(wanted.id.as_str())
                .fetch_optional(&mut *transaction)
                .await?;
        match known {
            Some(_) => {}
            None if groups >= MAX_GROUPS => {
                return Err(ApiError::Later(
                    "too many groups of alerts; let Alertmanager group by fewer labels",
                ));
            }
            None => {
                sqlx::query(
                    "INSERT INTO alert_groups (id, firing, critical, title, body, started_at, \
                     changed_at, wanted, done, failures, next_at, claimed_until) \
                     VALUES ($1, $2, $3, $4, $5, $6, $6, 1, 0, 0, 0, 0)",
                )
                .bind(wanted.id.as_str())
                .bind(firing)
                .bind(i64::from(wanted.is_critical))
                .bind(wanted.title.as_str())
                .bind(wanted.body.as_str())
                .bind(at)
                .execute(&mut *transaction)
                .await?;
            }
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// A group whose issue is not as it is to be, for the caller alone for a while.
pub(super) struct Claimed {
    pub(super) group: Group,
    claim: String,
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
    /// Keeps the number of the issue, as soon as it is known.
    pub(super) async fn found(&self, store: &Store, issue: Option<i64>) -> Result<(), sqlx::Error> {
        sqlx::query("UPDATE alert_groups SET issue = $3 WHERE id = $1 AND claim = $2")
            .bind(self.group.id.as_str())
            .bind(self.claim.as_str())
            .bind(issue)
            .execute(store.pool())
            .await?;
        Ok(())
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

/// Forgets groups that are over for long. Those that fire again have a new issue.
pub(crate) async fn prune(store: &Store) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM alert_groups WHERE firing = 0 AND wanted = done AND changed_at < $1")
        .bind(now() - KEEP)
        .execute(store.pool())
        .await?;
    Ok(())
}
