//! Passkeys of a tenant's users, as its admins see them: one that may have been
//! copied, or was lost, gives no proof of its own removal.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};

use super::passkeys::{self, Shown};
use super::step_up_token;
use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};
use crate::{break_glass, step_up};

/// List the passkeys of a user of the tenant.
#[utoipa::path(get, path = "/tenants/{tenant}/users/{user}/passkeys", tag = "tenants",
    security(("bearer" = ["viewer", "tenant-admin"])),
    params(("tenant" = String, Path), ("user" = String, Path)),
    responses((status = 200, body = Vec<Shown>), (status = 404, body = Problem)))]
pub(crate) async fn list(
    State(app): State<App>,
    by: Principal,
    Path((tenant, user)): Path<(String, String)>,
) -> Result<Json<Vec<Shown>>, ApiError> {
    by.require_tenant(&tenant, Role::Viewer)?;
    let stored = passkeys::of_user(&mut *app.store.pool().acquire().await?, &tenant, &user).await?;
    Ok(Json(stored.into_iter().map(|one| one.shown).collect()))
}

/// Remove a passkey of a user of the tenant, with the user's one-time passwords,
/// which it may have set up, and end the user's step-up tokens.
/// Admins who are users themselves need a step-up token for `passkey:remove`, as
/// `x-ig-step-up`.
#[utoipa::path(delete, path = "/tenants/{tenant}/users/{user}/passkeys/{id}", tag = "tenants",
    security(("bearer" = ["owner", "tenant-admin"])),
    params(("tenant" = String, Path), ("user" = String, Path), ("id" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn remove(
    State(app): State<App>,
    by: Principal,
    Path((tenant, user, id)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    by.require_tenant(&tenant, Role::Owner)?;
    let mut transaction = app.store.begin().await?;
    step_up::lock(&app.store, &mut transaction, &tenant, &user).await?;
    // Or whoever finds an admin's session open takes away the admin's own passkeys,
    // and adds another as if it were the first.
    if let Some(person) = by.person() {
        let token = step_up_token(&headers);
        step_up::use_own(&app, &mut transaction, person, token, passkeys::REMOVE).await?;
    }
    break_glass::forget(&mut transaction, &tenant, &user).await?;
    passkeys::take_away(&app, transaction, &by, (&tenant, &user), &id).await
}
