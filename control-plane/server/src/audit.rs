//! Who changed what: a row in the transaction of the change.

use axum::extract::State;
use serde::Serialize;
use sqlx::{Any, FromRow, Transaction};
use utoipa::ToSchema;

use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::extract::{Json, Query};
use crate::ledger::{self, Commitment, Kind};
use crate::page::{Page, PageQuery};
use crate::store::now;

/// One change.
pub(crate) struct Change<'a> {
    pub(crate) action: &'static str,
    pub(crate) target: &'a str,
    pub(crate) before: Option<&'a str>,
    pub(crate) after: Option<&'a str>,
}

/// Key of PostgreSQL's lock around the last step of every change.
const LOCK: i64 = 0x6967_6175_6469_7401;

/// The change that makes one-time passwords count: its leaf says so to everybody.
const BREAK_GLASS: &str = "break-glass.declare";

/// What a record's leaf in the ledger commits to: canonical JSON (RFC 8785), with
/// members in the order of their names.
#[derive(Serialize)]
pub(crate) struct Record<'a> {
    pub(crate) action: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) after: Option<&'a str>,
    pub(crate) at: i64,
    pub(crate) before: Option<&'a str>,
    pub(crate) target: &'a str,
}

impl Record<'_> {
    fn kind(&self) -> Kind {
        match self.action {
            BREAK_GLASS => Kind::BreakGlass,
            _ => Kind::Audit,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        // Texts and a number are JSON.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The leaf that commits to this with a salt; `None` for a salt that is none.
    pub(crate) fn leaf_again(&self, salt: &str) -> Option<Vec<u8>> {
        Commitment::again(self.kind(), salt, &self.bytes())
    }
}

/// Records a change, as the last step of its transaction. A leaf of the ledger that
/// commits to the record is queued with it.
///
/// Numbers are given in the order of commits: who sees one sees all changes
/// before it, so a number stands for a state. SQLite has one writer at a time
/// anyway; on PostgreSQL a lock is held from here to the commit.
pub(crate) async fn record(
    transaction: &mut Transaction<'static, Any>,
    by: &Principal,
    change: Change<'_>,
) -> Result<(), ApiError> {
    if transaction.backend_name() == "PostgreSQL" {
        sqlx::query("SELECT pg_advisory_xact_lock($1)")
            .bind(LOCK)
            .execute(&mut **transaction)
            .await?;
    }
    let record = Record {
        action: change.action,
        actor: &by.name,
        after: change.after,
        at: now(),
        before: change.before,
        target: change.target,
    };
    let commitment = Commitment::new(record.kind(), &record.bytes())?;
    let entry = ledger::enqueue(transaction, record.kind(), &commitment.body).await?;
    sqlx::query(
        "INSERT INTO audit (at, actor, action, target, before, after, salt, entry) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(record.at)
    .bind(record.actor)
    .bind(record.action)
    .bind(record.target)
    .bind(record.before)
    .bind(record.after)
    .bind(commitment.salt)
    .bind(entry.0)
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

/// Number of the last change.
pub(crate) async fn last(connection: &mut sqlx::AnyConnection) -> Result<i64, sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(number) FROM audit")
        .fetch_one(connection)
        .await?;
    Ok(last.unwrap_or_default())
}

/// A change.
#[derive(Serialize, FromRow, ToSchema)]
pub(crate) struct AuditEntry {
    number: i64,
    /// Milliseconds since the epoch.
    at: i64,
    /// Who.
    actor: String,
    /// What.
    action: String,
    /// Of what.
    target: String,
    before: Option<String>,
    after: Option<String>,
    /// With it, the record is what its leaf in the ledger commits to. None of
    /// records from before there was a ledger.
    salt: Option<String>,
    /// The leaf's place in the ledger, once it is there.
    #[serde(rename = "ledgerIndex")]
    leaf: Option<i64>,
}

/// List changes, the last first.
#[utoipa::path(get, path = "/audit", tag = "audit", security(("bearer" = ["viewer"])),
    params(PageQuery), responses((status = 200, body = Page<AuditEntry>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<AuditEntry>>, ApiError> {
    by.require(Role::Viewer)?;
    let limit = page.limit()?;
    let entries: Vec<AuditEntry> = sqlx::query_as(
        "SELECT number, at, actor, action, target, before, after, salt, leaf \
         FROM audit LEFT JOIN ledger_entries ON ledger_entries.id = audit.entry \
         WHERE number < $1 ORDER BY number DESC LIMIT $2",
    )
    .bind(page.before()?)
    .bind(limit)
    .fetch_all(app.store.pool())
    .await?;
    let number = |entry: &AuditEntry| entry.number.to_string();
    Ok(Json(Page::new(entries, limit, number)))
}
