//! Facts about a subject.

use std::collections::BTreeSet;

use ig_contract::directory::{Facts, FactsRequest, MAX_FACTS_BYTES};
use ig_contract::snapshot::Link;

use super::{feed, link};
use crate::app::App;
use crate::auth::Principal;
use crate::error::ApiError;
use crate::{scim, step_up, tenants};

/// A user that a subject without a link may be linked to, and the rule that
/// found it.
struct Candidate {
    rule: Link,
    user: String,
}

/// What there is to know of a subject: one state of it, and its number. One that
/// is seen for the first time is linked, if a rule finds its user.
pub(crate) async fn facts(app: &App, by: &Principal, of: &FactsRequest) -> Result<Facts, ApiError> {
    bounded(of, linked(app, by, of).await?)
}

async fn linked(app: &App, by: &Principal, of: &FactsRequest) -> Result<Facts, ApiError> {
    let (facts, candidate) = read(app, of).await?;
    // Strangers are looked up only: who is nobody's candidate takes no lock.
    let Some(Candidate { rule, user }) = candidate else {
        return Ok(facts);
    };
    match link::link(app, by, &rule, of, &user).await? {
        // A link that is made is another state: everything is read again.
        Some(_) => Ok(read(app, of).await?.0),
        None => Ok(facts),
    }
}

/// Facts that guards take: they drop a longer answer, and would ask for it with
/// each request. Which groups to leave out cannot be told, since a policy may
/// deny by one, so who is in too many is let do nothing. The guard remembers
/// that, and is told when the groups change.
fn bounded(of: &FactsRequest, facts: Facts) -> Result<Facts, ApiError> {
    let bytes = serde_json::to_vec(&facts).map_err(ApiError::invalid)?.len();
    if bytes <= MAX_FACTS_BYTES {
        return Ok(facts);
    }
    tracing::warn!(
        tenant = of.tenant,
        user = facts.user,
        groups = facts.groups.len(),
        bytes,
        "the names of the user's groups are too long together; guards are told that it is inactive"
    );
    Ok(Facts {
        active: false,
        groups: BTreeSet::new(),
        ..facts
    })
}

/// One state of what is known, and whom a subject without a link may be linked
/// to.
#[tracing::instrument(name = "directory.read", skip_all)]
async fn read(app: &App, of: &FactsRequest) -> Result<(Facts, Option<Candidate>), ApiError> {
    let mut view = app.store.view().await?;
    let tenant = tenants::read(&mut view, &of.tenant).await?;
    let position = feed::last(&mut view).await?;
    let rule = tenant.and_then(|tenant| tenant.issuers.get(&of.issuer).cloned());
    let mut facts = Facts {
        position: u64::try_from(position).unwrap_or_default(),
        user: None,
        active: false,
        groups: BTreeSet::new(),
        step_up_from: 0,
    };
    // An issuer that the tenant no longer has says nothing, nor did it before.
    let Some(rule) = rule else {
        return Ok((facts, None));
    };
    let user = link::find(&mut view, &of.tenant, &of.issuer, &of.subject).await?;
    let Some(user) = user else {
        let user = link::candidate(&mut view, &rule, of).await?;
        let candidate = user.map(|user| Candidate { rule, user });
        return Ok((facts, candidate));
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
        facts.step_up_from = step_up::tokens_from(&mut view, &of.tenant, &user).await?;
        facts.user = Some(user);
    }
    view.commit().await?;
    Ok((facts, None))
}
