//! Facts about a subject.

use ig_contract::directory::{Facts, FactsRequest};

use super::{feed, link};
use crate::app::App;
use crate::auth::Principal;
use crate::error::ApiError;
use crate::{scim, tenants};

/// What there is to know of a subject: one state of it, and its number.
pub(crate) async fn facts(app: &App, by: &Principal, of: &FactsRequest) -> Result<Facts, ApiError> {
    let mut view = app.store.view().await?;
    let tenant = tenants::read(&mut view, &of.tenant).await?;
    let position = feed::last(&mut view).await?;
    let rule = tenant.and_then(|tenant| tenant.issuers.get(&of.issuer).cloned());
    let mut facts = Facts {
        position: u64::try_from(position).unwrap_or_default(),
        user: None,
        active: false,
        groups: Default::default(),
    };
    let Some(rule) = rule else {
        return Ok(facts);
    };
    let mut user = link::find(&mut view, &of.tenant, &of.issuer, &of.subject).await?;
    if user.is_none() {
        view.commit().await?;
        user = link::link(app, by, &rule, of).await?;
        view = app.store.view().await?;
        let position = feed::last(&mut view).await?;
        facts.position = u64::try_from(position).unwrap_or_default();
    }
    let Some(user) = user else {
        return Ok(facts);
    };
    let active: Option<i64> = sqlx::query_scalar(
        "SELECT active FROM scim_resources WHERE id = $1 AND tenant = $2 AND kind = 'User' \
         AND deleted_at IS NULL",
    )
    .bind(user.as_str())
    .bind(of.tenant.as_str())
    .fetch_optional(&mut *view)
    .await?;
    let Some(active) = active else {
        return Ok(facts);
    };
    facts.active = active != 0;
    facts.groups = scim::groups_of(&mut view, &of.tenant, &user).await?;
    facts.user = Some(user);
    view.commit().await?;
    Ok(facts)
}
