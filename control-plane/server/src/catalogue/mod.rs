//! The operations of a graph. An id means one text for ever, also once it is
//! retired.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use ig_schema::catalogue::{Catalogue, Entry, Import, Reject, import};
use ig_schema::{Limits, Schema};
use serde::{Deserialize, Serialize};
use sqlx::{Any, FromRow, Transaction};

use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::schemas;
use crate::store::now;

#[derive(Deserialize)]
pub(crate) struct Push {
    /// The schema that every operation has to be valid for.
    tag: String,
    /// The only client that may use them.
    client: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pushed {
    accepted: usize,
    added: usize,
    duplicates: Vec<String>,
    /// Ids that were retired before: they are not let through again.
    retired: Vec<String>,
}

#[derive(Serialize, FromRow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed {
    id: String,
    document: String,
    clients: String,
    created_at: i64,
    created_by: String,
    retired_at: Option<i64>,
}

/// An operation to be stored under one id.
struct Row {
    id: String,
    text: String,
    clients: Vec<String>,
}

/// `POST /catalogue/{graph}?tag=…`: a catalogue of any format. All of it, or
/// nothing.
pub(crate) async fn push(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
    Query(push): Query<Push>,
    body: String,
) -> Result<(StatusCode, Json<Pushed>), ApiError> {
    by.require(Role::Publisher)?;
    let sdl = schemas::find(&app, &graph, &push.tag).await?;
    let import = tokio::task::spawn_blocking(move || compile(&sdl, &body))
        .await
        .map_err(ApiError::Task)??;
    if !import.rejected.is_empty() {
        return Err(ApiError::Invalid(
            import.rejected.iter().map(describe).collect(),
        ));
    }
    let clients: Vec<String> = push.client.into_iter().collect();
    let accepted = import.accepted.len();
    let mut rows = Vec::new();
    for document in import.accepted {
        let by_hash = document.hash.to_string();
        for id in document.aliases.into_iter().chain([by_hash]) {
            rows.push(Row {
                id,
                text: document.text.clone(),
                clients: clients.clone(),
            });
        }
    }
    let mut transaction = app.store.begin().await?;
    let inserted = insert(&mut transaction, &graph, &by, rows).await?;
    let after = format!("{} added", inserted.added);
    let change = Change {
        action: "catalogue.push",
        target: &graph,
        before: None,
        after: Some(&after),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    let pushed = Pushed {
        accepted,
        added: inserted.added,
        duplicates: import.duplicates,
        retired: inserted.retired,
    };
    Ok((StatusCode::OK, Json(pushed)))
}

/// What a push did.
#[derive(Default)]
struct Inserted {
    added: usize,
    /// Ids that were retired, and stay so.
    retired: Vec<String>,
}

async fn insert(
    transaction: &mut Transaction<'static, Any>,
    graph: &str,
    by: &Principal,
    rows: Vec<Row>,
) -> Result<Inserted, ApiError> {
    let mut inserted = Inserted::default();
    let mut conflicts = Vec::new();
    for row in rows {
        let clients = serde_json::to_string(&row.clients).map_err(ApiError::invalid)?;
        let there: Option<(String, String, Option<i64>)> = sqlx::query_as(
            "SELECT document, clients, retired_at FROM operations WHERE graph = $1 AND id = $2",
        )
        .bind(graph)
        .bind(row.id.as_str())
        .fetch_optional(&mut **transaction)
        .await?;
        match there {
            Some((text, known, _)) if (&text, &known) != (&row.text, &clients) => {
                conflicts.push(row.id);
            }
            Some((_, _, Some(_))) => inserted.retired.push(row.id),
            Some((_, _, None)) => {}
            None => {
                add(transaction, graph, by, row, &clients).await?;
                inserted.added += 1;
            }
        }
    }
    match conflicts.is_empty() {
        true => Ok(inserted),
        false => Err(ApiError::Conflict(format!(
            "these ids mean another text, or are for other clients, and always will: {}",
            conflicts.join(", ")
        ))),
    }
}

async fn add(
    transaction: &mut Transaction<'static, Any>,
    graph: &str,
    by: &Principal,
    row: Row,
    clients: &str,
) -> Result<(), ApiError> {
    sqlx::query(
        "INSERT INTO operations (graph, id, document, clients, created_at, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(graph)
    .bind(row.id)
    .bind(row.text)
    .bind(clients)
    .bind(now())
    .bind(by.name.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn compile(sdl: &str, body: &str) -> Result<Import, ApiError> {
    let schema = Schema::parse(sdl, Limits::SCHEMA).map_err(ApiError::invalid)?;
    let catalogue = Catalogue::parse(body, None, Limits::CATALOGUE).map_err(ApiError::invalid)?;
    Ok(import(&schema, catalogue, Limits::DOCUMENT, &mut |_, _| ()))
}

fn describe(reject: &Reject) -> String {
    let name = reject
        .name
        .as_deref()
        .or(reject.ids.first().map(String::as_str));
    let reasons: Vec<_> = reject.reasons.iter().map(ToString::to_string).collect();
    format!("{}: {}", name.unwrap_or("an operation"), reasons.join("; "))
}

/// `GET /catalogue/{graph}`
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
) -> Result<Json<Vec<Listed>>, ApiError> {
    by.require(Role::Viewer)?;
    let listed = sqlx::query_as(
        "SELECT id, document, clients, created_at, created_by, retired_at FROM operations \
         WHERE graph = $1 ORDER BY id",
    )
    .bind(graph)
    .fetch_all(app.store.read())
    .await?;
    Ok(Json(listed))
}

/// `DELETE /catalogue/{graph}/{id}`: retires its document under every id, since
/// the hash of the text is one too. The ids stay taken.
pub(crate) async fn retire(
    State(app): State<App>,
    by: Principal,
    Path((graph, id)): Path<(String, String)>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Publisher)?;
    let mut transaction = app.store.begin().await?;
    let retired = sqlx::query(
        "UPDATE operations SET retired_at = $1 WHERE graph = $2 AND retired_at IS NULL AND document = \
         (SELECT document FROM operations WHERE graph = $2 AND id = $3)",
    )
    .bind(now())
    .bind(graph.as_str())
    .bind(id.as_str())
    .execute(&mut *transaction)
    .await?;
    if retired.rows_affected() == 0 {
        return Err(ApiError::NotFound(format!("the operation {id} of {graph}")));
    }
    let target = format!("{graph}/{id}");
    let change = Change {
        action: "catalogue.retire",
        target: &target,
        before: Some("active"),
        after: Some("retired"),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Everything that is not retired, as one catalogue.
pub(crate) async fn active(app: &App, graph: &str) -> Result<Catalogue, ApiError> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT id, document, clients FROM operations WHERE graph = $1 AND retired_at IS NULL \
         ORDER BY id",
    )
    .bind(graph)
    .fetch_all(app.store.read())
    .await?;
    let mut by_text: BTreeMap<String, Entry> = BTreeMap::new();
    for (id, text, clients) in rows {
        // An unreadable list is not "every client".
        let clients = serde_json::from_str(&clients)
            .map_err(|_| ApiError::Conflict(format!("the clients of {id} are not readable")))?;
        let entry = by_text.entry(text.clone()).or_insert_with(|| Entry {
            ids: Vec::new(),
            text,
            clients,
            claims: Vec::new(),
            origin: None,
        });
        entry.ids.push(id);
    }
    Ok(Catalogue {
        entries: by_text.into_values().collect(),
        ..Catalogue::default()
    })
}
