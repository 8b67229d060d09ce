//! Schemas by graph and tag. A tag means one schema for ever.

use axum::extract::State;
use axum::http::StatusCode;
use ig_schema::{Limits, Schema};
use serde::Serialize;
use sqlx::{AnyConnection, FromRow};
use utoipa::ToSchema;

use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path, Text};
use crate::store::{is_conflict, now};

/// A tag of a graph.
#[derive(Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedSchema {
    tag: String,
    created_at: i64,
    created_by: String,
}

/// Push a schema: SDL, under a tag that is its own for ever.
///
/// The same again is no change.
#[utoipa::path(put, path = "/schemas/{graph}/{tag}", tag = "schemas",
    security(("bearer" = ["publisher"])),
    params(("graph" = String, Path), ("tag" = String, Path)),
    request_body(content = String, content_type = "text/plain"),
    responses(
        (status = 200, description = "It was there already"),
        (status = 201, description = "It is there now"),
        (status = 409, description = "The tag is another schema", body = Problem),
    ))]
pub(crate) async fn push(
    State(app): State<App>,
    by: Principal,
    Path((graph, tag)): Path<(String, String)>,
    Text(sdl): Text,
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
            return match find(&mut *app.store.pool().acquire().await?, &graph, &tag).await? == sdl {
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

/// List a graph's tags, the last first.
#[utoipa::path(get, path = "/schemas/{graph}", tag = "schemas",
    security(("bearer" = ["viewer"])), params(("graph" = String, Path)),
    responses((status = 200, body = Vec<ListedSchema>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
) -> Result<Json<Vec<ListedSchema>>, ApiError> {
    by.require(Role::Viewer)?;
    let tags = sqlx::query_as(
        "SELECT tag, created_at, created_by FROM schemas WHERE graph = $1 \
         ORDER BY created_at DESC, tag",
    )
    .bind(graph)
    .fetch_all(app.store.pool())
    .await?;
    Ok(Json(tags))
}

/// Get a schema's SDL.
#[utoipa::path(get, path = "/schemas/{graph}/{tag}", tag = "schemas",
    security(("bearer" = ["viewer"])), params(("graph" = String, Path), ("tag" = String, Path)),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 404, body = Problem),
    ))]
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path((graph, tag)): Path<(String, String)>,
) -> Result<String, ApiError> {
    by.require(Role::Viewer)?;
    find(&mut *app.store.pool().acquire().await?, &graph, &tag).await
}

/// The SDL of a tag.
pub(crate) async fn find(
    connection: &mut AnyConnection,
    graph: &str,
    tag: &str,
) -> Result<String, ApiError> {
    sqlx::query_scalar("SELECT sdl FROM schemas WHERE graph = $1 AND tag = $2")
        .bind(graph)
        .bind(tag)
        .fetch_optional(connection)
        .await?
        .ok_or_else(|| ApiError::NotFound(format!("the schema {graph}/{tag}")))
}
