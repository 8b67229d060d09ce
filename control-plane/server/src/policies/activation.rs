//! Which bundle is in force for a graph, and which was before.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use sqlx::{Any, FromRow, Transaction};
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};
use crate::store::now;

/// A bundle to put in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Activate {
    /// Its revision; the one that was in force before, by default.
    revision: Option<String>,
}

/// What is in force from the next publication on.
#[derive(Serialize, ToSchema)]
pub(crate) struct Activated {
    revision: String,
    before: String,
}

/// A bundle that was put in force.
#[derive(Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Activation {
    number: i64,
    bundle: String,
    activated_at: i64,
    activated_by: String,
}

/// Put a bundle in force for a graph; without a revision, the one before.
///
/// Proxies get it with the next publication.
#[utoipa::path(put, path = "/graphs/{graph}/bundle", tag = "policies",
    security(("bearer" = ["publisher"])), params(("graph" = String, Path)),
    request_body = Activate,
    responses(
        (status = 200, body = Activated),
        (status = 404, body = Problem),
        (status = 409, description = "There is none before", body = Problem),
    ))]
pub(crate) async fn activate(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
    Json(activate): Json<Activate>,
) -> Result<Json<Activated>, ApiError> {
    by.require(Role::Publisher)?;
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, &graph).await?;
    let before: Option<String> = sqlx::query_scalar("SELECT bundle FROM graphs WHERE name = $1")
        .bind(graph.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
    let before = before.ok_or_else(|| ApiError::NotFound(format!("the graph {graph}")))?;
    let revision = match activate.revision {
        Some(revision) => revision,
        None => previous(&mut transaction, &graph, &before).await?,
    };
    super::find(&mut transaction, &revision).await?;
    if revision != before {
        sqlx::query("UPDATE graphs SET bundle = $1, changed_at = $2 WHERE name = $3")
            .bind(revision.as_str())
            .bind(now())
            .bind(graph.as_str())
            .execute(&mut *transaction)
            .await?;
        record(&mut transaction, &by, &graph, &revision).await?;
        let change = Change {
            action: "policy.activate",
            target: &graph,
            before: Some(&before),
            after: Some(&revision),
        };
        audit::record(&mut transaction, &by, change).await?;
    }
    transaction.commit().await?;
    Ok(Json(Activated { revision, before }))
}

async fn previous(
    transaction: &mut Transaction<'static, Any>,
    graph: &str,
    current: &str,
) -> Result<String, ApiError> {
    let before: Option<String> = sqlx::query_scalar(
        "SELECT bundle FROM activations WHERE graph = $1 AND bundle <> $2 \
         ORDER BY number DESC LIMIT 1",
    )
    .bind(graph)
    .bind(current)
    .fetch_optional(&mut **transaction)
    .await?;
    before.ok_or_else(|| ApiError::Conflict(format!("{graph} had no other bundle before")))
}

/// Writes down that a bundle came into force.
pub(crate) async fn record(
    transaction: &mut Transaction<'static, Any>,
    by: &Principal,
    graph: &str,
    bundle: &str,
) -> Result<(), ApiError> {
    sqlx::query(
        "INSERT INTO activations (graph, bundle, activated_at, activated_by) \
         VALUES ($1, $2, $3, $4)",
    )
    .bind(graph)
    .bind(bundle)
    .bind(now())
    .bind(by.name.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// List which bundles were in force for a graph, the last first.
#[utoipa::path(get, path = "/graphs/{graph}/bundle", tag = "policies",
    security(("bearer" = ["viewer"])), params(("graph" = String, Path)),
    responses((status = 200, body = Vec<Activation>)))]
pub(crate) async fn activations(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
) -> Result<Json<Vec<Activation>>, ApiError> {
    by.require(Role::Viewer)?;
    let all = sqlx::query_as(
        "SELECT number, bundle, activated_at, activated_by FROM activations \
         WHERE graph = $1 ORDER BY number DESC LIMIT 100",
    )
    .bind(graph)
    .fetch_all(app.store.pool())
    .await?;
    Ok(Json(all))
}
