//! `/tokens`: admin tokens for people and pipelines.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use sqlx::{Any, FromRow, Transaction};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Grant, Principal, Role, token};
use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};
use crate::store::{is_conflict, now};
use crate::tenants;

/// Most tenants of one exporter.
const MAX_TENANTS: usize = 100;
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// A token to make.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct NewToken {
    /// As the audit trail is to name its owner; never given twice.
    #[schema(pattern = "^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$")]
    name: String,
    role: Role,
    /// Of a tenant's admin or provisioner.
    tenant: Option<String>,
    /// Of an exporter: those for whose callers it may ask for exports.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 100)]
    tenants: BTreeSet<String>,
    /// Whether a provisioner may put users into groups that the tenant calls
    /// privileged.
    #[serde(default)]
    may_confer: bool,
    /// Days until it expires; never, by default.
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
}

/// A token that was made.
#[derive(Serialize, ToSchema)]
pub(crate) struct MadeToken {
    id: String,
    /// Shown this once.
    token: String,
}

/// A token, without what makes it one.
#[derive(Serialize, FromRow, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListedToken {
    id: String,
    name: String,
    role: String,
    tenant: Option<String>,
    /// Of an exporter.
    #[sqlx(skip)]
    tenants: Vec<String>,
    /// 1 for a provisioner that may confer privileged groups.
    may_confer: i64,
    created_at: i64,
    created_by: String,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

/// Make a token.
#[utoipa::path(post, path = "/tokens", tag = "access", security(("bearer" = ["owner"])),
    request_body = NewToken,
    responses(
        (status = 201, body = MadeToken),
        (status = 409, description = "The name is taken", body = Problem),
    ))]
pub(crate) async fn create(
    State(app): State<App>,
    by: Principal,
    Json(new): Json<NewToken>,
) -> Result<(StatusCode, Json<MadeToken>), ApiError> {
    by.require(Role::Owner)?;
    // What looks like an id could be taken for another token's.
    if !is_name(&new.name) || Uuid::parse_str(&new.name).is_ok() {
        return Err(ApiError::invalid(
            "name: 1 to 64 letters, digits, `.`, `_` or `-`, and no UUID",
        ));
    }
    if new.tenant.as_deref().is_some_and(|tenant| !is_name(tenant))
        || Grant::new(new.role, new.tenant.clone(), new.may_confer).is_none()
    {
        return Err(ApiError::invalid(
            "tenant: one for the roles tenant-admin and provisioner, and for no other; \
             mayConfer: for provisioners only",
        ));
    }
    check_tenants(&new)?;
    let expires_at = match new.expires_in_days {
        None => None,
        Some(days @ 1..=3650) => Some(now() + i64::from(days) * DAY_MILLIS),
        Some(_) => return Err(ApiError::invalid("expiresInDays: 1 to 3650")),
    };
    let token = token::generate().map_err(ApiError::invalid)?;
    let id = Uuid::now_v7().to_string();
    let mut transaction = app.store.begin().await?;
    bind_tenants(&app, &mut transaction, &id, &new.tenants).await?;
    sqlx::query(
        "INSERT INTO tokens (id, hash, name, role, tenant, created_at, created_by, expires_at, \
         may_confer) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(id.as_str())
    .bind(token::hash(&token))
    .bind(new.name.as_str())
    .bind(new.role.as_str())
    .bind(new.tenant.as_deref())
    .bind(now())
    .bind(by.name.as_str())
    .bind(expires_at)
    .bind(i64::from(new.may_confer))
    .execute(&mut *transaction)
    .await
    .map_err(|error| match is_conflict(&error) {
        true => ApiError::Conflict(format!("there is, or was, a token named {}", new.name)),
        false => error.into(),
    })?;
    let role = audited(&new);
    let change = Change {
        action: "token.create",
        target: &new.name,
        before: None,
        after: Some(&role),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok((StatusCode::CREATED, Json(MadeToken { id, token })))
}

/// A role as the audit trail has it.
fn audited(new: &NewToken) -> String {
    let of: Vec<&str> = new
        .tenant
        .iter()
        .chain(&new.tenants)
        .map(|one| &**one)
        .collect();
    let role = new.role.as_str();
    match (of.is_empty(), new.may_confer) {
        (true, _) => role.to_owned(),
        (false, true) => format!("{role} of {}, may confer", of.join(" ")),
        (false, false) => format!("{role} of {}", of.join(" ")),
    }
}

/// An exporter has tenants, and nobody else a list of them.
fn check_tenants(new: &NewToken) -> Result<(), ApiError> {
    let most = match new.role {
        Role::Exporter => 1..=MAX_TENANTS,
        _ => 0..=0,
    };
    match most.contains(&new.tenants.len()) && new.tenants.iter().all(|tenant| is_name(tenant)) {
        true => Ok(()),
        false => Err(ApiError::invalid(format!(
            "tenants: 1 to {MAX_TENANTS} for the role exporter, and none for any other"
        ))),
    }
}

/// Binds an exporter to tenants that are there: a later one of a name is another.
async fn bind_tenants(
    app: &App,
    transaction: &mut Transaction<'static, Any>,
    id: &str,
    tenants: &BTreeSet<String>,
) -> Result<(), ApiError> {
    for tenant in tenants {
        tenants::keep(&app.store, transaction, tenant).await?;
        let bound = sqlx::query(
            "INSERT INTO token_tenants (token, tenant) SELECT $1, id FROM tenants WHERE id = $2",
        )
        .bind(id)
        .bind(tenant.as_str())
        .execute(&mut **transaction)
        .await?;
        if bound.rows_affected() == 0 {
            return Err(ApiError::invalid(format!(
                "tenants: {tenant} is not here; put it first"
            )));
        }
    }
    Ok(())
}

/// List tokens, revoked ones too.
#[utoipa::path(get, path = "/tokens", tag = "access", security(("bearer" = ["owner"])),
    responses((status = 200, body = Vec<ListedToken>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<Vec<ListedToken>>, ApiError> {
    by.require(Role::Owner)?;
    let mut tokens: Vec<ListedToken> = sqlx::query_as(
        "SELECT id, name, role, tenant, may_confer, created_at, created_by, expires_at, revoked_at \
         FROM tokens ORDER BY created_at DESC, id",
    )
    .fetch_all(app.store.pool())
    .await?;
    let bound: Vec<(String, String)> =
        sqlx::query_as("SELECT token, tenant FROM token_tenants ORDER BY token, tenant")
            .fetch_all(app.store.pool())
            .await?;
    for token in &mut tokens {
        let of = bound.iter().filter(|(id, _)| *id == token.id);
        token.tenants = of.map(|(_, tenant)| tenant.clone()).collect();
    }
    Ok(Json(tokens))
}

/// Revoke a token, by its id or its name.
#[utoipa::path(delete, path = "/tokens/{id}", tag = "access", security(("bearer" = ["owner"])),
    params(("id" = String, Path)),
    responses(
        (status = 204),
        (status = 404, body = Problem),
        (status = 409, description = "It is the last owner's", body = Problem),
    ))]
pub(crate) async fn revoke(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Owner)?;
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, "tokens").await?;
    let name: Option<String> = sqlx::query_scalar(
        "UPDATE tokens SET revoked_at = $1 WHERE (id = $2 OR name = $2) AND revoked_at IS NULL \
         RETURNING name",
    )
    .bind(now())
    .bind(id.as_str())
    .fetch_optional(&mut *transaction)
    .await?;
    let name = name.ok_or_else(|| ApiError::NotFound(format!("the token {id}")))?;
    let owners: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM tokens WHERE role = $1 AND revoked_at IS NULL \
         AND (expires_at IS NULL OR expires_at > $2)",
    )
    .bind(Role::Owner.as_str())
    .bind(now())
    .fetch_one(&mut *transaction)
    .await?;
    if owners == 0 && app.oidc.is_none() {
        return Err(ApiError::Conflict(
            "this is the last owner's token, and nobody could make another; make one first".into(),
        ));
    }
    let change = Change {
        action: "token.revoke",
        target: &name,
        before: Some("valid"),
        after: Some("revoked"),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}
