//! Publishing: what is stored, or a snapshot from before.

use axum::extract::State;
use serde::Serialize;
use sqlx::{Any, Transaction};
use utoipa::ToSchema;

use super::{compile, rekey};
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};
use crate::ledger::{self, Kind};
use crate::step_up;
use crate::store::now;

/// What proxies are to run now.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Published {
    /// SHA-256 of the snapshot.
    revision: String,
    /// The one before.
    before: Option<String>,
    operations: usize,
    documents: usize,
    bytes: usize,
    /// Whether proxies get something they did not have.
    changed: bool,
    /// What in the settings is valid, and hardly what was meant.
    remarks: Vec<String>,
}

/// Publications of a graph that are kept, with their snapshots: how far a
/// roll-back reaches. The audit trail keeps the revisions of all.
const KEPT: i64 = 100;

/// Those that only have other keys are no step back, and are kept beside.
const KEPT_REKEYED: i64 = 10;

/// How often a publication is tried again when another one came in between.
pub(super) const ATTEMPTS: usize = 4;

/// Compile what is stored, and publish it.
#[utoipa::path(post, path = "/snapshots/{graph}", tag = "snapshots",
    security(("bearer" = ["publisher"])), params(("graph" = String, Path)),
    responses(
        (status = 200, body = Published),
        (status = 404, body = Problem),
        (status = 409, description = "Others publish at the same time", body = Problem),
    ))]
pub(crate) async fn publish(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
) -> Result<Json<Published>, ApiError> {
    by.require(Role::Publisher)?;
    for _ in 0..ATTEMPTS {
        let (compiled, state) = compile::compile(&app, &graph).await?;
        let revision = compiled.snapshot.revision().to_string();
        let mut transaction = app.store.begin().await?;
        app.store.lock(&mut transaction, &graph).await?;
        let last = last(&mut transaction, &graph).await?;
        // What was compiled is older than what is published, or than the keys: read
        // it again.
        let keys = step_up::keys::public(&mut transaction).await?;
        let told = compiled.snapshot.head().step_up.as_ref();
        if last.as_ref().is_some_and(|last| last.state > state)
            || told.is_some_and(|told| told.keys != keys)
        {
            continue;
        }
        let before = last.map(|last| last.revision);
        let changed = before.as_deref() != Some(revision.as_str());
        if changed {
            store(&mut transaction, &graph, &revision, compiled.bytes.clone()).await?;
            let one = One {
                graph: &graph,
                revision: &revision,
                before: before.as_deref(),
                state,
            };
            insert(&app, transaction, &by, "snapshot.publish", one).await?;
        }
        return Ok(Json(Published {
            revision,
            before,
            operations: compiled.snapshot.operation_count(),
            documents: compiled.snapshot.document_count(),
            bytes: compiled.bytes.len(),
            changed,
            remarks: ig_snapshot::remarks(compiled.snapshot.head()),
        }));
    }
    Err(ApiError::Conflict(format!(
        "others publish {graph} at the same time; publish again"
    )))
}

/// Publish a snapshot from before again: a roll-back.
///
/// What is stored does not change; the next publication compiles it. Keys of
/// step-up tokens are those of now, not of then: with them it is another revision,
/// which the answer names.
#[utoipa::path(post, path = "/snapshots/{graph}/{revision}", tag = "snapshots",
    security(("bearer" = ["publisher"])),
    params(("graph" = String, Path), ("revision" = String, Path)),
    responses(
        (status = 200, body = Published),
        (status = 404, body = Problem),
        (status = 409, description = "Keys change at the same time", body = Problem),
    ))]
pub(crate) async fn roll_back(
    State(app): State<App>,
    by: Principal,
    Path((graph, revision)): Path<(String, String)>,
) -> Result<Json<Published>, ApiError> {
    by.require(Role::Publisher)?;
    for _ in 0..ATTEMPTS {
        let mut view = app.store.view().await?;
        let bytes = rekey::stored(&mut view, &graph, &revision).await?;
        let keys = step_up::keys::public(&mut view).await?;
        view.commit().await?;
        let bytes = bytes.ok_or_else(|| ApiError::NotFound(format!("the snapshot {revision}")))?;
        // Or keys would come back that have ended, one that was stolen among them.
        let keyed = rekey::keyed(bytes, keys.clone()).await?;
        let mut transaction = app.store.begin().await?;
        app.store.lock(&mut transaction, &graph).await?;
        if step_up::keys::public(&mut transaction).await? != keys {
            continue;
        }
        let revision = keyed.snapshot.revision().to_string();
        let last = last(&mut transaction, &graph).await?;
        let before = last.map(|last| last.revision);
        let changed = before.as_deref() != Some(revision.as_str());
        let size = keyed.bytes.len();
        if changed {
            store(&mut transaction, &graph, &revision, keyed.bytes).await?;
            let state = audit::last(&mut transaction).await?;
            let one = One {
                graph: &graph,
                revision: &revision,
                before: before.as_deref(),
                state,
            };
            insert(&app, transaction, &by, "snapshot.roll-back", one).await?;
        }
        return Ok(Json(Published {
            revision,
            before,
            operations: keyed.snapshot.operation_count(),
            documents: keyed.snapshot.document_count(),
            bytes: size,
            changed,
            remarks: ig_snapshot::remarks(keyed.snapshot.head()),
        }));
    }
    Err(ApiError::Conflict(
        "keys of step-up tokens change at the same time; roll back again".into(),
    ))
}

/// Compile what is stored without publishing it, to see what would change.
#[utoipa::path(get, path = "/graphs/{graph}/preview", tag = "snapshots",
    security(("bearer" = ["viewer"])), params(("graph" = String, Path)),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 404, body = Problem),
    ))]
pub(crate) async fn preview(
    State(app): State<App>,
    by: Principal,
    Path(graph): Path<String>,
) -> Result<Vec<u8>, ApiError> {
    by.require(Role::Viewer)?;
    let (compiled, _) = compile::compile(&app, &graph).await?;
    Ok(compiled.bytes)
}

#[derive(sqlx::FromRow)]
pub(super) struct Last {
    pub(super) number: i64,
    pub(super) revision: String,
    state: i64,
}

pub(super) async fn last(
    transaction: &mut Transaction<'static, Any>,
    graph: &str,
) -> Result<Option<Last>, sqlx::Error> {
    sqlx::query_as(
        "SELECT number, revision, state FROM publications WHERE graph = $1 ORDER BY number DESC LIMIT 1",
    )
    .bind(graph)
    .fetch_optional(&mut **transaction)
    .await
}

/// Keeps a snapshot; the same bytes are kept once.
#[tracing::instrument(name = "snapshots.store", skip_all)]
pub(super) async fn store(
    transaction: &mut Transaction<'static, Any>,
    graph: &str,
    revision: &str,
    bytes: Vec<u8>,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO snapshots (revision, graph, bytes, created_at) \
         VALUES ($1, $2, $3, $4) ON CONFLICT (revision) DO NOTHING",
    )
    .bind(revision)
    .bind(graph)
    .bind(bytes)
    .bind(now())
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

pub(super) struct One<'a> {
    pub(super) graph: &'a str,
    pub(super) revision: &'a str,
    pub(super) before: Option<&'a str>,
    pub(super) state: i64,
}

pub(super) async fn insert(
    app: &App,
    mut transaction: Transaction<'static, Any>,
    by: &Principal,
    action: &'static str,
    one: One<'_>,
) -> Result<(), ApiError> {
    sqlx::query(
        "INSERT INTO publications (graph, revision, state, published_at, published_by) \
         VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(one.graph)
    .bind(one.revision)
    .bind(one.state)
    .bind(now())
    .bind(by.name.as_str())
    .execute(&mut *transaction)
    .await?;
    prune(&mut transaction, one.graph).await?;
    let change = Change {
        action,
        target: one.graph,
        before: one.before,
        after: Some(one.revision),
    };
    audit::record(&mut transaction, by, change).await?;
    let release = ledger::release(one.revision);
    ledger::enqueue(&mut transaction, Kind::Release, &release).await?;
    app.store.notify(&mut transaction).await?;
    transaction.commit().await?;
    // Proxies see it only once it is durable.
    app.published.follow(&app.store).await?;
    app.metrics.publications.inc();
    Ok(())
}

async fn prune(
    transaction: &mut Transaction<'static, Any>,
    graph: &str,
) -> Result<(), sqlx::Error> {
    let old = [
        (
            "DELETE FROM publications WHERE graph = $1 AND number <= \
             (SELECT number FROM publications WHERE graph = $1 AND published_by <> $2 \
             ORDER BY number DESC LIMIT 1 OFFSET $3)",
            KEPT,
        ),
        (
            "DELETE FROM publications WHERE graph = $1 AND published_by = $2 AND number <= \
             (SELECT number FROM publications WHERE graph = $1 AND published_by = $2 \
             ORDER BY number DESC LIMIT 1 OFFSET $3)",
            KEPT_REKEYED,
        ),
    ];
    for (sql, kept) in old {
        sqlx::query(sql)
            .bind(graph)
            .bind(rekey::BY)
            .bind(kept)
            .execute(&mut **transaction)
            .await?;
    }
    sqlx::query(
        "DELETE FROM snapshots WHERE graph = $1 AND revision NOT IN \
         (SELECT revision FROM publications WHERE graph = $1)",
    )
    .bind(graph)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}
