//! Schemas by graph and tag. A tag means one schema for ever.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ig_schema::{Limits, Schema};
use serde::Serialize;
use sqlx::FromRow;

use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::store::{is_conflict, now};

#[derive(Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    tag: String,
    created_at: i64,
    created_by: String,
}

/// `PUT /schemas/{graph}/{tag}`: SDL.
pub(crate) async fn push(
    State(app): State<App>,
    by: Principal,
    Path((graph, tag)): Path<(String, String)>,
    sdl: String,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Publisher)?;
    if !is_name(&graph) || !is_name(&tag) {
        return Err(ApiError::invalid(
            "a graph or tag has 1 to 64 letters, digits, `.`, `_` or `-`",
        ));
    }
    let parsed = sdl.clone();
    tokio::task::spawn_blocking(move || Schema::parse(&parsed, Limits::SCHEMA).map(drop))
        .await
        .map_err(ApiError::Task)?
        .map_err(|error| ApiError::Invalid(error.to_string().lines().map(Into::into).collect()))?;
    let mut transaction = app.store.begin().await?;
    let inserted = sqlx::query(
        "INSERT INTO schemas (graph, tag, sdl, created_at, created_by) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(graph.as_str())
    .bind(tag.as_str())
    .bind(sdl.as_str())
    .bind(now())
    .bind(by.name.as_str())
    .execute(&mut *transaction)
    .await;
    match inserted {
        Ok(_) => {}
        Err(error) if is_conflict(&error) => {
            drop(transaction);
            // The same again is no change: pushes may be repeated.
            return match find(&app, &graph, &tag).await? == sdl {
                true => Ok(StatusCode::OK),
                false => Err(ApiError::Conflict(format!(
                    "{graph}/{tag} is another schema already; push it under a new tag"
                ))),
            };
        }
        Err(error) => return Err(error.into()),
    }
    let target = format!("{graph}/{tag}");
    let change = Change {
        action: "schema.push",
        target: &target,
        before: None,
        after: None,
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(StatusCode::CREATED)
}

/// `GET /schemas/{graph}`: tags, the last first.
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
) -> Result<Json<Vec<Listed>>, ApiError> {
    by.require(Role::Viewer)?;
    let tags = sqlx::query_as(
        "SELECT tag, created_at, created_by FROM schemas WHERE graph = $1 \
         ORDER BY created_at DESC, tag",
    )
    .bind(graph)
    .fetch_all(app.store.read())
    .await?;
    Ok(Json(tags))
}

/// `GET /schemas/{graph}/{tag}`: SDL.
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path((graph, tag)): Path<(String, String)>,
) -> Result<String, ApiError> {
    by.require(Role::Viewer)?;
    find(&app, &graph, &tag).await
}

/// The SDL of a tag.
pub(crate) async fn find(app: &App, graph: &str, tag: &str) -> Result<String, ApiError> {
    sqlx::query_scalar("SELECT sdl FROM schemas WHERE graph = $1 AND tag = $2")
        .bind(graph)
        .bind(tag)
        .fetch_optional(app.store.read())
        .await?
        .ok_or_else(|| ApiError::NotFound(format!("the schema {graph}/{tag}")))
}
