//! Passkeys as they are stored.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sqlx::{Any, AnyConnection, FromRow, Transaction};
use utoipa::ToSchema;
use webauthn_rs::prelude::Passkey;

use super::step_up_token;
use crate::app::App;
use crate::auth::{Person, User};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};
use crate::step_up;
use crate::store::now;

/// Passkeys of one user.
pub(crate) const MOST: usize = 16;
/// What a proof to remove one is given for.
pub(crate) const REMOVE: &str = "passkey:remove";

/// A passkey, as its user sees it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Shown {
    /// Its id here.
    pub(crate) id: String,
    /// What its user calls it.
    pub(crate) name: String,
    /// Whether its maker vouches for it.
    pub(crate) attested: bool,
    /// Milliseconds since the epoch.
    pub(crate) created_at: i64,
    /// When it was used last, in milliseconds since the epoch.
    pub(crate) used_at: Option<i64>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    document: String,
    attested: i64,
    created_at: i64,
    used_at: Option<i64>,
}

/// A passkey of a user.
pub(crate) struct Stored {
    pub(crate) shown: Shown,
    pub(super) passkey: Passkey,
}

/// Passkeys of a user, the oldest first.
pub(crate) async fn of(
    connection: &mut AnyConnection,
    person: &Person,
) -> Result<Vec<Stored>, ApiError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, name, document, attested, created_at, used_at FROM passkeys \
         WHERE tenant = $1 AND user_id = $2 ORDER BY created_at, id",
    )
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .fetch_all(connection)
    .await?;
    let stored = |row: Row| {
        let passkey = serde_json::from_str(&row.document)
            .map_err(|_| ApiError::Conflict(format!("the passkey {} is not readable", row.id)))?;
        Ok(Stored {
            passkey,
            shown: Shown {
                id: row.id,
                name: row.name,
                attested: row.attested != 0,
                created_at: row.created_at,
                used_at: row.used_at,
            },
        })
    };
    rows.into_iter().map(stored).collect()
}

pub(super) fn credential(passkey: &Passkey) -> String {
    URL_SAFE_NO_PAD.encode(passkey.cred_id())
}

/// List the caller's passkeys.
#[utoipa::path(get, path = "/webauthn/passkeys", tag = "step-up",
    security(("bearer" = ["user"])), responses((status = 200, body = Vec<Shown>)))]
pub(crate) async fn list(
    State(app): State<App>,
    User { person, .. }: User,
) -> Result<Json<Vec<Shown>>, ApiError> {
    let stored = of(&mut *app.store.pool().acquire().await?, &person).await?;
    Ok(Json(stored.into_iter().map(|one| one.shown).collect()))
}

/// Remove a passkey of the caller. This needs a step-up token for
/// `passkey:remove`, as `x-ig-step-up`.
#[utoipa::path(delete, path = "/webauthn/passkeys/{id}", tag = "step-up",
    security(("bearer" = ["user"])), params(("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn remove(
    State(app): State<App>,
    User { by, person }: User,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let person = &person;
    let mut transaction = app.store.begin().await?;
    let token = step_up_token(&headers);
    step_up::use_own(&app, &mut transaction, person, token, REMOVE).await?;
    let name: Option<String> = sqlx::query_scalar(
        "DELETE FROM passkeys WHERE id = $1 AND tenant = $2 AND user_id = $3 RETURNING name",
    )
    .bind(id.as_str())
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(name) = name else {
        return Err(ApiError::NotFound(format!("the passkey {id}")));
    };
    step_up::end_with(
        &app,
        transaction,
        &by,
        person,
        "passkey.remove",
        Some(&name),
    )
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes away the passkeys of a user that is deleted.
pub(crate) async fn forget(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    user: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM passkeys WHERE tenant = $1 AND user_id = $2")
        .bind(tenant)
        .bind(user)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Notes the use of a passkey. `false` where its counter did not go on: of two
/// ceremonies that were begun before either ended, both know the old one.
pub(super) async fn used(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
    passkey: &Passkey,
    counter: u32,
) -> Result<bool, ApiError> {
    let document = serde_json::to_string(passkey).map_err(ApiError::invalid)?;
    let updated = sqlx::query(
        "UPDATE passkeys SET counter = $1, document = $2, used_at = $3 WHERE credential = $4 \
         AND tenant = $5 AND user_id = $6 AND (counter < $1 OR (counter = 0 AND $1 = 0))",
    )
    .bind(i64::from(counter))
    .bind(document)
    .bind(now())
    .bind(credential(passkey))
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .execute(&mut **transaction)
    .await?;
    Ok(updated.rows_affected() == 1)
}
