//! Snapshots: compiled from what is stored, and published to proxies.

mod compile;
mod publish;
mod published;
mod rekey;
mod shared_read;

use axum::extract::State;
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

pub(crate) use publish::{
    __path_preview, __path_publish, __path_roll_back, preview, publish, roll_back,
};
pub(crate) use published::{Form, Publication, Publications};
pub(crate) use rekey::{Rekeying, graphs, rekey};

use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path, Query};
use crate::page::{Page, PageQuery};

/// A publication.
#[derive(Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedPublication {
    pub(crate) number: i64,
    /// SHA-256 of the snapshot.
    pub(crate) revision: String,
    pub(crate) published_at: i64,
    pub(crate) published_by: String,
}

/// List a graph's publications, the last first.
#[utoipa::path(get, path = "/snapshots/{graph}", tag = "snapshots",
    security(("bearer" = ["viewer"])), params(("graph" = String, Path), PageQuery),
    responses((status = 200, body = Page<ListedPublication>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ListedPublication>>, ApiError> {
    by.require(Role::Viewer)?;
    let limit = page.limit()?;
    let publications: Vec<ListedPublication> = sqlx::query_as(
        "SELECT number, revision, published_at, published_by FROM publications \
         WHERE graph = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
    )
    .bind(graph)
    .bind(page.before()?)
    .bind(limit)
    .fetch_all(app.store.pool())
    .await?;
    let number = |one: &ListedPublication| one.number.to_string();
    Ok(Json(Page::new(publications, limit, number)))
}

/// Get a snapshot's bytes, as `ig snapshot inspect` and `diff` read them.
#[utoipa::path(get, path = "/snapshots/{graph}/{revision}", tag = "snapshots",
    security(("bearer" = ["viewer"])),
    params(("graph" = String, Path), ("revision" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = Problem),
    ))]
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path((graph, revision)): Path<(String, String)>,
) -> Result<Vec<u8>, ApiError> {
    by.require(Role::Viewer)?;
    sqlx::query_scalar("SELECT bytes FROM snapshots WHERE graph = $1 AND revision = $2")
        .bind(graph)
        .bind(revision.as_str())
        .fetch_optional(app.store.pool())
        .await?
        .ok_or_else(|| ApiError::NotFound(format!("the snapshot {revision}")))
}
