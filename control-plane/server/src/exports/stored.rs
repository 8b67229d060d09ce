//! Exports as they are stored, and manifests as they are made.

use ig_signing::{Manifest, Sha256};
use sqlx::{AnyConnection, FromRow};

use super::asked::{Asked, Asker};
use super::decide::Context;
use crate::error::ApiError;

/// A row.
#[derive(FromRow)]
pub(super) struct Row {
    pub(super) number: i64,
    pub(super) id: String,
    pub(super) tenant: String,
    pub(super) created_by: String,
    pub(super) service: Option<String>,
    pub(super) graph: String,
    pub(super) action: String,
    pub(super) purpose: String,
    pub(super) authority: Option<String>,
    pub(super) decision: String,
    idempotency_key: String,
    fingerprint: String,
    pub(super) items: i64,
    pub(super) manifest_sha: String,
    pub(super) key_hint: String,
    pub(super) entry: i64,
    pub(super) ledger_index: Option<i64>,
    pub(super) created_at: i64,
}

/// What lists show; manifests and bundles may have megabytes.
pub(super) const COLUMNS: &str = "number, id, tenant, created_by, service, graph, action, purpose, \
     authority, decision, idempotency_key, fingerprint, items, manifest_sha, key_hint, entry, \
     ledger_index, created_at";

/// Where the answer to a request is that was made before.
enum Place<'a> {
    /// A user's own key.
    Key { tenant: &'a str, user: &'a str },
    /// A guard's decision, of which a service asks.
    Decision { tenant: &'a str, decision: &'a str },
}

/// The export that a request has made before, if it has.
///
/// # Errors
/// 422 where its key was another request's, and 409 where its decision has made
/// an export under another key.
pub(super) async fn find(
    connection: &mut AnyConnection,
    asked: &Asked,
) -> Result<Option<Row>, ApiError> {
    let place = match &asked.head.asker {
        Asker::User { person, .. } => Place::Key {
            tenant: &person.tenant,
            user: &person.user,
        },
        Asker::Service {
            tenant, decision, ..
        } => Place::Decision { tenant, decision },
    };
    match place {
        Place::Key { tenant, user } => find_key(connection, asked, tenant, user).await,
        Place::Decision { tenant, decision } => {
            let sql = format!("SELECT {COLUMNS} FROM exports WHERE tenant = $1 AND decision = $2");
            let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(tenant.to_owned())
                .bind(decision.to_owned())
                .fetch_optional(connection)
                .await?;
            // Under another key it is another request for the same decision.
            match row {
                Some(row) if row.idempotency_key != asked.head.key => Err(ApiError::Conflict(
                    "the decision has made an export already; send the request through the gateway \
                     again"
                        .into(),
                )),
                row => same(row, asked),
            }
        }
    }
}

/// The export that a user's key was for.
///
/// # Errors
/// 422 where it was another request's.
pub(super) async fn find_key(
    connection: &mut AnyConnection,
    asked: &Asked,
    tenant: &str,
    user: &str,
) -> Result<Option<Row>, ApiError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM exports \
         WHERE tenant = $1 AND user_id = $2 AND idempotency_key = $3"
    );
    let row = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(tenant.to_owned())
        .bind(user.to_owned())
        .bind(asked.head.key.clone())
        .fetch_optional(connection)
        .await?;
    same(row, asked)
}

fn same(row: Option<Row>, asked: &Asked) -> Result<Option<Row>, ApiError> {
    match row {
        Some(row) if row.fingerprint != asked.fingerprint => Err(ApiError::invalid(
            "idempotency-key: it was another request's; send a new one",
        )),
        row => Ok(row),
    }
}

/// The manifest of an export: whose it is, and what for, comes from the decision.
///
/// # Errors
/// 422 for items that are none together.
pub(super) fn manifest(asked: &Asked, context: &Context) -> Result<Manifest, ApiError> {
    let created_by = created_by(&context.tenant, &context.subject);
    let purpose = context.purpose.clone().unwrap_or_default();
    Manifest::new(
        asked.items.clone(),
        created_by,
        context.tenant.as_str(),
        purpose,
    )
    .map_err(ApiError::invalid)
}

/// A user, as manifests name it.
pub(super) fn created_by(tenant: &str, subject: &str) -> String {
    format!("user:{tenant}:{subject}")
}

/// SHA-256 of the manifest, in hex: what a proof for this request only names.
pub(super) fn manifest_sha(asked: &Asked, context: &Context) -> Option<String> {
    let manifest = manifest(asked, context).ok()?;
    Some(Sha256::of(&manifest.to_bytes()).to_string())
}
