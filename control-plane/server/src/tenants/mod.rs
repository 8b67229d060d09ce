//! Tenants: region, purposes, modes.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ig_contract::snapshot::Tenant;

use crate::app::{App, is_name};
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::ApiError;
use crate::store::now;

/// `PUT /tenants/{tenant}`
pub(crate) async fn put(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
    Json(tenant): Json<Tenant>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Owner)?;
    if !is_name(&id) {
        return Err(ApiError::invalid("the tenant's name is not valid"));
    }
    let after = serde_json::to_string(&tenant).map_err(ApiError::invalid)?;
    let mut transaction = app.store.begin().await?;
    let before: Option<String> = sqlx::query_scalar("SELECT settings FROM tenants WHERE id = $1")
        .bind(id.as_str())
        .fetch_optional(&mut *transaction)
        .await?;
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
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /tenants`
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
) -> Result<Json<BTreeMap<String, Tenant>>, ApiError> {
    by.require(Role::Viewer)?;
    all(&app).await.map(Json)
}

/// `DELETE /tenants/{tenant}`
pub(crate) async fn delete(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Owner)?;
    let mut transaction = app.store.begin().await?;
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
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Every tenant.
pub(crate) async fn all(app: &App) -> Result<BTreeMap<String, Tenant>, ApiError> {
    let rows: Vec<(String, String)> = sqlx::query_as("SELECT id, settings FROM tenants")
        .fetch_all(app.store.read())
        .await?;
    rows.into_iter()
        .map(|(id, settings)| {
            let tenant = serde_json::from_str(&settings)
                .map_err(|_| ApiError::Conflict(format!("the tenant {id} is not readable")))?;
            Ok((id, tenant))
        })
        .collect()
}
