//! Passkeys as they are stored.

use std::cmp::Ordering;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sqlx::{Any, AnyConnection, FromRow, Transaction};
use utoipa::ToSchema;
use webauthn_rs::prelude::{AuthenticationResult, Credential, Passkey};

use super::{Refusal, step_up_token};
use crate::app::App;
use crate::audit::Change;
use crate::auth::{Person, Principal, User};
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
    /// When its counter went back, in milliseconds since the epoch: there may be a
    /// copy of it, so it gives no proofs.
    pub(crate) suspect_at: Option<i64>,
}

#[derive(FromRow)]
struct Row {
    id: String,
    name: String,
    document: String,
    attested: i64,
    created_at: i64,
    used_at: Option<i64>,
    suspect_at: Option<i64>,
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
    of_user(connection, &person.tenant, &person.user).await
}

/// Passkeys of a user, the oldest first.
pub(super) async fn of_user(
    connection: &mut AnyConnection,
    tenant: &str,
    user: &str,
) -> Result<Vec<Stored>, ApiError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT id, name, document, attested, created_at, used_at, suspect_at FROM passkeys \
         WHERE tenant = $1 AND user_id = $2 ORDER BY created_at, id",
    )
    .bind(tenant)
    .bind(user)
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
                suspect_at: row.suspect_at,
            },
        })
    };
    rows.into_iter().map(stored).collect()
}

/// One of a user's, by the id of its credential.
///
/// # Errors
/// [`Refusal`] for one that the user does not have, or that may have been copied.
pub(super) fn usable(known: Vec<Stored>, credential: &[u8]) -> Result<Stored, ApiError> {
    let is_it = |one: &Stored| one.passkey.cred_id().as_slice() == credential;
    let refusal = match known.into_iter().find(is_it) {
        Some(one) if one.shown.suspect_at.is_none() => return Ok(one),
        Some(_) => Refusal::Suspect,
        None => Refusal::UnknownPasskey,
    };
    Err(ApiError::Presence(refusal))
}

/// The id of a credential, as it is stored.
pub(super) fn credential(id: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(id)
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
    let (tenant, user) = (&person.tenant, &person.user);
    let mut transaction = app.store.begin().await?;
    step_up::hold(&app.store, &mut transaction, tenant, user).await?;
    let token = step_up_token(&headers);
    step_up::use_own(&app, &mut transaction, &person, token, REMOVE).await?;
    take_away(&app, transaction, &by, (tenant, user), &id).await
}

/// Takes away a passkey of a user, who is locked, and ends their tokens.
pub(super) async fn take_away(
    app: &App,
    mut transaction: Transaction<'static, Any>,
    by: &Principal,
    (tenant, user): (&str, &str),
    id: &str,
) -> Result<StatusCode, ApiError> {
    let name: Option<String> = sqlx::query_scalar(
        "DELETE FROM passkeys WHERE id = $1 AND tenant = $2 AND user_id = $3 RETURNING name",
    )
    .bind(id)
    .bind(tenant)
    .bind(user)
    .fetch_optional(&mut *transaction)
    .await?;
    let name = name.ok_or_else(|| ApiError::NotFound(format!("the passkey {id}")))?;
    let change = Change {
        action: "passkey.remove",
        target: user,
        before: Some(&name),
        after: None,
    };
    step_up::end_with(app, transaction, by, tenant, change).await?;
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

/// Notes the use of a passkey of a user who is locked. Of ceremonies that were begun
/// before either ended, all know the old counter, so it is compared again here.
///
/// # Errors
/// [`Refusal`] for a counter that did not go on. One that is lower may have been
/// overtaken on its way; no authenticator counts to the same number twice.
pub(super) async fn used(
    transaction: &mut Transaction<'static, Any>,
    stored: &mut Stored,
    result: &AuthenticationResult,
) -> Result<(), ApiError> {
    let known = Credential::from(stored.passkey.clone()).counter;
    let counter = result.counter();
    match counter.cmp(&known) {
        Ordering::Less => return Err(ApiError::Presence(Refusal::Overtaken)),
        Ordering::Equal if counter > 0 => return Err(ApiError::Presence(Refusal::Counter)),
        Ordering::Equal | Ordering::Greater => {}
    }
    stored.passkey.update_credential(result);
    let document = serde_json::to_string(&stored.passkey).map_err(ApiError::invalid)?;
    sqlx::query("UPDATE passkeys SET counter = $1, document = $2, used_at = $3 WHERE id = $4")
        .bind(i64::from(counter))
        .bind(document)
        .bind(now())
        .bind(stored.shown.id.as_str())
        .execute(&mut **transaction)
        .await?;
    Ok(())
}

/// Notes that there may be a copy of a passkey, and returns its id. `None` where it
/// was noted before, or is gone.
pub(super) async fn suspect(
    transaction: &mut Transaction<'static, Any>,
    person: &Person,
    credential_id: &[u8],
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "UPDATE passkeys SET suspect_at = $1 WHERE credential = $2 AND tenant = $3 \
         AND user_id = $4 AND suspect_at IS NULL RETURNING id",
    )
    .bind(now())
    .bind(credential(credential_id))
    .bind(person.tenant.as_str())
    .bind(person.user.as_str())
    .fetch_optional(&mut **transaction)
    .await
}
