//! An export that a service behind a gateway asks for. What it says is believed
//! as far as a guard had a proof of presence used for it: so neither its token
//! alone exports anything, nor does it export more than callers ask for.

use std::collections::BTreeSet;

use ig_contract::{Deny, DenyCode};

use super::Denied;
use super::asked::Asked;
use super::decide::{Allowed, Context, Presence, check_facts};
use super::rules;
use crate::app::App;
use crate::error::ApiError;
use crate::step_up::{self, Used};

/// How long after the guard let a request through it makes an export, in seconds.
const MAX_AGE_SECONDS: u64 = 120;

/// What the service says of the request that it answers.
#[derive(Clone, Copy)]
pub(super) struct Relayed<'a> {
    pub(super) tenant: &'a str,
    pub(super) actor: &'a str,
    pub(super) decision: &'a str,
}

/// As a guard answers for a tenant that there is not.
const TENANT: Deny = Deny::new(
    DenyCode::SubjectInactive,
    "tenant-unknown",
    "The tenant is unknown or suspended, or not one of the service's.",
);
const NOT_SHOWN: Deny = step_up(
    "step-up-required",
    "No guard has had a proof of presence used for this decision; send the request through the \
     gateway, with a step-up token.",
);
const TOO_OLD: Deny = step_up(
    "step-up-expired",
    "The decision is too old; send the request through the gateway again.",
);
pub(super) const SUBJECT: Deny = step_up(
    "step-up-subject",
    "The proof of presence was somebody else's.",
);
const ACTION: Deny = step_up(
    "step-up-action",
    "The proof of presence was used for something else.",
);
const PURPOSE: Deny = Deny::new(
    DenyCode::PurposeDenied,
    "purpose-not-decided",
    "The gateway decided on another purpose or legal basis; relay them as they came.",
);

const fn step_up(rule: &'static str, message: &'static str) -> Deny {
    Deny::new(DenyCode::StepUpRequired, rule, message)
}

/// Decides on an export for a caller of the gateway.
pub(super) async fn decide(
    app: &App,
    asked: &Asked,
    tenants: &BTreeSet<String>,
    of: Relayed<'_>,
) -> Result<Allowed, ApiError> {
    // Without a record: it would be one of another tenant, as a stranger tells it.
    if !tenants.contains(of.tenant) {
        return Err(ApiError::Denied(Box::new(Denied {
            deny: TENANT,
            decision_id: of.decision.to_owned(),
            challenge: None,
        })));
    }
    let mut connection = app.store.pool().acquire().await?;
    let used = step_up::used_for(&mut connection, of.tenant, of.decision).await?;
    drop(connection);
    let graph = match (&used, &asked.new.graph) {
        (Some(used), Some(named)) if used.graph != *named => {
            return Err(ApiError::invalid("graph: not the one of the decision"));
        }
        (Some(used), _) => used.graph.clone(),
        (None, Some(named)) => named.clone(),
        (None, None) => rules::only_graph(app).await?,
    };
    let rules = rules::of_graph(app, &graph).await?;
    check_facts(asked, &rules)?;
    let context = Context {
        graph,
        rules,
        decision_id: of.decision.to_owned(),
        tenant: of.tenant.to_owned(),
        subject: of.actor.to_owned(),
        purpose: asked.head.purpose.clone(),
        authority: asked.head.authority.clone(),
        action: asked.new.action.clone(),
    };
    let used = check(used, &context).map_err(|deny| context.refuse(app, deny))?;
    let issuer = &used.used_for.issuer;
    let (_, granted) = context.grant(app, asked, issuer, &used.user).await?;
    Ok(Allowed {
        context,
        user: used.user,
        proof: Presence::Used(used.token),
        granted,
    })
}

/// Whether a proof was used for exactly this.
fn check(used: Option<Used>, context: &Context) -> Result<Used, Deny> {
    let used = used.ok_or(NOT_SHOWN)?;
    let decided = &used.used_for;
    if decided.subject != context.subject {
        return Err(SUBJECT);
    }
    if !decided.actions.contains(&context.action) {
        return Err(ACTION);
    }
    if used.age > MAX_AGE_SECONDS {
        return Err(TOO_OLD);
    }
    match decided.purpose == context.purpose && decided.authority == context.authority {
        true => Ok(used),
        false => Err(PURPOSE),
    }
}
