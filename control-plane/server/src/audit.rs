//! Who changed what: a row in the transaction of the change.

use axum::Json;
use axum::extract::{Query, State};
use serde::{Deserialize, Serialize};
use sqlx::{Any, FromRow, Transaction};

use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::store::now;

/// One change.
pub(crate) struct Change<'a> {
    pub(crate) action: &'static str,
    pub(crate) target: &'a str,
    pub(crate) before: Option<&'a str>,
    pub(crate) after: Option<&'a str>,
}

/// Records a change.
pub(crate) async fn record(
    transaction: &mut Transaction<'static, Any>,
    by: &Principal,
    change: Change<'_>,
) -> Result<(), ApiError> {
    sqlx::query(
        "INSERT INTO audit (at, actor, action, target, before, after) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(now())
    .bind(by.name.as_str())
    .bind(change.action)
    .bind(change.target)
    .bind(change.before)
    .bind(change.after)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

#[derive(Deserialize)]
pub(crate) struct Page {
    /// Entries before this number.
    before: Option<i64>,
}

#[derive(Serialize, FromRow)]
pub(crate) struct Entry {
    number: i64,
    at: i64,
    actor: String,
    action: String,
    target: String,
    before: Option<String>,
    after: Option<String>,
}

const PAGE: i64 = 100;

/// `GET /audit`: the last first.
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Query(page): Query<Page>,
) -> Result<Json<Vec<Entry>>, ApiError> {
    by.require(Role::Viewer)?;
    let entries = sqlx::query_as(
        "SELECT number, at, actor, action, target, before, after FROM audit \
         WHERE number < $1 ORDER BY number DESC LIMIT $2",
    )
    .bind(page.before.unwrap_or(i64::MAX))
    .bind(PAGE)
    .fetch_all(app.store.read())
    .await?;
    Ok(Json(entries))
}
