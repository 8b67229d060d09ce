//! Graphs: their settings, and which schema and bundle are in force.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::store::now;
use crate::{policies, schemas};

/// A graph.
#[derive(Clone, Serialize, Deserialize, FromRow)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Graph {
    /// `guard.toml` without `version`, `graph`, `schema-tag` and tenants.
    pub(crate) settings: String,
    /// Tag of the schema that operations are compiled on.
    pub(crate) schema_tag: String,
    /// Revision of the policy bundle.
    pub(crate) bundle: String,
}

/// `PUT /graphs/{graph}`
pub(crate) async fn put(
    State(app): State<App>,
    by: Principal,
    Path(name): Path<String>,
    Json(graph): Json<Graph>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Publisher)?;
    if !is_name(&name) {
        return Err(ApiError::invalid("the graph's name is not valid"));
    }
    // Tenants may be none as yet, so only the syntax is judged here; the
    // whole is judged when it is published.
    let table: Result<toml::Table, _> = graph.settings.parse();
    let table = table.map_err(ApiError::invalid)?;
    for key in ["version", "graph", "schema-tag", "tenants"] {
        if table.contains_key(key) {
            return Err(ApiError::invalid(format!(
                "settings.{key}: is said elsewhere"
            )));
        }
    }
    schemas::find(&app, &name, &graph.schema_tag).await?;
    policies::find(&app, &graph.bundle).await?;
    let before = read(&app, &name).await?;
    let mut transaction = app.store.begin().await?;
    sqlx::query(
        "INSERT INTO graphs (name, settings, schema_tag, bundle, changed_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (name) DO UPDATE SET settings = excluded.settings, \
         schema_tag = excluded.schema_tag, bundle = excluded.bundle, changed_at = excluded.changed_at",
    )
    .bind(name.as_str())
    .bind(graph.settings.as_str())
    .bind(graph.schema_tag.as_str())
    .bind(graph.bundle.as_str())
    .bind(now())
    .execute(&mut *transaction)
    .await?;
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

/// `GET /graphs/{graph}`
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path(name): Path<String>,
) -> Result<Json<Graph>, ApiError> {
    by.require(Role::Viewer)?;
    find(&app, &name).await.map(Json)
}

async fn read(app: &App, name: &str) -> Result<Option<Graph>, ApiError> {
    Ok(
        sqlx::query_as("SELECT settings, schema_tag, bundle FROM graphs WHERE name = $1")
            .bind(name)
            .fetch_optional(app.store.read())
            .await?,
    )
}

/// A graph that is there.
pub(crate) async fn find(app: &App, name: &str) -> Result<Graph, ApiError> {
    let graph = read(app, name).await?;
    graph.ok_or_else(|| ApiError::NotFound(format!("the graph {name}")))
}
