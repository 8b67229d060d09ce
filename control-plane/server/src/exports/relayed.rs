//! An export that a service behind a gateway asks for. What it says is believed
//! as far as a guard had a proof of presence used for it: so neither its token
//! alone exports anything, nor does it export more than callers ask for.

use ig_contract::{Deny, DenyCode};
use sqlx::{Any, AnyConnection, Transaction};

use super::Denied;
use super::asked::Asked;
use super::decide::{Allowed, Context, Presence, check_facts};
use super::rules;
use crate::app::App;
use crate::error::ApiError;
use crate::step_up::{self, Used};
use crate::store::{Store, now};

/// What changes of tokens wait for (`auth::tokens`).
const TOKENS: &str = "tokens";
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

/// What a service is answered that asks for a tenant that it is not there for.
///
/// It leaves no record: that would be one of another tenant, as a stranger tells
/// it.
pub(super) fn not_its_tenant(decision: String) -> ApiError {
    ApiError::Denied(Box::new(Denied {
        deny: TENANT,
        decision_id: decision,
        challenge: None,
    }))
}

/// Makes the end of a service's token wait until this change ends, or waits for it.
///
/// It is the lock of changes of tokens, which take the one of the audit trail after
/// it and no other; so it comes after a user's, and before that.
pub(super) async fn keep(
    store: &Store,
    transaction: &mut Transaction<'static, Any>,
) -> Result<(), sqlx::Error> {
    store.lock_shared(transaction, TOKENS).await
}

/// Whether a service's token is still good, and for the tenant: a body may have been
/// on its way for minutes.
///
/// # Errors
/// 401, and 403 for the tenant.
pub(super) async fn check_still(
    connection: &mut AnyConnection,
    service: &str,
    of: Relayed<'_>,
) -> Result<(), ApiError> {
    let bound: Option<i64> = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM token_tenants b WHERE b.token = t.id AND b.tenant = $1) \
         FROM tokens t WHERE t.name = $2 AND t.revoked_at IS NULL \
         AND (t.expires_at IS NULL OR t.expires_at > $3)",
    )
    .bind(of.tenant)
    .bind(service)
    .bind(now())
    .fetch_optional(connection)
    .await?;
    match bound {
        None => Err(ApiError::Unauthenticated),
        Some(0) => Err(not_its_tenant(of.decision.to_owned())),
        Some(_) => Ok(()),
    }
}

/// Decides on an export for a caller of the gateway.
pub(super) async fn decide(app: &App, asked: &Asked, of: Relayed<'_>) -> Result<Allowed, ApiError> {
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
    let (facts, granted) = context.grant(app, asked, issuer, &used.user).await?;
    Ok(Allowed {
        context,
        issuer: used.used_for.issuer,
        user: used.user,
        directory: facts.position,
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
