//! What callers see of exports: each what is theirs.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::AnyConnection;
use utoipa::{IntoParams, ToSchema};

use super::make::settle;
use super::stored::{COLUMNS, Row};
use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path, Query};
use crate::page::{Page, PageQuery};

/// An export, without what was signed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedExport {
    #[serde(skip)]
    #[schema(ignore)]
    number: i64,
    export_id: String,
    tenant: String,
    /// As the manifest names the user.
    created_by: String,
    /// The token of the service that asked for it; none where the user did.
    service: Option<String>,
    graph: String,
    action: String,
    purpose: String,
    authority: Option<String>,
    /// Of the decision that allowed it.
    decision_id: String,
    /// How many assets it has.
    item_count: i64,
    /// SHA-256 of the manifest, in hex.
    manifest_sha: String,
    /// The key that signed it.
    key_id: String,
    /// Milliseconds since the epoch.
    created_at: i64,
    /// Its place in the ledger; none until the ledger has it.
    ledger_index: Option<i64>,
}

/// An export, and what was signed.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Export {
    #[serde(flatten)]
    listed: ListedExport,
    /// The manifest, version 0.2. What was signed are its bytes in canonical JSON (RFC
    /// 8785), as they stand here.
    #[schema(value_type = Object)]
    manifest: Box<RawValue>,
    /// A Sigstore bundle, version 0.3, with the ledger's entry.
    #[schema(value_type = Object)]
    bundle: Box<RawValue>,
    /// The signature, as a `.sig` has it: base64 of DER.
    sig: String,
    /// That the ledger has it.
    ledger: LedgerEntry,
}

/// Where the ledger has an export.
#[derive(Serialize, ToSchema)]
pub(crate) struct LedgerEntry {
    /// From 0.
    index: i64,
    /// The file `.tlog-proof` (C2SP tlog-proof), with the signed checkpoint.
    proof: String,
}

impl From<Row> for ListedExport {
    fn from(row: Row) -> Self {
        Self {
            number: row.number,
            export_id: row.id,
            tenant: row.tenant,
            created_by: row.created_by,
            service: row.service,
            graph: row.graph,
            action: row.action,
            purpose: row.purpose,
            authority: row.authority,
            decision_id: row.decision,
            item_count: row.items,
            manifest_sha: row.manifest_sha,
            key_id: row.key_hint,
            created_at: row.created_at,
            ledger_index: row.ledger_index,
        }
    }
}

/// Which exports to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    tenant: Option<String>,
}

/// Which exports a caller sees: conditions that all have to hold.
#[derive(Default)]
struct Scope {
    tenant: Option<String>,
    user: Option<String>,
    service: Option<String>,
}

impl Scope {
    /// # Errors
    /// 403 for who sees none.
    fn of(by: &Principal) -> Result<Self, ApiError> {
        let text = |text: &str| Some(text.to_owned());
        if let Some(tenant) = by.only_tenant() {
            return Ok(Self {
                tenant: text(tenant),
                ..Self::default()
            });
        }
        if let Some(person) = by.person() {
            return Ok(Self {
                tenant: text(&person.tenant),
                user: text(&person.user),
                service: None,
            });
        }
        // A service sees what it asked for itself; not of tenants that it had.
        if by.exports_for().is_some() {
            return Ok(Self {
                service: text(&by.name),
                ..Self::default()
            });
        }
        by.require(Role::Viewer)?;
        Ok(Self::default())
    }

    /// The condition, with places from a number on, and what is bound to them.
    fn sql(self, mut place: usize) -> (String, Vec<String>) {
        let mut sql = String::new();
        let mut values = Vec::new();
        let columns = [
            ("tenant = ", self.tenant, ""),
            ("user_id = ", self.user, ""),
            ("service = ", self.service, SERVICE),
        ];
        for (column, value, more) in columns {
            if let Some(value) = value {
                sql.push_str(&format!(" AND {column}${place}{more}"));
                values.push(value);
                place += 1;
            }
        }
        (sql, values)
    }
}

/// Beside its name: a token's tenants are those of its row.
const SERVICE: &str = " AND tenant IN (SELECT t.tenant FROM token_tenants t \
     JOIN tokens k ON k.id = t.token WHERE k.name = exports.service)";

/// The row of an export.
pub(super) async fn row(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<Row>, sqlx::Error> {
    let sql = format!("SELECT {COLUMNS} FROM exports WHERE id = $1");
    sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(id.to_owned())
        .fetch_optional(connection)
        .await
}

/// The row of an export that a caller sees, once the ledger has it.
async fn seen(app: &App, by: &Principal, id: &str) -> Result<Row, ApiError> {
    let (condition, values) = Scope::of(by)?.sql(2);
    let sql = format!("SELECT {COLUMNS} FROM exports WHERE id = $1{condition}");
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(id.to_owned());
    for value in values {
        query = query.bind(value);
    }
    let row: Option<Row> = query.fetch_optional(app.store.pool()).await?;
    let row = row.ok_or_else(|| ApiError::NotFound("the export".into()))?;
    settle(app, &row).await?;
    Ok(row)
}

/// An export with what was signed. The ledger has it.
pub(super) async fn whole(app: &App, id: &str) -> Result<Export, ApiError> {
    let mut view = app.store.view().await?;
    let row = row(&mut view, id).await?;
    let row = row.ok_or_else(|| ApiError::NotFound("the export".into()))?;
    let signed: (Vec<u8>, String, Option<String>) =
        sqlx::query_as("SELECT manifest, bundle, ledger_proof FROM exports WHERE id = $1")
            .bind(id)
            .fetch_one(&mut *view)
            .await?;
    view.commit().await?;
    let (manifest, bundle, proof) = signed;
    let read = ig_signing::Bundle::parse(bundle.as_bytes()).map_err(ApiError::invalid)?;
    let manifest = String::from_utf8(manifest).map_err(ApiError::invalid)?;
    let not_yet = || ApiError::Later("the ledger does not have the export yet");
    Ok(Export {
        sig: read.signature().to_detached(),
        ledger: LedgerEntry {
            index: row.ledger_index.ok_or_else(not_yet)?,
            proof: proof.ok_or_else(not_yet)?,
        },
        manifest: RawValue::from_string(manifest).map_err(ApiError::invalid)?,
        bundle: RawValue::from_string(bundle).map_err(ApiError::invalid)?,
        listed: row.into(),
    })
}

/// List exports, the last first: a user sees their own, a tenant's admin the
/// tenant's, a service those that it asked for.
#[utoipa::path(get, path = "/exports", tag = "exports",
    security(("bearer" = ["viewer", "tenant-admin", "user", "exporter"])),
    params(Filter, PageQuery), responses((status = 200, body = Page<ListedExport>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Query(filter): Query<Filter>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ListedExport>>, ApiError> {
    let mut scope = Scope::of(&by)?;
    match (&scope.tenant, filter.tenant) {
        // Another tenant has none, as far as this caller can tell.
        (Some(own), Some(asked)) if *own != asked => {
            return Err(ApiError::NotFound("the tenant".into()));
        }
        (_, Some(asked)) => scope.tenant = Some(asked),
        (_, None) => {}
    }
    let limit = page.limit()?;
    let (condition, values) = scope.sql(3);
    let sql = format!(
        "SELECT {COLUMNS} FROM exports WHERE number < $1{condition} ORDER BY number DESC LIMIT $2"
    );
    let mut query = sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(page.before()?)
        .bind(limit);
    for value in values {
        query = query.bind(value);
    }
    let rows: Vec<Row> = query.fetch_all(app.store.pool()).await?;
    let exports = rows.into_iter().map(ListedExport::from).collect();
    let number = |one: &ListedExport| one.number.to_string();
    Ok(Json(Page::new(exports, limit, number)))
}

/// Get an export, as it was answered when it was made.
#[utoipa::path(get, path = "/exports/{id}", tag = "exports",
    security(("bearer" = ["viewer", "tenant-admin", "user", "exporter"])),
    params(("id" = String, Path)),
    responses((status = 200, body = Export), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
) -> Result<Json<Export>, ApiError> {
    let row = seen(&app, &by, &id).await?;
    Ok(Json(whole(&app, &row.id).await?))
}

/// Get the bytes that were signed.
#[utoipa::path(get, path = "/exports/{id}/manifest", tag = "exports",
    security(("bearer" = ["viewer", "tenant-admin", "user", "exporter"])),
    params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn manifest(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let row = seen(&app, &by, &id).await?;
    let bytes: Vec<u8> = sqlx::query_scalar("SELECT manifest FROM exports WHERE id = $1")
        .bind(row.id)
        .fetch_one(app.store.pool())
        .await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bytes).into_response())
}

/// Get the bundle as a file, as `ig-verify` and `cosign` take it.
#[utoipa::path(get, path = "/exports/{id}/bundle", tag = "exports",
    security(("bearer" = ["viewer", "tenant-admin", "user", "exporter"])),
    params(("id" = String, Path)),
    responses((status = 200, body = Object), (status = 404, body = Problem)))]
pub(crate) async fn bundle(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
) -> Result<Response, ApiError> {
    let row = seen(&app, &by, &id).await?;
    let bundle: String = sqlx::query_scalar("SELECT bundle FROM exports WHERE id = $1")
        .bind(row.id)
        .fetch_one(app.store.pool())
        .await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], bundle).into_response())
}
