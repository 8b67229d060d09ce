//! What only owners say of a tenant's identities.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use ig_contract::policy::CROSS_TENANT_GROUP;
use serde::{Deserialize, Serialize};
use sqlx::{Any, AnyConnection, Transaction};
use utoipa::ToSchema;

use super::client::{self, Client};
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role, is_safe_url};
use crate::console;
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};
use crate::store::{is_conflict, now};
use crate::webauthn::Attestation;

/// Identities of a tenant.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct TenantIdentity {
    /// Groups that give more than an identity provider may give by itself, beside
    /// `cross-tenant-analyst` and the admin groups, which always do. A provisioner
    /// puts nobody into them unless its token may.
    #[schema(value_type = Vec<String>)]
    pub(crate) privileged_groups: BTreeSet<String>,
    /// Groups whose users are admins of the tenant, at this API too.
    #[schema(value_type = Vec<String>)]
    pub(crate) admin_groups: BTreeSet<String>,
    /// Which passkeys the tenant takes.
    pub(crate) attestation: Attestation,
    /// Issuers whose access tokens this API takes as those of users of the
    /// tenant. The tenant's `issuers` say how their subjects are linked.
    pub(crate) logins: Vec<Login>,
}

/// An issuer, at this API. No two tenants have the same issuer and audience.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Login {
    /// The `iss` of its tokens.
    pub(crate) issuer: String,
    /// What their `aud` must name.
    audience: String,
    /// Where its keys are, if not where its configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) jwks: Option<String>,
    /// As whom the console logs users in here; it does not without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<Client>,
    /// Whether the issuer may be at an address of a private network. It is not asked
    /// there otherwise.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) private: bool,
}

impl Login {
    /// Id of the console's client, where it logs users in here.
    pub(crate) fn client(&self) -> Option<&str> {
        self.client.as_ref().map(|client| client.id.as_str())
    }
}

/// Put what only owners say of a tenant's identities.
#[utoipa::path(put, path = "/tenants/{tenant}/identity", tag = "tenants",
    security(("bearer" = ["owner"])), params(("tenant" = String, Path)),
    request_body = TenantIdentity,
    responses(
        (status = 204),
        (status = 404, body = Problem),
        (status = 409, description = "A login is another tenant's, or a client is an audience",
            body = Problem),
    ))]
pub(crate) async fn put_identity(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
    Json(mut identity): Json<TenantIdentity>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Owner)?;
    for login in &identity.logins {
        check(login)?;
    }
    identity
        .attestation
        .authorities()
        .map_err(ApiError::invalid)?;
    let mut transaction = app.store.begin().await?;
    app.store.lock(&mut transaction, "tenants").await?;
    let before = stored(&mut transaction, &id).await?;
    let before = before.ok_or_else(|| ApiError::NotFound(format!("the tenant {id}")))?;
    client::put(&mut transaction, &id, &mut identity.logins).await?;
    let after = serde_json::to_string(&identity).map_err(ApiError::invalid)?;
    sqlx::query("UPDATE tenants SET identity = $1, changed_at = $2 WHERE id = $3")
        .bind(after.as_str())
        .bind(now())
        .bind(id.as_str())
        .execute(&mut *transaction)
        .await?;
    put_logins(&mut transaction, &id, &identity.logins).await?;
    client::check_apart(&mut transaction, &id).await?;
    let clients = identity.logins.iter();
    let clients = clients.filter_map(|login| Some((login.issuer.as_str(), login.client()?)));
    let clients: Vec<_> = clients.collect();
    console::end_others(&mut transaction, &id, &clients).await?;
    let change = Change {
        action: "tenant.identity",
        target: &id,
        before: Some(&before),
        after: Some(&after),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Get what only owners say of a tenant's identities.
#[utoipa::path(get, path = "/tenants/{tenant}/identity", tag = "tenants",
    security(("bearer" = ["viewer", "tenant-admin"])), params(("tenant" = String, Path)),
    responses((status = 200, body = TenantIdentity), (status = 404, body = Problem)))]
pub(crate) async fn get_identity(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
) -> Result<Json<TenantIdentity>, ApiError> {
    by.require_tenant(&id, Role::Viewer)?;
    let mut connection = app.store.pool().acquire().await?;
    let stored = stored(&mut connection, &id).await?;
    let stored = stored.ok_or_else(|| ApiError::NotFound(format!("the tenant {id}")))?;
    let mut identity = parse(&id, &stored)?;
    for login in &mut identity.logins {
        if let Some(client) = &mut login.client {
            let path = client::callback(&id, &login.issuer, &client.id);
            let uris = app.origins.iter().map(|origin| format!("{origin}{path}"));
            client.redirect_uris = uris.collect();
        }
    }
    Ok(Json(identity))
}

async fn stored(connection: &mut AnyConnection, id: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT identity FROM tenants WHERE id = $1")
        .bind(id)
        .fetch_optional(connection)
        .await
}

fn parse(id: &str, stored: &str) -> Result<TenantIdentity, ApiError> {
    serde_json::from_str(stored)
        .map_err(|_| ApiError::Conflict(format!("the identity of {id} is not readable")))
}

/// Keys come over TLS, or not at all.
fn check(login: &Login) -> Result<(), ApiError> {
    let urls = std::iter::once(&login.issuer).chain(&login.jwks);
    for url in urls {
        if !is_safe_url(url) {
            return Err(ApiError::invalid(format!(
                "logins: {url}: must be a URL of https"
            )));
        }
    }
    match login.audience.is_empty() {
        false => login.client.as_ref().map_or(Ok(()), Client::check),
        true => Err(ApiError::invalid("logins: an audience is missing")),
    }
}

async fn put_logins(
    transaction: &mut Transaction<'static, Any>,
    tenant: &str,
    logins: &[Login],
) -> Result<(), ApiError> {
    sqlx::query("DELETE FROM tenant_logins WHERE tenant = $1")
        .bind(tenant)
        .execute(&mut **transaction)
        .await?;
    for login in logins {
        sqlx::query(
            "INSERT INTO tenant_logins (issuer, audience, tenant, jwks, is_private) \
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(login.issuer.as_str())
        .bind(login.audience.as_str())
        .bind(tenant)
        .bind(login.jwks.as_deref())
        .bind(i64::from(login.private))
        .execute(&mut **transaction)
        .await
        .map_err(|error| match is_conflict(&error) {
            true => ApiError::Conflict(format!(
                "logins: {} with the audience {} is there already",
                login.issuer, login.audience
            )),
            false => error.into(),
        })?;
    }
    Ok(())
}

/// What only owners say of a tenant's identities.
pub(crate) async fn read(
    connection: &mut AnyConnection,
    tenant: &str,
) -> Result<TenantIdentity, ApiError> {
    let stored = stored(connection, tenant).await?;
    let stored = stored.ok_or_else(|| ApiError::NotFound(format!("the tenant {tenant}")))?;
    parse(tenant, &stored)
}

/// Groups that only some provisioners may confer: never none, since what an owner
/// forgets to say must not be an identity provider's to give.
pub(crate) async fn privileged_groups(
    connection: &mut AnyConnection,
    tenant: &str,
) -> Result<BTreeSet<String>, ApiError> {
    // A tenant that is not there any more has nobody to confer anything. Its
    // admins are made by groups that are privileged by that.
    let TenantIdentity {
        mut privileged_groups,
        admin_groups,
        ..
    } = read(connection, tenant).await?;
    privileged_groups.extend(admin_groups);
    privileged_groups.insert(CROSS_TENANT_GROUP.to_owned());
    Ok(privileged_groups)
}
