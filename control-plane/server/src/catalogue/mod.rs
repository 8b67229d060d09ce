//! The operations of a graph. An id means one document for ever, also once it
//! is retired.

mod active;
mod push;
mod retire;
mod uses;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(crate) use active::active;
pub(crate) use push::*;
pub(crate) use retire::*;
pub(crate) use uses::{Uses, record_uses};

use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::extract::{Json, Path, Query};
use crate::page::{Page, PageQuery};

/// Which documents to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Retired ones too.
    #[serde(default)]
    pub(crate) retired: bool,
}

/// A document.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedDocument {
    /// SHA-256 of the text, which is an id too.
    pub(crate) hash: String,
    pub(crate) ids: Vec<String>,
    pub(crate) text: String,
    /// The only clients that may use it; none is every client.
    pub(crate) clients: Vec<String>,
    pub(crate) created_at: i64,
    pub(crate) created_by: String,
    pub(crate) retired_at: Option<i64>,
    /// How often it was let through, as far as access logs came here.
    pub(crate) uses: i64,
    pub(crate) last_used_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Row {
    hash: String,
    text: String,
    clients: String,
    created_at: i64,
    created_by: String,
    retired_at: Option<i64>,
    uses: Option<i64>,
    last_used_at: Option<i64>,
}

/// List a graph's documents, by hash: ids, clients, and when each was last used.
#[utoipa::path(get, path = "/catalogue/{graph}", tag = "catalogue",
    security(("bearer" = ["viewer"])), params(("graph" = String, Path), Filter, PageQuery),
    responses((status = 200, body = Page<ListedDocument>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ListedDocument>>, ApiError> {
    by.require(Role::Viewer)?;
    let limit = page.limit()?;
    let after = page.cursor.unwrap_or_default();
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT d.hash, d.text, d.clients, d.created_at, d.created_by, d.retired_at, u.uses, \
         u.last_used_at FROM documents d \
         LEFT JOIN document_uses u ON u.graph = d.graph AND u.hash = d.hash \
         WHERE d.graph = $1 AND d.hash > $2 AND ($3 = 1 OR d.retired_at IS NULL) \
         ORDER BY d.hash LIMIT $4",
    )
    .bind(graph.as_str())
    .bind(after.as_str())
    .bind(i32::from(filter.retired))
    .bind(limit)
    .fetch_all(app.store.pool())
    .await?;
    let last = rows.last().map(|row| row.hash.clone()).unwrap_or_default();
    let ids: Vec<(String, String)> = sqlx::query_as(
        "SELECT hash, id FROM document_ids \
         WHERE graph = $1 AND hash > $2 AND hash <= $3 ORDER BY hash, id",
    )
    .bind(graph.as_str())
    .bind(after.as_str())
    .bind(last.as_str())
    .fetch_all(app.store.pool())
    .await?;
    let documents = rows.into_iter().map(|row| {
        let own = ids.iter().filter(|(hash, _)| *hash == row.hash);
        Ok(ListedDocument {
            ids: own.map(|(_, id)| id.clone()).collect(),
            clients: read_clients(&row.hash, &row.clients)?,
            hash: row.hash,
            text: row.text,
            created_at: row.created_at,
            created_by: row.created_by,
            retired_at: row.retired_at,
            uses: row.uses.unwrap_or_default(),
            last_used_at: row.last_used_at,
        })
    });
    let documents: Vec<_> = documents.collect::<Result<_, ApiError>>()?;
    let hash = |document: &ListedDocument| document.hash.clone();
    Ok(Json(Page::new(documents, limit, hash)))
}

/// An unreadable list is not "every client".
fn read_clients(hash: &str, clients: &str) -> Result<Vec<String>, ApiError> {
    serde_json::from_str(clients)
        .map_err(|_| ApiError::Conflict(format!("the clients of {hash} are not readable")))
}

fn write_clients(clients: &[String]) -> Result<String, ApiError> {
    serde_json::to_string(clients).map_err(ApiError::invalid)
}
