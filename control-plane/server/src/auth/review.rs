//! Who holds what, for who reviews it: users of a tenant with the groups that they are in,
//! and groups that the operator's issuer gives roles.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use serde::Serialize;
use sqlx::FromRow;
use utoipa::ToSchema;

use super::{Principal, Role};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path, Query};
use crate::page::{Page, PageQuery};
use crate::{scim, tenants};

/// A user of a tenant, and what they hold.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Holder {
    /// Of the user.
    id: String,
    /// As names are compared: in lower case.
    user_name: String,
    /// False is suspended: it holds what it held, and may do nothing.
    active: bool,
    /// Whether one of the groups makes it an admin of the tenant.
    admin: bool,
    /// Whether one of the groups is privileged: an identity provider does not give it by
    /// itself.
    privileged: bool,
    /// Groups that it is in, also by other groups.
    #[schema(value_type = Vec<String>)]
    groups: BTreeSet<String>,
    created_at: i64,
    changed_at: i64,
}

#[derive(FromRow)]
struct UserRow {
    number: i64,
    id: String,
    name: String,
    active: i64,
    created_at: i64,
    changed_at: i64,
}

/// Groups of the operator's issuer that have roles here.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Roles {
    /// The issuer; none where only tokens of this API count.
    issuer: Option<String>,
    /// Groups by the role that they give.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    roles: BTreeMap<String, BTreeSet<String>>,
    /// Groups by the tenant whose admin they make.
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    tenant_admins: BTreeMap<String, BTreeSet<String>>,
}

/// List the groups that the operator's issuer gives roles.
#[utoipa::path(get, path = "/access/roles", tag = "access", security(("bearer" = ["owner"])),
    responses((status = 200, body = Roles)))]
pub(crate) async fn roles(State(app): State<App>, by: Principal) -> Result<Json<Roles>, ApiError> {
    by.require(Role::Owner)?;
    let config = app.oidc.as_ref().map(|oidc| oidc.config());
    Ok(Json(Roles {
        issuer: config.map(|config| config.issuer.clone()),
        roles: config
            .map(|config| config.roles.clone())
            .unwrap_or_default(),
        tenant_admins: config
            .map(|config| config.tenant_admins.clone())
            .unwrap_or_default(),
    }))
}

/// List a tenant's users with what they hold, suspended ones too, the last first.
#[utoipa::path(get, path = "/tenants/{tenant}/access", tag = "access",
    security(("bearer" = ["viewer", "tenant-admin"])),
    params(("tenant" = String, Path), PageQuery),
    responses((status = 200, body = Page<Holder>), (status = 404, body = Problem)))]
pub(crate) async fn holders(
    State(app): State<App>,
    by: Principal,
    Path(tenant): Path<String>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Holder>>, ApiError> {
    by.require_tenant(&tenant, Role::Viewer)?;
    let limit = page.limit()?;
    // One state of users, groups and what groups mean.
    let mut view = app.store.view().await?;
    let identity = tenants::identity(&mut view, &tenant).await?;
    let privileged = tenants::privileged_groups(&mut view, &tenant).await?;
    let rows: Vec<UserRow> = sqlx::query_as(
        "SELECT number, id, name, active, created_at, changed_at FROM scim_resources \
         WHERE tenant = $1 AND kind = 'User' AND deleted_at IS NULL AND number < $2 \
         ORDER BY number DESC LIMIT $3",
    )
    .bind(tenant.as_str())
    .bind(page.before()?)
    .bind(limit)
    .fetch_all(&mut *view)
    .await?;
    let last = rows.last().map(|row| row.number);
    let mut holders = Vec::with_capacity(rows.len());
    for row in rows {
        let groups = scim::groups_of(&mut view, &tenant, &row.id).await?;
        // Names of groups are compared without case, as everywhere.
        let is_in = |named: &BTreeSet<String>| {
            let mut names = named.iter().map(|name| name.to_lowercase());
            names.any(|name| groups.iter().any(|group| group.to_lowercase() == name))
        };
        holders.push(Holder {
            id: row.id,
            user_name: row.name,
            active: row.active != 0,
            admin: is_in(&identity.admin_groups),
            privileged: is_in(&privileged),
            groups,
            created_at: row.created_at,
            changed_at: row.changed_at,
        });
    }
    view.commit().await?;
    let cursor = |_: &Holder| last.unwrap_or_default().to_string();
    Ok(Json(Page::new(holders, limit, cursor)))
}
