//! Step-up tokens: keys, making, using, ending.

pub(crate) mod keys;
pub(crate) mod rotation;
mod spend;
mod token;

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use sqlx::{Any, AnyConnection, Transaction};

pub(crate) use keys::{prepare, settings};
pub(crate) use spend::{Used, answer_spend, spend, use_own, used_for};
pub(crate) use token::{Granted, Proof, make};

use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, User};
use crate::directory::{self, Whose};
use crate::error::{ApiError, Problem};
use crate::store::{Store, now};
use crate::tenants;

/// How long rows of tokens and ceremonies that are over are kept.
const KEPT: Duration = Duration::from_secs(3600);

/// Seconds since the epoch.
pub(crate) fn seconds() -> u64 {
    u64::try_from(now() / 1000).unwrap_or_default()
}

/// Makes whoever changes a user, or ends their tokens, wait until this ends.
///
/// It is the lock of the directory's changes, so it comes before rows of passkeys,
/// ceremonies and tokens: a change of the user takes those after it, too.
pub(crate) async fn lock(
    store: &Store,
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    user: &str,
) -> Result<(), sqlx::Error> {
    tenants::keep(store, transaction, tenant).await?;
    let lock = format!("scim:{tenant}:{user}");
    store.lock(transaction, &lock).await
}

/// Locks a user who may do something, and returns the number of the last end of
/// their tokens: a suspension or logout was before this and is seen, or waits, and ends
/// what this makes.
///
/// # Errors
/// 401 for who may do nothing by now.
pub(crate) async fn hold(
    store: &Store,
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    user: &str,
) -> Result<i64, ApiError> {
    lock(store, transaction, tenant, user).await?;
    let active: Option<i64> = sqlx::query_scalar(
        "SELECT active FROM scim_resources WHERE tenant = $1 AND id = $2 AND kind = 'User' \
         AND deleted_at IS NULL",
    )
    .bind(tenant)
    .bind(user)
    .fetch_optional(&mut **transaction)
    .await?;
    match active {
        Some(active) if active != 0 => Ok(ends(transaction, tenant, user).await?),
        _ => Err(ApiError::Unauthenticated),
    }
}

/// The number of the last end of a user's tokens: later ones are greater, and what
/// is long ago is zero.
pub(crate) async fn ends(
    connection: &mut AnyConnection,
    tenant: &str,
    user: &str,
) -> Result<i64, sqlx::Error> {
    let number: Option<i64> =
        sqlx::query_scalar("SELECT number FROM step_up_ends WHERE tenant = $1 AND user_id = $2")
            .bind(tenant)
            .bind(user)
            .fetch_optional(connection)
            .await?;
    Ok(number.unwrap_or_default())
}

/// Ends all step-up tokens of a user: those that were made until now, this
/// second included, and those of a replica whose clock is ahead of ours.
///
/// Its [`lock`] comes before rows that this transaction has changed already, so
/// callers who change some take it first.
pub(crate) async fn end(
    store: &Store,
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    user: &str,
) -> Result<(), sqlx::Error> {
    lock(store, transaction, tenant, user).await?;
    let last: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(made_at) FROM step_up_tokens WHERE tenant = $1 AND user_id = $2",
    )
    .bind(tenant)
    .bind(user)
    .fetch_one(&mut **transaction)
    .await?;
    let from = last.unwrap_or_default().max(now() / 1000) + 1;
    sqlx::query(
        "INSERT INTO step_up_ends (tenant, user_id, tokens_from, number) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (tenant, user_id) DO UPDATE SET tokens_from = CASE \
           WHEN step_up_ends.tokens_from > EXCLUDED.tokens_from \
           THEN step_up_ends.tokens_from ELSE EXCLUDED.tokens_from END, \
         number = CASE WHEN step_up_ends.number >= EXCLUDED.number \
           THEN step_up_ends.number + 1 ELSE EXCLUDED.number END",
    )
    .bind(tenant)
    .bind(user)
    .bind(from)
    // Greater than any before, also than one whose row is gone.
    .bind(now())
    .execute(&mut **transaction)
    .await?;
    sqlx::query("DELETE FROM ceremonies WHERE tenant = $1 AND user_id = $2")
        .bind(tenant)
        .bind(user)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// From when on tokens of a user count, in seconds: since they ended last, and
/// not before the second after the user and its links were made. Tokens name a
/// subject, which may have been somebody else's before.
pub(crate) async fn tokens_from(
    connection: &mut AnyConnection,
    tenant: &str,
    user: &str,
) -> Result<u64, sqlx::Error> {
    let from: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(since) FROM ( \
           SELECT tokens_from AS since FROM step_up_ends WHERE tenant = $1 AND user_id = $2 \
           UNION ALL SELECT created_at / 1000 + 1 FROM scim_resources \
             WHERE tenant = $1 AND id = $2 \
           UNION ALL SELECT linked_at / 1000 + 1 FROM subject_links \
             WHERE tenant = $1 AND user_id = $2) AS known",
    )
    .bind(tenant)
    .bind(user)
    .fetch_one(connection)
    .await?;
    Ok(from
        .and_then(|from| u64::try_from(from).ok())
        .unwrap_or_default())
}

/// Takes away what is over since a while; keys have a clock of their own
/// (`keys::settle`).
pub(crate) async fn prune(store: &Store) -> Result<(), sqlx::Error> {
    let kept = i64::try_from(KEPT.as_millis()).unwrap_or(i64::MAX);
    let before = now() - kept;
    sqlx::query("DELETE FROM ceremonies WHERE ends_at < $1")
        .bind(before)
        .execute(store.pool())
        .await?;
    sqlx::query("DELETE FROM step_up_tokens WHERE ends_at < $1")
        .bind(before / 1000)
        .execute(store.pool())
        .await?;
    Ok(())
}

/// Ends all step-up tokens of a user with a change of theirs, and commits: guards
/// remember tokens that count more than once, so they are told. The change's
/// target is the user.
pub(crate) async fn end_with(
    app: &App,
    mut transaction: Transaction<'static, Any>,
    by: &Principal,
    tenant: &str,
    change: Change<'_>,
) -> Result<(), ApiError> {
    let user = change.target;
    end(&app.store, &mut transaction, tenant, user).await?;
    let users = Whose::Users(vec![user.to_owned()]);
    audit::record(&mut transaction, by, change).await?;
    directory::record(&mut transaction, tenant, &users).await?;
    app.store.notify(&mut transaction).await?;
    transaction.commit().await?;
    directory::tell(app).await;
    Ok(())
}

/// End all step-up tokens of the caller, as at a logout.
#[utoipa::path(post, path = "/step-up/end", tag = "step-up",
    security(("bearer" = ["user"])),
    responses((status = 204), (status = 403, body = Problem)))]
pub(crate) async fn end_own(
    State(app): State<App>,
    User { by, person }: User,
) -> Result<StatusCode, ApiError> {
    let transaction = app.store.begin().await?;
    let change = Change {
        action: "step-up.end",
        target: &person.user,
        before: None,
        after: None,
    };
    end_with(&app, transaction, &by, &person.tenant, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
