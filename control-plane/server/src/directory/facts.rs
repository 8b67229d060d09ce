//! Facts about a subject.

use std::collections::BTreeSet;

use ig_contract::directory::{Facts, FactsRequest};
use ig_contract::snapshot::Link;

use super::{feed, link};
use crate::app::App;
use crate::auth::Principal;
use crate::error::ApiError;
use crate::{scim, tenants};

/// What there is to know of a subject: one state of it, and its number. One that
/// is seen for the first time is linked, if a rule finds its user.
pub(crate) async fn facts(app: &App, by: &Principal, of: &FactsRequest) -> Result<Facts, ApiError> {
    // A link that is made is another state: everything is read again.
    let (mut facts, rule) = read(app, of).await?;
    if facts.user.is_none()
        && let Some(rule) = rule
        && link::link(app, by, &rule, of).await?.is_some()
    {
        (facts, _) = read(app, of).await?;
    }
    Ok(facts)
}

/// One state of what is known, and the rule by which subjects are linked.
async fn read(app: &App, of: &FactsRequest) -> Result<(Facts, Option<Link>), ApiError> {
    let mut view = app.store.view().await?;
    let tenant = tenants::read(&mut view, &of.tenant).await?;
    let position = feed::last(&mut view).await?;
    let rule = tenant.and_then(|tenant| tenant.issuers.get(&of.issuer).cloned());
    let mut facts = Facts {
        position: u64::try_from(position).unwrap_or_default(),
        user: None,
        active: false,
        groups: BTreeSet::new(),
    };
    // An issuer that the tenant no longer has says nothing, nor did it before.
    let Some(rule) = rule else {
        return Ok((facts, None));
    };
    let user = link::find(&mut view, &of.tenant, &of.issuer, &of.subject).await?;
    let Some(user) = user else {
        return Ok((facts, Some(rule)));
    };
    let active: Option<i64> = sqlx::query_scalar(
        "SELECT active FROM scim_resources WHERE id = $1 AND tenant = $2 AND kind = 'User' \
         AND deleted_at IS NULL",
    )
    .bind(user.as_str())
    .bind(of.tenant.as_str())
    .fetch_optional(&mut *view)
    .await?;
    if let Some(active) = active {
        facts.active = active != 0;
        facts.groups = scim::groups_of(&mut view, &of.tenant, &user).await?;
        facts.user = Some(user);
    }
    view.commit().await?;
    Ok((facts, None))
}
