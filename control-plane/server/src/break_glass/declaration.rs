//! Where, until when and for what one-time passwords count: an owner says so.

use axum::extract::State;
use axum::http::StatusCode;
use ig_contract::step_up::{MAX_ACTION_BYTES, MAX_ACTIONS, is_provable};
use serde::{Deserialize, Serialize};
use sqlx::{AnyConnection, FromRow};
use utoipa::ToSchema;

use super::Refusal;
use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::{Principal, Role};
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};
use crate::store::now;
use crate::tenants;

/// Longest time that one declaration holds, in milliseconds.
const LONGEST: i64 = 24 * 60 * 60 * 1000;

/// For how long one-time passwords count, and for what.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Declaration {
    /// In milliseconds since the epoch; 24 hours from now at most.
    until: i64,
    /// Names of actions. A `*` at the end stands for anything.
    actions: Vec<String>,
}

/// Whether one-time passwords count in a tenant.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Declared {
    is_on: bool,
    /// Milliseconds since the epoch, as all times here.
    until: Option<i64>,
    actions: Vec<String>,
    declared_by: Option<String>,
    declared_at: Option<i64>,
}

#[derive(FromRow)]
struct Row {
    until_at: i64,
    actions: String,
    declared_by: String,
    declared_at: i64,
}

impl Row {
    /// Unreadable is none.
    fn actions(&self) -> Vec<String> {
        serde_json::from_str(&self.actions).unwrap_or_default()
    }

    /// As it was declared, in JSON.
    fn declaration(&self) -> Result<String, ApiError> {
        let declaration = Declaration {
            until: self.until_at,
            actions: self.actions(),
        };
        serde_json::to_string(&declaration).map_err(ApiError::invalid)
    }
}

/// What is declared in a tenant and not over.
async fn read(connection: &mut AnyConnection, tenant: &str) -> Result<Option<Row>, sqlx::Error> {
    sqlx::query_as(
        "SELECT until_at, actions, declared_by, declared_at FROM break_glass \
         WHERE tenant = $1 AND until_at > $2",
    )
    .bind(tenant)
    .bind(now())
    .fetch_optional(connection)
    .await
}

fn covers(patterns: &[String], action: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => action.starts_with(prefix),
            None => action == pattern,
        })
}

/// Whether one-time passwords count in a tenant now, for all of these actions.
///
/// # Errors
/// [`Refusal`]
pub(super) async fn require(
    connection: &mut AnyConnection,
    tenant: &str,
    actions: &[String],
) -> Result<(), ApiError> {
    let refused = |refusal| Err(ApiError::BreakGlass(refusal));
    let Some(row) = read(connection, tenant).await? else {
        return refused(Refusal::Off);
    };
    let patterns = row.actions();
    match !actions.is_empty() && actions.iter().all(|action| covers(&patterns, action)) {
        true => Ok(()),
        false => refused(Refusal::Scope),
    }
}

/// Whether a token for these actions, as JSON, may be used now.
pub(crate) async fn is_declared(
    connection: &mut AnyConnection,
    tenant: &str,
    actions: &str,
) -> Result<bool, ApiError> {
    let actions: Vec<String> = serde_json::from_str(actions).unwrap_or_default();
    match require(connection, tenant, &actions).await {
        Ok(()) => Ok(true),
        Err(ApiError::BreakGlass(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

fn check(declaration: &Declaration, at: i64) -> Result<(), ApiError> {
    let mut problems = Vec::new();
    if declaration.until <= at || declaration.until - at > LONGEST {
        problems.push("until: is in the next 24 hours, in milliseconds since the epoch".to_owned());
    }
    let is_pattern = |action: &String| {
        let name = action.strip_suffix('*').unwrap_or(action);
        is_provable(name) && !name.contains('*')
    };
    let actions = &declaration.actions;
    if !(1..=MAX_ACTIONS).contains(&actions.len()) || !actions.iter().all(is_pattern) {
        problems.push(format!(
            "actions: name 1 to {MAX_ACTIONS}, each in visible ASCII of up to {MAX_ACTION_BYTES} \
             bytes, with a `*` at the end at most, and never all actions"
        ));
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(ApiError::Invalid(problems)),
    }
}

/// Let one-time passwords count in a tenant for a while. This replaces what was
/// declared before.
#[utoipa::path(put, path = "/tenants/{tenant}/break-glass", tag = "break-glass",
    security(("bearer" = ["owner"])), params(("tenant" = String, Path)),
    request_body = Declaration,
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn put(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
    Json(declaration): Json<Declaration>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Owner)?;
    let at = now();
    check(&declaration, at)?;
    let actions = serde_json::to_string(&declaration.actions).map_err(ApiError::invalid)?;
    let after = serde_json::to_string(&declaration).map_err(ApiError::invalid)?;
    let mut transaction = app.store.begin().await?;
    tenants::keep(&app.store, &mut transaction, &id).await?;
    if tenants::read(&mut transaction, &id).await?.is_none() {
        return Err(ApiError::NotFound(format!("the tenant {id}")));
    }
    // Of two at once, the second replaces what the first declared, and says so.
    let lock = format!("break-glass:{id}");
    app.store.lock(&mut transaction, &lock).await?;
    let before = read(&mut transaction, &id).await?;
    let before = before.as_ref().map(Row::declaration).transpose()?;
    sqlx::query(
        "INSERT INTO break_glass (tenant, until_at, actions, declared_by, declared_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant) DO UPDATE SET \
         until_at = EXCLUDED.until_at, actions = EXCLUDED.actions, \
         declared_by = EXCLUDED.declared_by, declared_at = EXCLUDED.declared_at",
    )
    .bind(id.as_str())
    .bind(declaration.until)
    .bind(actions)
    .bind(by.name.as_str())
    .bind(at)
    .execute(&mut *transaction)
    .await?;
    let change = Change {
        action: "break-glass.declare",
        target: &id,
        before: before.as_deref(),
        after: Some(&after),
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    tracing::warn!(
        tenant = id,
        by = by.name,
        declared = after,
        "break-glass was declared"
    );
    Ok(StatusCode::NO_CONTENT)
}

/// Get whether one-time passwords count in a tenant, until when, and for what.
#[utoipa::path(get, path = "/tenants/{tenant}/break-glass", tag = "break-glass",
    security(("bearer" = ["viewer", "tenant-admin"])), params(("tenant" = String, Path)),
    responses((status = 200, body = Declared), (status = 404, body = Problem)))]
pub(crate) async fn get(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
) -> Result<Json<Declared>, ApiError> {
    by.require_tenant(&id, Role::Viewer)?;
    let mut connection = app.store.pool().acquire().await?;
    if tenants::read(&mut connection, &id).await?.is_none() {
        return Err(ApiError::NotFound(format!("the tenant {id}")));
    }
    let row = read(&mut connection, &id).await?;
    Ok(Json(Declared {
        is_on: row.is_some(),
        until: row.as_ref().map(|row| row.until_at),
        actions: row.as_ref().map(Row::actions).unwrap_or_default(),
        declared_at: row.as_ref().map(|row| row.declared_at),
        declared_by: row.map(|row| row.declared_by),
    }))
}

/// Let one-time passwords count no more. Tokens that were given for them, and not
/// used, do not count either.
#[utoipa::path(delete, path = "/tenants/{tenant}/break-glass", tag = "break-glass",
    security(("bearer" = ["owner"])), params(("tenant" = String, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub(crate) async fn delete(
    State(app): State<App>,
    by: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    by.require(Role::Owner)?;
    let mut transaction = app.store.begin().await?;
    let ended: Option<String> =
        sqlx::query_scalar("DELETE FROM break_glass WHERE tenant = $1 RETURNING actions")
            .bind(id.as_str())
            .fetch_optional(&mut *transaction)
            .await?;
    let Some(before) = ended else {
        return Err(ApiError::NotFound(format!(
            "break-glass of the tenant {id}"
        )));
    };
    let change = Change {
        action: "break-glass.end",
        target: &id,
        before: Some(&before),
        after: None,
    };
    audit::record(&mut transaction, &by, change).await?;
    transaction.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_names() {
        let patterns = ["export:*".to_owned(), "case:close".to_owned()];
        for (action, expected) in [
            ("export:assets", true),
            ("export:", true),
            ("export", false),
            ("case:close", true),
            ("case:closed", false),
            ("case:", false),
        ] {
            assert_eq!(covers(&patterns, action), expected, "{action}");
        }
    }

    #[test]
    fn a_declaration_is_short_and_names_what_it_is_for() {
        let at = 1_800_000_000_000;
        let said = |until: i64, actions: &[&str]| {
            let actions = actions.iter().map(|one| (*one).to_owned()).collect();
            check(&Declaration { until, actions }, at).is_ok()
        };
        assert!(said(at + 1, &["export:*"]));
        assert!(said(at + LONGEST, &["export:assets", "a*"]));
        for until in [i64::MIN, 0, at, at + LONGEST + 1, i64::MAX] {
            assert!(!said(until, &["export:*"]), "{until}");
        }
        let long = "x".repeat(MAX_ACTION_BYTES + 1);
        for action in ["", "*", "**", "a**", "a*b", "a b", "ä", &long] {
            assert!(!said(at + 1, &[action]), "{action}");
        }
        assert!(!said(at + 1, &[]));
        assert!(!said(at + 1, &["a"; MAX_ACTIONS + 1]));
    }
}
