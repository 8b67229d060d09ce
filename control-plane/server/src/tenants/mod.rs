//! Tenants: region, purposes, modes.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use ig_contract::snapshot::{MAX_RATE_PERCENT, Tenant};
use sha2::{Digest as _, Sha256};
use sqlx::{Any, AnyConnection, Transaction};

use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::cost;
use crate::directory::{self, Whose};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};
use crate::store::{Store, now};

mod client;
pub(crate) mod identity;

pub(crate) use client::{ClientSecret, callback, secret as client_secret};
pub(crate) use identity::{Login, privileged_groups, read as identity};

/// Put a tenant: its region, purposes and modes.
///
/// Its own admin may change purposes only: where data lives, and whether guards
/// enforce, is for owners to say.
#[utoipa::path(put, path = "/tenants/{tenant}", tag = "tenants",
    security(("bearer" = ["owner", "tenant-admin"])),
    params(("tenant" = String, Path),
        ("If-Match" = Option<String>, Header,
            description = "Entity tag of the tenant that is to be replaced, as it was got")),
    request_body = Tenant,
    responses((status = 204), (status = 404, body = Problem),
        (status = 412, description = "It is not that one any more", body = Problem)))]
pub(crate) async fn put(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
    headers: HeaderMap,
    Json(tenant): Json<Tenant>,
) -> Result<StatusCode, ApiError> {
    by.require_tenant(&id, Role::Owner)?;
    if !is_name(&id) {
        return Err(ApiError::invalid("the tenant's name is not valid"));
    }
    check_links(&tenant)?;
    let percent = tenant.rate_percent.unwrap_or(100);
    if !(1..=MAX_RATE_PERCENT).contains(&percent) {
        let message = format!("ratePercent: {percent} is not between 1 and {MAX_RATE_PERCENT}");
        return Err(ApiError::invalid(message));
    }
    let after = serde_json::to_string(&tenant).map_err(ApiError::invalid)?;
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, "tenants").await?;
    let before: Option<String> = sqlx::query_scalar("SELECT settings FROM tenants WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
    if !is_expected(&headers, before.as_deref()) {
        return Err(ApiError::Changed(format!("the tenant {id}")));
    }
    if by.only_tenant().is_some() {
        let before = before.as_deref().map(|before| parse(&id, before));
        let before = before.ok_or_else(|| ApiError::NotFound(format!("the tenant {id}")))??;
        let fixed = |tenant: &Tenant| {
            let Tenant {
                region,
                purposes: _,
                purposes_by_group: _,
                modes,
                issuers,
                rate_percent,
                priority,
            } = tenant;
            let share = (*rate_percent, *priority);
            (region.clone(), *modes, issuers.clone(), share)
        };
        if fixed(&before) != fixed(&tenant) {
            return Err(ApiError::Forbidden("owner"));
        }
    }
    sqlx::query(
        "INSERT INTO tenants (id, settings, changed_at) VALUES ($1, $2, $3) \
         ON CONFLICT (id) DO UPDATE SET settings = excluded.settings, changed_at = excluded.changed_at",
    )
    .bind(id.as_str())
    .bind(after.as_str())
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    let change = Change {
        action: "tenant.put",
        target: &id,
        before: before.as_deref(),
        after: Some(&after),
    };
    audit::record(&mut transaction, &by, change).await?;
    // Whose tokens count, and for whom, is read with the facts.
    let issuers = before.as_deref().map(|before| parse(&id, before));
    let issuers = issuers.transpose()?.map(|before| before.issuers);
    let is_same = issuers.unwrap_or_default() == tenant.issuers;
    if !is_same {
        sqlx::query("UPDATE tenants SET issuers_at = $1 WHERE id = $2")
            .bind(now())
            .bind(id.as_str())
            .execute(&mut *transaction)
            .await?;
        directory::record(&mut transaction, &id, &Whose::Everybody).await?;
        app.store.notify(&mut transaction).await?;
    }
    transaction.commit().await?;
    if !is_same {
        directory::tell(&app).await;
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What tells one state of a tenant from others (RFC 9110, 8.8.3).
fn entity_tag(settings: &str) -> String {
    format!("\"{}\"", hex::encode(Sha256::digest(settings.as_bytes())))
}

/// Whether a tenant is what the caller wants to replace, where they say so. What
/// cannot be read names no state.
fn is_expected(headers: &HeaderMap, before: Option<&str>) -> bool {
    let wanted: Vec<&HeaderValue> = headers.get_all(header::IF_MATCH).iter().collect();
    let own = before.map(entity_tag);
    let names = |value: &&HeaderValue| {
        let tags = value.to_str().unwrap_or_default().split(',');
        let is_own = |own: &str| tags.map(str::trim).any(|tag| tag == "*" || tag == own);
        own.as_deref().is_some_and(is_own)
    };
    wanted.is_empty() || wanted.iter().any(names)
}

/// A link counts from now on, not from the next publication, which checks the
/// rest.
fn check_links(tenant: &Tenant) -> Result<(), ApiError> {
    let problems = tenant.issuers.iter().filter_map(|(issuer, link)| {
        let problem = link.problem()?;
        Some(format!("issuers.{issuer}.claim: {problem}"))
    });
    let problems: Vec<String> = problems.collect();
    match problems.is_empty() {
        true => Ok(()),
        false => Err(ApiError::Invalid(problems)),
    }
}

/// List tenants: all of them, or the one that the caller administrates.
#[utoipa::path(get, path = "/tenants", tag = "tenants",
    security(("bearer" = ["viewer", "tenant-admin"])),
    responses((status = 200, body = BTreeMap<String, Tenant>)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<BTreeMap<String, Tenant>>, ApiError> {
    let mut tenants = all(&mut *app.store.pool().acquire().await?).await?;
    match by.only_tenant() {
        Some(own) => tenants.retain(|id, _| id == own),
        None => by.require(Role::Viewer)?,
    }
    Ok(Json(tenants))
}

/// Get a tenant. Its entity tag says which state of it this is.
#[utoipa::path(get, path = "/tenants/{tenant}", tag = "tenants",
    security(("bearer" = ["viewer", "tenant-admin"])), params(("tenant" = String, Path)),
    responses((status = 200, body = Tenant, headers(("ETag" = String))), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
) -> Result<(HeaderMap, Json<Tenant>), ApiError> {
    by.require_tenant(&id, Role::Viewer)?;
    let settings: Option<String> = sqlx::query_scalar("SELECT settings FROM tenants WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(app.store.pool())
        .await?;
    let settings = settings.ok_or_else(|| ApiError::NotFound(format!("the tenant {id}")))?;
    let tag = HeaderValue::from_str(&entity_tag(&settings)).map_err(ApiError::invalid)?;
    let headers = HeaderMap::from_iter([(header::ETAG, tag)]);
    Ok((headers, Json(parse(&id, &settings)?)))
}

/// Delete a tenant, its users, groups and tokens: where guards ask the
/// directory its callers are denied at once, elsewhere from the next publication
/// on.
#[utoipa::path(delete, path = "/tenants/{tenant}", tag = "tenants",
    security(("bearer" = ["owner"])), params(("tenant" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn delete(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    if by.only_tenant().is_some_and(|own| own != id) {
        return Err(ApiError::NotFound(format!("the tenant {id}")));
    }
    by.require(Role::Owner)?;
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, &lock_name(&id)).await?;
    app.store.lock(&mut transaction, "tenants").await?;
    let before: Option<String> =
        sqlx::query_scalar("DELETE FROM tenants WHERE id = $1 RETURNING settings")
            .bind(id.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
    let Some(before) = before else {
        return Err(ApiError::NotFound(format!("the tenant {id}")));
    };
    let change = Change {
        action: "tenant.delete",
        target: &id,
        before: Some(&before),
        after: None,
    };
    forget(&mut transaction, &id).await?;
    audit::record(&mut transaction, &by, change).await?;
    directory::record(&mut transaction, &id, &Whose::Everybody).await?;
    app.store.notify(&mut transaction).await?;
    transaction.commit().await?;
    directory::tell(&app).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes away what is the tenant's: a later one of the same name is another.
async fn forget(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
) -> Result<(), sqlx::Error> {
    for table in [
        "scim_values",
        "scim_members",
        "scim_counts",
        "subject_links",
        "scim_resources",
        "tenant_logins",
        "passkeys",
        "ceremonies",
        "step_up_tokens",
        "step_up_ends",
        "break_glass",
        "otp_secrets",
        "otp_recovery_codes",
        "otp_failures",
        "console_clients",
        "console_sessions",
        "token_tenants",
        "exports",
    ] {
        let sql = format!("DELETE FROM {table} WHERE tenant = $1");
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(tenant)
            .execute(&mut **transaction)
            .await?;
    }
    cost::forget(transaction, tenant).await?;
    sqlx::query("UPDATE tokens SET revoked_at = $1 WHERE tenant = $2 AND revoked_at IS NULL")
        .bind(now())
        .bind(tenant)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// The name of the lock that a tenant's deletion takes.
fn lock_name(tenant: &str) -> String {
    format!("tenant:{tenant}")
}

/// Makes the tenant's deletion wait until this change ends, or waits for it.
///
/// It comes before all other locks of a change, and whether the tenant is there
/// is looked at after it: what is written to a tenant that is being deleted would
/// be a later one's of the same name.
pub(crate) async fn keep(
    store: &Store,
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
) -> Result<(), sqlx::Error> {
    store.lock_shared(transaction, &lock_name(tenant)).await
}

/// A tenant, if there is one.
pub(crate) async fn read(
    connection: &mut AnyConnection,
    id: &str,
) -> Result<Option<Tenant>, ApiError> {
    let settings: Option<String> = sqlx::query_scalar("SELECT settings FROM tenants WHERE id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await?;
    settings.map(|settings| parse(id, &settings)).transpose()
}

/// Every tenant.
pub(crate) async fn all(
    connection: &mut AnyConnection,
) -> Result<BTreeMap<String, Tenant>, ApiError> {
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT id, settings FROM tenants")
        .fetch_all(connection)
        .await?;
    rows.into_iter()
        .map(|(id, settings)| Ok((id.clone(), parse(&id, &settings)?)))
        .collect()
}

fn parse(id: &str, settings: &str) -> Result<Tenant, ApiError> {
    serde_json::from_str(settings)
        .map_err(|_| ApiError::Conflict(format!("the tenant {id} is not readable")))
}
