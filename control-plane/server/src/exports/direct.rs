//! An export that its user asks for: everything is decided here, as at the
//! gateway.

use ig_contract::Deny;
use ig_contract::snapshot::{self, Action};
use ig_step_up::{Question, StepUp};
use uuid::Uuid;

use super::asked::Asked;
use super::decide::{Allowed, Context, Presence, check_facts};
use super::rules::{self, Granted};
use super::stored;
use crate::app::App;
use crate::auth::Person;
use crate::error::ApiError;
use crate::step_up::{self, keys};

/// Decides on an export of the caller's own.
pub(super) async fn decide(
    app: &App,
    asked: &Asked,
    person: &Person,
    token: Option<&str>,
) -> Result<Allowed, ApiError> {
    let graph = match &asked.new.graph {
        Some(graph) => graph.clone(),
        None => rules::only_graph(app).await?,
    };
    let rules = rules::of_graph(app, &graph).await?;
    check_facts(asked, &rules)?;
    let context = Context {
        graph,
        rules,
        decision_id: Uuid::now_v7().to_string(),
        tenant: person.tenant.clone(),
        subject: person.session.subject.clone(),
        purpose: asked.head.purpose.clone(),
        authority: asked.head.authority.clone(),
        action: asked.new.action.clone(),
    };
    let issuer = &person.session.issuer;
    let (facts, granted) = context.grant(app, asked, issuer, &person.user).await?;
    let keys = keys::public(&mut *app.store.pool().acquire().await?).await?;
    let settings = context.rules.head.step_up.clone();
    let settings = settings.map(|settings| snapshot::StepUp { keys, ..settings });
    let proof = Proving {
        settings: settings.as_ref(),
        person,
        from: facts.step_up_from,
        token,
    };
    let proof = proof
        .check(asked, &context, &granted)
        .map_err(|deny| context.refuse(app, deny))?;
    Ok(Allowed {
        context,
        issuer: issuer.clone(),
        user: person.user.clone(),
        directory: facts.position,
        proof: Presence::ToUse(proof),
        granted,
    })
}

/// What a proof of presence is looked at with.
struct Proving<'a> {
    /// The graph's, with the keys of now.
    settings: Option<&'a snapshot::StepUp>,
    person: &'a Person,
    from: u64,
    token: Option<&'a str>,
}

impl Proving<'_> {
    /// The number of a token that counts, if it was not used.
    fn check(&self, asked: &Asked, context: &Context, granted: &Granted) -> Result<String, Deny> {
        let settings = self.settings.ok_or(StepUp::NONE)?;
        let guard = StepUp::new(settings, &context.rules.head.graph).map_err(|_| StepUp::NONE)?;
        let resource = || stored::manifest_sha(asked, context).unwrap_or_default();
        let actions = [Action {
            name: context.action.clone(),
            purposes: Vec::new(),
        }];
        let proof = guard.check(Question {
            token: self.token,
            issuer: &self.person.session.issuer,
            subject: &self.person.session.subject,
            tenant: &self.person.tenant,
            from: self.from,
            actions: &actions,
            is_cross_tenant: granted.is_cross_tenant,
            resource: &resource,
            now: Some(step_up::seconds()),
            // It is used in the transaction of the export, whatever it is for.
            is_asked: true,
        })?;
        Ok(proof.claims.jti.clone())
    }
}
