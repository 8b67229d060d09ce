//! Snapshots: compiled from what is stored, and published to proxies.

mod compile;
mod published;

use axum::Json;
use axum::extract::{Path, State};
use serde::Serialize;
use sqlx::FromRow;

pub(crate) use published::{Publication, Published};

use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::store::now;

/// A publication, as it is answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Answer {
    revision: String,
    operations: usize,
    documents: usize,
    bytes: usize,
    /// Whether proxies get something they did not have.
    changed: bool,
}

#[derive(Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    number: i64,
    revision: String,
    published_at: i64,
    published_by: String,
}

/// `POST /snapshots/{graph}`: compiles what is stored, and publishes it.
pub(crate) async fn publish(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
) -> Result<Json<Answer>, ApiError> {
    by.require(Role::Publisher)?;
    let compiled = compile::compile(&app, &graph).await?;
    let revision = compiled.snapshot.revision().to_string();
    let mut transaction = app.store.begin().await?;
    let before: Option<String> = sqlx::query_scalar(
        "SELECT revision FROM publications WHERE graph = $1 ORDER BY number DESC LIMIT 1",
    )
    .bind(graph.as_str())
    .fetch_optional(&mut *transaction)
    .await?;
    let changed = before.as_deref() != Some(revision.as_str());
    if changed {
        sqlx::query(
            "INSERT INTO snapshots (revision, graph, bytes, created_at) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (revision) DO NOTHING",
        )
        .bind(revision.as_str())
        .bind(graph.as_str())
        .bind(compiled.bytes.clone())
        .bind(now())
        .execute(&mut *transaction)
        .await?;
        sqlx::query(
            "INSERT INTO publications (graph, revision, published_at, published_by) \
             VALUES ($1, $2, $3, $4)",
        )
        .bind(graph.as_str())
        .bind(revision.as_str())
        .bind(now())
        .bind(by.name.as_str())
        .execute(&mut *transaction)
        .await?;
        let change = Change {
            action: "snapshot.publish",
            target: &graph,
            before: before.as_deref(),
            after: Some(&revision),
        };
        audit::record(&mut transaction, &by, change).await?;
    }
    transaction.commit().await?;
    // Proxies see it only once it is durable.
    app.published.follow(&app.store).await?;
    Ok(Json(Answer {
        revision,
        operations: compiled.snapshot.operation_count(),
        documents: compiled.snapshot.document_count(),
        bytes: compiled.bytes.len(),
        changed,
    }))
}

/// `GET /snapshots/{graph}`: publications, the last first.
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
) -> Result<Json<Vec<Listed>>, ApiError> {
    by.require(Role::Viewer)?;
    let listed = sqlx::query_as(
        "SELECT number, revision, published_at, published_by FROM publications \
         WHERE graph = $1 ORDER BY number DESC LIMIT 100",
    )
    .bind(graph)
    .fetch_all(app.store.read())
    .await?;
    Ok(Json(listed))
}

/// `GET /snapshots/{graph}/{revision}`: its bytes.
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path((graph, revision)): Path<(String, String)>,
) -> Result<Vec<u8>, ApiError> {
    by.require(Role::Viewer)?;
    sqlx::query_scalar("SELECT bytes FROM snapshots WHERE graph = $1 AND revision = $2")
        .bind(graph)
        .bind(revision.as_str())
        .fetch_optional(app.store.read())
        .await?
        .ok_or_else(|| ApiError::NotFound(format!("the snapshot {revision}")))
}
