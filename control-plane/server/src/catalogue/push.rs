//! Pushing a catalogue: all of it, or nothing.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use ig_schema::catalogue::{Catalogue, CompiledDocument, Import, Reject, import};
use ig_schema::{Limits, Schema};
use serde::{Deserialize, Serialize};
use sqlx::{Any, Transaction};
use utoipa::{IntoParams, ToSchema};

use super::{read_clients, retire, write_clients};
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path, Query, Text};
use crate::schemas;
use crate::store::now;

/// How to push.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Push {
    /// The schema that every operation has to be valid for.
    tag: String,
    /// The only client that may use them. Another push may add clients.
    client: Option<String>,
    /// Retire what is not in this push: of the client, where there is one.
    #[serde(default)]
    replace: bool,
    /// Retire documents that were used lately, and more than a fifth of all.
    #[serde(default)]
    force: bool,
}

/// What a push did.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Pushed {
    /// Documents that are valid.
    accepted: usize,
    /// Documents that were not here before.
    added: usize,
    /// Documents that more clients may use than before.
    widened: usize,
    /// Ids that came more than once.
    duplicates: Vec<String>,
    /// Ids of documents that were retired before: they are not let through.
    retired: Vec<String>,
    /// Documents that this push retired, by hash.
    replaced: Vec<String>,
}

/// Push a catalogue, of any of the formats: Apollo's manifest, Relay's or
/// GraphQL Code Generator's map, or GraphQL documents.
#[utoipa::path(post, path = "/catalogue/{graph}", tag = "catalogue",
    security(("bearer" = ["publisher"])), params(("graph" = String, Path), Push),
    request_body(content = String, content_type = "text/plain"),
    responses(
        (status = 200, body = Pushed),
        (status = 404, description = "No such schema", body = Problem),
        (status = 409, description = "An id means another document, or too much would be retired",
            body = Problem),
    ))]
pub(crate) async fn push(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
    Query(push): Query<Push>,
    Text(body): Text,
) -> Result<Json<Pushed>, ApiError> {
    by.require(Role::Publisher)?;
    if push
        .client
        .as_deref()
        .is_some_and(|client| client.is_empty() || client.len() > 200)
    {
        return Err(ApiError::invalid("client: 1 to 200 characters"));
    }
    let mut connection = app.store.pool().acquire().await?;
    let sdl = schemas::find(&mut connection, &graph, &push.tag).await?;
    drop(connection);
    let import = tokio::task::spawn_blocking(move || compile(&sdl, &body))
        .await
        .map_err(ApiError::Task)??;
    if !import.rejected.is_empty() {
        return Err(ApiError::Invalid(
            import.rejected.iter().map(describe).collect(),
        ));
    }
    let mut pushed = Pushed {
        accepted: import.accepted.len(),
        added: 0,
        widened: 0,
        duplicates: import.duplicates,
        retired: Vec::new(),
        replaced: Vec::new(),
    };
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, &graph).await?;
    let mut insert = Insert {
        transaction: &mut transaction,
        graph: &graph,
        by: &by,
        client: push.client.as_deref(),
    };
    insert.all(&import.accepted, &mut pushed).await?;
    if push.replace {
        let kept = import.accepted.iter().map(|one| one.hash.to_string());
        let kept: BTreeSet<String> = kept.collect();
        let client = push.client.as_deref();
        pushed.replaced =
            retire::replace(&mut transaction, &graph, client, &kept, push.force).await?;
    }
    let after = serde_json::to_string(&serde_json::json!({
        "added": pushed.added, "widened": pushed.widened, "replaced": pushed.replaced,
        "client": push.client,
    }));
    let change = Change {
        action: "catalogue.push",
        target: &graph,
        before: None,
        after: after.as_deref().ok(),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(Json(pushed))
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

struct Insert<'a> {
    transaction: &'a mut Transaction<'static, Any>,
    graph: &'a str,
    by: &'a Principal,
    client: Option<&'a str>,
}

impl Insert<'_> {
    async fn all(
        &mut self,
        documents: &[CompiledDocument],
        pushed: &mut Pushed,
    ) -> Result<(), ApiError> {
        // Two queries for the whole graph in place of two for each document.
        let known: Vec<(String, String, Option<i64>)> =
            sqlx::query_as("SELECT hash, clients, retired_at FROM documents WHERE graph = $1")
                .bind(self.graph)
                .fetch_all(&mut **self.transaction)
                .await?;
        let known: BTreeMap<String, (String, Option<i64>)> = known
            .into_iter()
            .map(|(hash, clients, retired)| (hash, (clients, retired)))
            .collect();
        let ids: Vec<(String, String)> =
            sqlx::query_as("SELECT id, hash FROM document_ids WHERE graph = $1")
                .bind(self.graph)
                .fetch_all(&mut **self.transaction)
                .await?;
        let mut ids: BTreeMap<String, String> = ids.into_iter().collect();
        let mut conflicts = Vec::new();
        for document in documents {
            let hash = document.hash.to_string();
            match known.get(&hash) {
                None => {
                    self.add(&hash, &document.text).await?;
                    pushed.added += 1;
                }
                Some((_, Some(_))) => pushed.retired.push(hash.clone()),
                Some((clients, None)) => {
                    let clients = read_clients(&hash, clients)?;
                    pushed.widened += usize::from(self.widen(&hash, clients).await?);
                }
            }
            for id in document.aliases.iter().chain([&hash]) {
                match ids.get(id) {
                    Some(other) if *other == hash => {}
                    Some(_) => conflicts.push(id.clone()),
                    None => {
                        self.add_id(id, &hash).await?;
                        ids.insert(id.clone(), hash.clone());
                    }
                }
            }
        }
        match conflicts.is_empty() {
            true => Ok(()),
            false => Err(ApiError::Conflict(format!(
                "these ids mean another document, and always will: {}",
                conflicts.join(", ")
            ))),
        }
    }

    async fn add(&mut self, hash: &str, text: &str) -> Result<(), ApiError> {
        let clients: Vec<String> = self.client.map(Into::into).into_iter().collect();
        sqlx::query(
            "INSERT INTO documents (graph, hash, text, clients, created_at, created_by) \
             VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(self.graph)
        .bind(hash)
        .bind(text)
        .bind(write_clients(&clients)?)
        .bind(now())
        .bind(self.by.name.as_str())
        .execute(&mut **self.transaction)
        .await?;
        Ok(())
    }

    async fn add_id(&mut self, id: &str, hash: &str) -> Result<(), ApiError> {
        sqlx::query("INSERT INTO document_ids (graph, id, hash) VALUES ($1, $2, $3)")
            .bind(self.graph)
            .bind(id)
            .bind(hash)
            .execute(&mut **self.transaction)
            .await?;
        Ok(())
    }

    /// Lets another client, or every client, use a document too.
    async fn widen(&mut self, hash: &str, mut clients: Vec<String>) -> Result<bool, ApiError> {
        if clients.is_empty() {
            return Ok(false);
        }
        match self.client {
            None => clients.clear(),
            Some(client) if clients.iter().any(|one| one == client) => return Ok(false),
            Some(client) => clients.push(client.to_owned()),
        }
        clients.sort();
        sqlx::query("UPDATE documents SET clients = $1 WHERE graph = $2 AND hash = $3")
            .bind(write_clients(&clients)?)
            .bind(self.graph)
            .bind(hash)
            .execute(&mut **self.transaction)
            .await?;
        Ok(true)
    }
}
