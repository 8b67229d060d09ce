//! Taking documents away. Their ids stay taken.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use sqlx::{Any, Transaction};
use utoipa::IntoParams;

use super::{read_clients, write_clients};
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Path, Query};
use crate::store::now;

/// Who used a document within these days may still want it.
const USED_LATELY_MILLIS: i64 = 30 * 24 * 60 * 60 * 1000;
/// Largest share of a catalogue, in percent, that one push retires unforced:
/// more is a build that lost its operations.
const MAX_SHRINK_PERCENT: usize = 20;
/// Most hashes that an answer names.
const NAMED: usize = 20;

/// How to retire.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Retire {
    /// Also when it was used lately.
    #[serde(default)]
    force: bool,
}

/// Retire a document, by any of its ids, under all of them.
///
/// The ids stay taken: none of them will mean another document.
#[utoipa::path(delete, path = "/catalogue/{graph}/{id}", tag = "catalogue",
    security(("bearer" = ["publisher"])),
    params(("graph" = String, Path), ("id" = String, Path), Retire),
    responses(
        (status = 204),
        (status = 404, body = Problem),
        (status = 409, description = "It was used lately", body = Problem),
    ))]
pub(crate) async fn retire(
    State(app): State<App>,
    by: Principal,
    Path((graph, id)): Path<(String, String)>,
    Query(how): Query<Retire>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Publisher)?;
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, &graph).await?;
    let hash: Option<String> = sqlx::query_scalar(
        "SELECT d.hash FROM documents d JOIN document_ids i ON i.graph = d.graph AND i.hash = d.hash \
         WHERE d.graph = $1 AND i.id = $2 AND d.retired_at IS NULL",
    )
    .bind(graph.as_str())
    .bind(id.as_str())
    .fetch_optional(&mut *transaction)
    .await?;
    let hash = hash.ok_or_else(|| ApiError::NotFound(format!("the operation {id} of {graph}")))?;
    if !how.force {
        refuse_used(&mut transaction, &graph, &BTreeSet::from([hash.clone()])).await?;
    }
    set_retired(&mut transaction, &graph, &hash).await?;
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

/// Retires what a client, or everybody, has and `kept` has not.
pub(super) async fn replace(
    transaction: &mut Transaction<'static, Any>,
    graph: &str,
    client: Option<&str>,
    kept: &BTreeSet<String>,
    force: bool,
) -> Result<Vec<String>, ApiError> {
    let active: Vec<(String, String)> = sqlx::query_as(
        "SELECT hash, clients FROM documents WHERE graph = $1 AND retired_at IS NULL",
    )
    .bind(graph)
    .fetch_all(&mut **transaction)
    .await?;
    let mut own = Vec::new();
    for (hash, clients) in active {
        let clients = read_clients(&hash, &clients)?;
        let is_own = match client {
            None => clients.is_empty(),
            Some(client) => clients.iter().any(|one| one == client),
        };
        if is_own {
            own.push((hash, clients));
        }
    }
    let count = own.len();
    own.retain(|(hash, _)| !kept.contains(hash));
    if !force {
        if own.len() * 100 > count * MAX_SHRINK_PERCENT {
            return Err(ApiError::Conflict(format!(
                "{} of {count} documents would be retired, more than {MAX_SHRINK_PERCENT} %; \
                 if that is meant, push with force",
                own.len()
            )));
        }
        let hashes = own.iter().map(|(hash, _)| hash.clone()).collect();
        refuse_used(transaction, graph, &hashes).await?;
    }
    for (hash, clients) in &own {
        let rest: Vec<_> = clients
            .iter()
            .filter(|one| Some(one.as_str()) != client)
            .cloned()
            .collect();
        match rest.is_empty() {
            true => set_retired(transaction, graph, hash).await?,
            false => {
                sqlx::query("UPDATE documents SET clients = $1 WHERE graph = $2 AND hash = $3")
                    .bind(write_clients(&rest)?)
                    .bind(graph)
                    .bind(hash.as_str())
                    .execute(&mut **transaction)
                    .await?;
            }
        }
    }
    Ok(own.into_iter().map(|(hash, _)| hash).collect())
}

async fn set_retired(
    transaction: &mut Transaction<'static, Any>,
    graph: &str,
    hash: &str,
) -> Result<(), ApiError> {
    sqlx::query("UPDATE documents SET retired_at = $1 WHERE graph = $2 AND hash = $3")
        .bind(now())
        .bind(graph)
        .bind(hash)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

async fn refuse_used(
    transaction: &mut Transaction<'static, Any>,
    graph: &str,
    hashes: &BTreeSet<String>,
) -> Result<(), ApiError> {
    let used: Vec<String> = sqlx::query_scalar(
        "SELECT hash FROM document_uses WHERE graph = $1 AND last_used_at > $2 ORDER BY hash",
    )
    .bind(graph)
    .bind(now() - USED_LATELY_MILLIS)
    .fetch_all(&mut **transaction)
    .await?;
    let used: Vec<_> = used
        .into_iter()
        .filter(|hash| hashes.contains(hash))
        .collect();
    match used.is_empty() {
        true => Ok(()),
        false => Err(ApiError::Conflict(format!(
            "{} used within 30 days; if that is meant, use force: {}",
            used.len(),
            used[..used.len().min(NAMED)].join(", ")
        ))),
    }
}
