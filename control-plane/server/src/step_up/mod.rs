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
pub(crate) use spend::{answer_spend, use_own};
pub(crate) use token::{Granted, Proof, make};

use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Person, Principal, User};
use crate::directory::{self, Whose};
use crate::error::{ApiError, Problem};
use crate::store::{Store, now};

/// How long rows of tokens and ceremonies that are over are kept.
const KEPT: Duration = Duration::from_secs(3600);

/// Seconds since the epoch.
pub(crate) fn seconds() -> u64 {
    u64::try_from(now() / 1000).unwrap_or_default()
}

/// Ends all step-up tokens of a user: those that were made until now, this
/// second included, and those of a replica whose clock is ahead of ours.
pub(crate) async fn end(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    user: &str,
) -> Result<(), sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(made_at) FROM step_up_tokens WHERE tenant = $1 AND user_id = $2",
    )
    .bind(tenant)
    .bind(user)
    .fetch_one(&mut **transaction)
    .await?;
    let from = last.unwrap_or_default().max(now() / 1000) + 1;
    sqlx::query(
        "INSERT INTO step_up_ends (tenant, user_id, tokens_from) VALUES ($1, $2, $3) \
         ON CONFLICT (tenant, user_id) DO UPDATE SET tokens_from = CASE \
           WHEN step_up_ends.tokens_from > EXCLUDED.tokens_from \
           THEN step_up_ends.tokens_from ELSE EXCLUDED.tokens_from END",
    )
    .bind(tenant)
    .bind(user)
    .bind(from)
    .execute(&mut **transaction)
    .await?;
    sqlx::query("DELETE FROM ceremonies WHERE tenant = $1 AND user_id = $2")
        .bind(tenant)
        .bind(user)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// From when on tokens of a user count, in seconds.
pub(crate) async fn tokens_from(
    connection: &mut AnyConnection,
    tenant: &str,
    user: &str,
) -> Result<u64, sqlx::Error> {
    let from: Option<i64> = sqlx::query_scalar(
        "SELECT tokens_from FROM step_up_ends WHERE tenant = $1 AND user_id = $2",
    )
    .bind(tenant)
    .bind(user)
    .fetch_optional(connection)
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
/// remember tokens that count more than once, so they are told.
pub(crate) async fn end_with(
    app: &App,
    mut transaction: Transaction<'static, Any>,
    by: &Principal,
    person: &Person,
    action: &'static str,
    before: Option<&str>,
) -> Result<(), ApiError> {
    end(&mut transaction, &person.tenant, &person.user).await?;
    let change = Change {
        action,
        target: &person.user,
        before,
        after: None,
    };
    audit::record(&mut transaction, by, change).await?;
    let users = Whose::Users(vec![person.user.clone()]);
    directory::record(&mut transaction, &person.tenant, &users).await?;
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
    end_with(&app, transaction, &by, &person, "step-up.end", None).await?;
    Ok(StatusCode::NO_CONTENT)
}
