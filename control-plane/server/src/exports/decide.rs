//! Whether an export may happen, and the record of that decision.

use std::borrow::Cow;
use std::sync::Arc;

use ig_contract::directory::{Facts, FactsRequest};
use ig_contract::{DecisionRecord, Deny, DenyCode, Mode, Outcome, snapshot};

use super::asked::{Asked, Asker};
use super::relayed::SUBJECT;
use super::rules::{Granted, Rules, Who};
use super::{Challenge, Denied, direct, relayed};
use crate::app::App;
use crate::decisions::Entry;
use crate::directory;
use crate::error::ApiError;
use crate::store::now;

/// An export that may happen.
pub(super) struct Allowed {
    pub(super) context: Context,
    /// `iss` of the user.
    pub(super) issuer: String,
    /// Id of the user.
    pub(super) user: String,
    /// Number of the directory's change whose state was decided by.
    pub(super) directory: u64,
    pub(super) proof: Presence,
    pub(super) granted: Granted,
}

/// The proof of presence that it happens by.
pub(super) enum Presence {
    /// A token that is about to be used, by its number.
    ToUse(String),
    /// One that a guard had used for the decision.
    Used(String),
}

impl Presence {
    pub(super) fn number(&self) -> &str {
        match self {
            Self::ToUse(number) | Self::Used(number) => number,
        }
    }
}

/// What a decision is about, allowed or not.
pub(super) struct Context {
    pub(super) graph: String,
    pub(super) rules: Arc<Rules>,
    pub(super) decision_id: String,
    pub(super) tenant: String,
    /// `sub` of the user.
    pub(super) subject: String,
    pub(super) purpose: Option<String>,
    pub(super) authority: Option<String>,
    pub(super) action: String,
}

/// The node of decisions that the control plane makes itself.
const NODE: &str = "control-plane";

/// Decides on a request.
///
/// # Errors
/// [`ApiError::Denied`], whose record is kept; and what makes it no question at
/// all.
#[tracing::instrument(name = "exports.decide", skip_all)]
pub(super) async fn decide(app: &App, asked: &Asked) -> Result<Allowed, ApiError> {
    match &asked.head.asker {
        Asker::User { person, step_up } => {
            direct::decide(app, asked, person, step_up.as_deref()).await
        }
        Asker::Service {
            tenant,
            actor,
            decision,
        } => {
            let of = relayed::Relayed {
                tenant,
                actor,
                decision,
            };
            relayed::decide(app, asked, of).await
        }
    }
}

/// Whether what is stated is something that a policy of the graph could ask for.
///
/// # Errors
/// 422
pub(super) fn check_facts(asked: &Asked, rules: &Rules) -> Result<(), ApiError> {
    let new = &asked.new;
    let is_unknown = |name: &&String| !rules.has_fact(&new.action, name);
    match new.facts.keys().find(is_unknown) {
        None => Ok(()),
        Some(_) => Err(ApiError::invalid(
            "facts: one of them is none of the action's operations; its schema names them (`@fact`)",
        )),
    }
}

/// Longest text of a record, in characters. A subject is its issuer's to choose, and
/// as long as a token may be.
const MAX_TEXT: usize = 256;

fn short(text: &str) -> &str {
    let end = text.char_indices().nth(MAX_TEXT);
    end.and_then(|(end, _)| text.get(..end)).unwrap_or(text)
}

impl Context {
    /// Decides by what the directory says of the user now.
    ///
    /// # Errors
    /// [`ApiError::Denied`], also when the subject has become another user's.
    pub(super) async fn grant(
        &self,
        app: &App,
        asked: &Asked,
        issuer: &str,
        user: &str,
    ) -> Result<(Facts, Granted), ApiError> {
        let request = FactsRequest {
            graph: self.graph.clone(),
            tenant: self.tenant.clone(),
            issuer: issuer.to_owned(),
            subject: self.subject.clone(),
            // Whoever comes here is linked: logged in, or let through by a guard.
            link: None,
        };
        let facts = directory::facts(app, &asked.head.by, &request).await?;
        let who = Who {
            tenant: request.tenant,
            issuer: request.issuer,
            subject: request.subject,
            facts: facts.clone(),
            purpose: self.purpose.clone(),
            authority: self.authority.clone(),
        };
        let rules = Arc::clone(&self.rules);
        let (action, stated) = (asked.new.action.clone(), asked.new.facts.clone());
        let deciding = move || rules.decide(&who, &action, &stated);
        let granted = app.exports.deciding.run(deciding).await?;
        let granted = granted.map_err(|deny| self.refuse(app, deny))?;
        match facts.user.as_deref() == Some(user) {
            true => Ok((facts, granted)),
            false => Err(self.refuse(app, SUBJECT)),
        }
    }

    /// A deny: recorded, and answered.
    pub(super) fn refuse(&self, app: &App, deny: Deny) -> ApiError {
        self.record(app, Err(&deny), None);
        let challenge = (deny.code == DenyCode::StepUpRequired).then(|| {
            let settings = self.rules.head.step_up.as_ref();
            Challenge {
                acr: settings.map_or_else(snapshot::StepUp::default_acr, |one| one.acr),
                max_age_seconds: settings
                    .map_or_else(snapshot::StepUp::default_max_age_seconds, |one| {
                        one.max_age_seconds
                    }),
                action: self.action.clone(),
            }
        });
        ApiError::Denied(Box::new(Denied {
            deny,
            decision_id: self.decision_id.clone(),
            challenge,
        }))
    }

    /// Leaves a record, as guards do in access logs.
    pub(super) fn record(&self, app: &App, outcome: Result<&Granted, &Deny>, proof: Option<&str>) {
        let tenants = &self.rules.head.tenants;
        let region = tenants
            .get(&self.tenant)
            .and_then(|one| one.region.as_deref());
        let borrowed = |text: &'_ str| Cow::<'static, str>::Owned(short(text).to_owned());
        let record = DecisionRecord {
            decision_id: borrowed(&self.decision_id),
            tenant_id: Some(borrowed(&self.tenant)),
            actor: Some(borrowed(&self.subject)),
            purpose: self.purpose.as_deref().map(borrowed),
            authority: self.authority.as_deref().map(borrowed),
            operation: outcome.ok().map(|granted| borrowed(&granted.operation)),
            document: None,
            outcome: match outcome {
                Ok(_) => Outcome::Allow,
                Err(_) => Outcome::Deny,
            },
            code: outcome.err().map(|deny| deny.code),
            rule: match outcome {
                Ok(granted) => borrowed(&granted.rule),
                Err(deny) => borrowed(&deny.rule),
            },
            step_up: proof.map(borrowed),
            obligations: outcome.map_or_else(
                |_| Vec::new(),
                |granted| {
                    granted
                        .obligations
                        .iter()
                        .map(|one| borrowed(one))
                        .collect()
                },
            ),
            mode: Mode::Enforce,
            region: region.map(borrowed),
            revision: Some(self.rules.revision),
        };
        let Ok(text) = serde_json::to_string(&record) else {
            return;
        };
        let graph = &self.rules.head.graph;
        let entry = Entry::new(now(), NODE, graph, &record, &text);
        app.decisions.push(entry);
    }
}
