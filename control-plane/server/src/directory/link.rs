//! Which user a subject of an issuer is.
//!
//! The tenant's rule names a claim and an attribute: the first time that a
//! subject is seen, the user whose attribute has the claim's value is linked to
//! it, for ever. An email address is never such an attribute, and a user is
//! linked to one subject of an issuer only.

use ig_contract::directory::FactsRequest;
use ig_contract::snapshot::{Link, LinkAttribute};
use ig_scim::ResourceType;
use sqlx::AnyConnection;

use crate::app::App;
use crate::audit::{self, Change};
use crate::auth::Principal;
use crate::error::ApiError;
use crate::scim::name_as_compared;
use crate::store::now;
use crate::tenants;

/// The user that is linked to a subject.
pub(crate) async fn find(
    connection: &mut AnyConnection,
    tenant: &str,
    issuer: &str,
    subject: &str,
) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT user_id FROM subject_links WHERE tenant = $1 AND issuer = $2 AND subject = $3",
    )
    .bind(tenant)
    .bind(issuer)
    .bind(subject)
    .fetch_optional(connection)
    .await
}

/// The one user whose attribute has a value; which of two is meant cannot be told.
async fn only_user(
    connection: &mut AnyConnection,
    tenant: &str,
    column: &str,
    value: &str,
) -> Result<Option<String>, sqlx::Error> {
    let sql = format!(
        "SELECT id FROM scim_resources WHERE tenant = $1 AND kind = 'User' AND {column} = $2 \
         AND deleted_at IS NULL LIMIT 2"
    );
    let users: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .bind(tenant.to_owned())
        .bind(value.to_owned())
        .fetch_all(connection)
        .await?;
    match users.as_slice() {
        [only] => Ok(Some(only.clone())),
        _ => Ok(None),
    }
}

/// The user that a subject without a link is to be linked to, by the rule.
pub(super) async fn candidate(
    connection: &mut AnyConnection,
    rule: &Link,
    of: &FactsRequest,
) -> Result<Option<String>, sqlx::Error> {
    let value = of.link.as_deref().filter(|value| !value.is_empty());
    // Nor by a rule from before links were checked.
    let Some(value) = value.filter(|_| rule.problem().is_none()) else {
        return Ok(None);
    };
    let (column, value) = match rule.attribute {
        LinkAttribute::ExternalId => ("external_id", value.to_owned()),
        LinkAttribute::UserName => ("name", name_as_compared(ResourceType::User, value)),
    };
    only_user(connection, &of.tenant, column, &value).await
}

/// Links a subject to its [`candidate`], if it still is: what was seen before
/// may have changed until now, also the tenant and its rule.
#[tracing::instrument(name = "directory.link", skip_all)]
pub(super) async fn link(
    app: &App,
    by: &Principal,
    rule: &Link,
    of: &FactsRequest,
    user: &str,
) -> Result<Option<String>, ApiError> {
    let mut transaction = app.store.begin().await?;
    tenants::keep(&app.store, &mut transaction, &of.tenant).await?;
    let lock = format!("scim-link:{}", of.tenant);
    app.store.lock(&mut transaction, &lock).await?;
    let known = find(&mut transaction, &of.tenant, &of.issuer, &of.subject).await?;
    if known.is_some() {
        return Ok(known);
    }
    // It may be renamed or deleted meanwhile: whoever does that waits, or did it.
    let lock = format!("scim:{}:{user}", of.tenant);
    app.store.lock(&mut transaction, &lock).await?;
    let tenant = tenants::read(&mut transaction, &of.tenant).await?;
    let is_ruled = tenant.is_some_and(|tenant| tenant.issuers.get(&of.issuer) == Some(rule));
    let found = candidate(&mut transaction, rule, of).await?;
    if !is_ruled || found.as_deref() != Some(user) {
        return Ok(None);
    }
    let linked = sqlx::query(
        "INSERT INTO subject_links (tenant, issuer, subject, user_id, linked_at) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(of.tenant.as_str())
    .bind(of.issuer.as_str())
    .bind(of.subject.as_str())
    .bind(user)
    .bind(now())
    .execute(&mut *transaction)
    .await?;
    if linked.rows_affected() == 0 {
        tracing::warn!(
            tenant = of.tenant,
            user,
            "another subject of the issuer is this user; the new one is not linked"
        );
        return Ok(None);
    }
    let target = format!("{}/User/{user}", of.tenant);
    let after = serde_json::json!({"issuer": of.issuer, "subject": of.subject}).to_string();
    let change = Change {
        action: "subject.link",
        target: &target,
        before: None,
        after: Some(&after),
    };
    audit::record(&mut transaction, by, change).await?;
    transaction.commit().await?;
    Ok(Some(user.to_owned()))
}
