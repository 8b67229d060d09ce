//! Graphs: their settings, and which schema and bundle are in force.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use utoipa::ToSchema;

use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};
use crate::store::now;
use crate::{policies, schemas};

/// A graph.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Graph {
    /// `guard.toml` without `version`, `graph`, `schema-tag` and tenants.
    pub(crate) settings: String,
    /// Tag of the schema that operations are compiled on.
    pub(crate) schema_tag: String,
    /// Revision of the policy bundle.
    pub(crate) bundle: String,
    /// Identities, of their certificates, of the proxies that may have its
    /// snapshots; `*` at the end stands for anything. Empty is every proxy.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub(crate) proxies: BTreeSet<String>,
}

/// Put a graph: settings, and what is in force from the next publication on.
#[utoipa::path(put, path = "/graphs/{graph}", tag = "graphs",
    security(("bearer" = ["publisher"])), params(("graph" = String, Path)),
    request_body = Graph,
    responses(
        (status = 204),
        (status = 404, description = "No such schema or bundle", body = Problem),
    ))]
pub(crate) async fn put(
    State(app): State<App>,
    by: Principal,
    Path(name): Path<String>,
    Json(graph): Json<Graph>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Publisher)?;
    check(&name, &graph)?;
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, &name).await?;
    schemas::find(&mut transaction, &name, &graph.schema_tag).await?;
    policies::find(&mut transaction, &graph.bundle).await?;
    let before = read(&mut transaction, &name).await?;
    if before.as_ref() == Some(&graph) {
        return Ok(StatusCode::NO_CONTENT);
    }
    let proxies = serde_json::to_string(&graph.proxies).map_err(ApiError::invalid)?;
    sqlx::query(
        "INSERT INTO graphs (name, settings, schema_tag, bundle, proxies, changed_at) \
         VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, \
         schema_tag = excluded.schema_tag, bundle = excluded.bundle, \
         proxies = excluded.proxies, changed_at = excluded.changed_at",
    )
    .bind(name.as_str())
    .bind(graph.settings.as_str())
    .bind(graph.schema_tag.as_str())
    .bind(graph.bundle.as_str())
    .bind(proxies)
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    if before.as_ref().map(|before| &before.bundle) != Some(&graph.bundle) {
        policies::record(&mut transaction, &by, &name, &graph.bundle).await?;
    }
    let json = |graph: &Graph| serde_json::to_string(graph).unwrap_or_default();
    let (before, after) = (before.as_ref().map(json), json(&graph));
    let change = Change {
        action: "graph.put",
        target: &name,
        before: before.as_deref(),
        after: Some(&after),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Tenants may be none as yet, so only the syntax is judged here; the whole is
/// judged when it is published.
fn check(name: &str, graph: &Graph) -> Result<(), ApiError> {
    if !is_name(name) {
        return Err(ApiError::invalid("the graph's name is not valid"));
    }
    let table: Result<toml::Table, _> = graph.settings.parse();
    let table = table.map_err(ApiError::invalid)?;
    for key in ["version", "graph", "schema-tag", "tenants"] {
        if table.contains_key(key) {
            return Err(ApiError::invalid(format!(
                "settings.{key}: is said elsewhere"
            )));
        }
    }
    Ok(())
}

/// Get a graph.
#[utoipa::path(get, path = "/graphs/{graph}", tag = "graphs",
    security(("bearer" = ["viewer"])), params(("graph" = String, Path)),
    responses((status = 200, body = Graph), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path(name): Path<String>,
) -> Result<Json<Graph>, ApiError> {
    by.require(Role::Viewer)?;
    let mut connection = app.store.pool().acquire().await?;
    find(&mut connection, &name).await.map(Json)
}

/// List the names of graphs.
#[utoipa::path(get, path = "/graphs", tag = "graphs", security(("bearer" = ["viewer"])),
    responses((status = 200, body = Vec<String>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<String>>, ApiError> {
    by.require(Role::Viewer)?;
    let names = sqlx::query_scalar("SELECT name FROM graphs ORDER BY name")
        .fetch_all(app.store.pool())
        .await?;
    Ok(Json(names))
}

async fn read(connection: &mut AnyConnection, name: &str) -> Result<Option<Graph>, ApiError> {
    let row: Option<(String, String, String, String)> =
        sqlx::query_as("SELECT settings, schema_tag, bundle, proxies FROM graphs WHERE name = $1")
            .bind(name)
            .fetch_optional(connection)
            .await?;
    let Some((settings, schema_tag, bundle, proxies)) = row else {
        return Ok(None);
    };
    // An unreadable list is not "every proxy".
    let proxies = serde_json::from_str(&proxies)
        .map_err(|_| ApiError::Conflict(format!("the proxies of {name} are not readable")))?;
    Ok(Some(Graph {
        settings,
        schema_tag,
        bundle,
        proxies,
    }))
}

/// A graph that is there.
pub(crate) async fn find(connection: &mut AnyConnection, name: &str) -> Result<Graph, ApiError> {
    let graph = read(connection, name).await?;
    graph.ok_or_else(|| ApiError::NotFound(format!("the graph {name}")))
}
