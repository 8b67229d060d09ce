//! Proofs of presence: which operations need one, and what is asked of clients
//! that have none.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::time::Duration;

use ig_contract::step_up::{SpendRequest, Spent, UsedFor};
use ig_contract::{Deny, DenyCode, Mode, TextHash};
use ig_persisted_query::{Request, canonical_variables};
use ig_step_up::{Proof, Question, StepUp};
use lru::LruCache;

use crate::effect::Step;
use crate::exchange::{By, Selected};
use crate::record::Ruling;
use crate::{Exchange, Guard};

/// What a client has to prove its presence for (RFC 9470).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Challenge {
    /// The weakest proof that counts.
    pub(crate) acr: &'static str,
    /// How long after it was given, in seconds.
    pub(crate) max_age: u32,
    /// Every action of the operation.
    pub(crate) actions: Vec<String>,
    /// Hash of the document and its variables, for whoever wants a token that
    /// is good for nothing else.
    pub(crate) resource: String,
}

/// What the control plane said of a token that counts once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Spending {
    #[default]
    NotAsked,
    Answered(Spent),
    Unanswered,
}

const IN_A_BATCH: Deny = Deny::new(
    DenyCode::BatchingNotEnabled,
    "step-up-batch",
    "Send an operation that needs a proof of presence by itself.",
);
const USED: Deny = Deny::new(
    DenyCode::StepUpRequired,
    "step-up-used",
    "The step-up token has been used; get a new one.",
);
const OVER: Deny = Deny::new(
    DenyCode::StepUpRequired,
    "step-up-ended",
    "The step-up token ended with your session; get a new one.",
);
/// The control plane may have noted the use before the answer was lost.
const UNAVAILABLE: Deny = Deny::new(
    DenyCode::GuardUnavailable,
    "step-up-unavailable",
    "It could not be found out whether the step-up token was used; try again later with a new one.",
);

/// Ids of tokens that were used, so that whoever sends one again does not reach
/// the control plane each time. What is not in here any more is asked there.
pub(crate) struct UsedTokens(RefCell<LruCache<String, ()>>);

/// A worker sees a few of them in the two minutes that a token lives.
const MAX_USED: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

impl Default for UsedTokens {
    fn default() -> Self {
        Self(RefCell::new(LruCache::new(MAX_USED)))
    }
}

/// A deny, and the proof that it is about.
type Refused = (Deny, Option<Proof>);

impl Exchange {
    /// Whether the time has to be said before a decision.
    pub fn needs_time(&self) -> bool {
        let is_limited = |guard: &Rc<Guard>| guard.is_limited();
        self.head.step_up().is_some() || self.guard.as_ref().is_some_and(is_limited)
    }

    /// Says what time it is, since the epoch. Without it no step-up token counts,
    /// and no bucket gives.
    pub fn set_time(&mut self, now: Duration) {
        self.now = Some(now);
    }

    /// The proof of an operation that needs one; or the ruling without it.
    pub(crate) fn prove(
        &self,
        guard: &Guard,
        is_batch: bool,
        request: &Request<'_>,
        selected: &Selected,
    ) -> Result<Option<Proof>, Box<Ruling>> {
        if !selected.operation.needs_step_up() {
            return Ok(None);
        }
        let resource = || resource(request, selected);
        let proof = match is_batch {
            true => Err((IN_A_BATCH, None)),
            false => self.find_proof(guard, selected, &resource),
        };
        proof.map(Some).map_err(|(deny, proof)| {
            let challenge = (deny.code == DenyCode::StepUpRequired)
                .then(|| challenge(guard, selected, resource()));
            Box::new(Ruling {
                challenge,
                proof,
                ..Ruling::deny(By::StepUp, deny, Some(selected.clone()))
            })
        })
    }

    fn find_proof(
        &self,
        guard: &Guard,
        selected: &Selected,
        resource: &dyn Fn() -> String,
    ) -> Result<Proof, Refused> {
        let alone = |deny| (deny, None);
        let step_up = guard.step_up.as_ref().ok_or(alone(StepUp::NONE))?;
        let actor = &self.asker.actor().map_err(alone)?.actor;
        let question = Question {
            token: self.head.step_up(),
            issuer: &actor.issuer,
            subject: &actor.subject,
            tenant: &actor.tenant,
            from: self.asker.step_up_from(),
            actions: &selected.operation.actions,
            is_cross_tenant: selected.operation.cross_tenant,
            resource,
            now: self.now.map(|now| now.as_secs()),
            is_asked: self.may_spend(guard),
        };
        let proof = step_up.check(question).map_err(alone)?;
        let refusal = match self.spending {
            _ if !proof.is_single_use => None,
            Spending::NotAsked if guard.used.0.borrow().contains(&proof.claims.jti) => Some(USED),
            Spending::NotAsked | Spending::Answered(Spent::First) => None,
            Spending::Answered(Spent::Again) => Some(USED),
            Spending::Answered(Spent::Over) => {
                // It was not used, and may count again.
                guard.used.0.borrow_mut().pop(&proof.claims.jti);
                Some(OVER)
            }
            Spending::Unanswered => Some(UNAVAILABLE),
        };
        match refusal {
            Some(deny) => Err((deny, Some(proof))),
            None => Ok(proof),
        }
    }

    /// Whether anybody is asked before a token is used: in shadow nothing is used.
    fn may_spend(&self, guard: &Guard) -> bool {
        guard.directory().is_some() && self.mode(By::StepUp) == Mode::Enforce
    }

    /// The token that is about to be used, where it counts once and nobody was
    /// told yet. In shadow nothing is used.
    pub(crate) fn to_spend(&self, guard: &Guard, rulings: &[Ruling]) -> Option<SpendRequest> {
        if self.spending != Spending::NotAsked || self.mode(By::StepUp) == Mode::Shadow {
            return None;
        }
        let (ruling, proof) = rulings.iter().find_map(|ruling| {
            let proof = ruling.proof.as_ref().filter(|proof| proof.is_single_use);
            Some((ruling, proof?))
        })?;
        // Whatever is answered, or not: it may be used from now on.
        guard.used.0.borrow_mut().put(proof.claims.jti.clone(), ());
        Some(SpendRequest {
            graph: guard.snapshot().head().graph.clone(),
            tenant: proof.claims.tid.clone(),
            token: proof.claims.jti.clone(),
            used_for: Some(self.used_for(ruling, proof)),
        })
    }

    /// What the proof is used for. It was checked to be the caller's.
    fn used_for(&self, ruling: &Ruling, proof: &Proof) -> UsedFor {
        let selected = ruling.selected.as_ref();
        let actions = selected.map(|selected| selected.operation.actions.iter());
        UsedFor {
            decision_id: self.decision_id.clone(),
            issuer: proof.claims.sub_iss.clone(),
            subject: proof.claims.sub.clone(),
            purpose: self.head.purpose().map(ToOwned::to_owned),
            authority: self.head.authority().map(ToOwned::to_owned),
            actions: actions
                .into_iter()
                .flatten()
                .map(|action| action.name.clone())
                .collect(),
        }
    }

    /// Brings what the control plane says of a token, or that it says nothing.
    pub fn on_spent(&mut self, spent: Option<Spent>) -> Step {
        self.spending = spent.map_or(Spending::Unanswered, Spending::Answered);
        self.judge()
    }
}

fn challenge(guard: &Guard, selected: &Selected, resource: String) -> Challenge {
    let settings = guard.step_up.as_ref().map(|step_up| step_up.settings());
    let acr = settings.map_or_else(ig_contract::snapshot::StepUp::default_acr, |one| one.acr);
    let max_age = settings.map_or_else(
        ig_contract::snapshot::StepUp::default_max_age_seconds,
        |one| one.max_age_seconds,
    );
    let actions = selected.operation.actions.iter();
    let names: BTreeSet<_> = actions.map(|action| action.name.clone()).collect();
    Challenge {
        acr: acr.as_str(),
        max_age,
        actions: names.into_iter().collect(),
        resource,
    }
}

/// Hash of what is to be run: the document, the operation's name, and the
/// variables as they go on.
fn resource(request: &Request<'_>, selected: &Selected) -> String {
    let variables = canonical_variables(&selected.operation, request);
    let (document, name) = (selected.document.hash, &selected.operation.name);
    let text = format!("{document}\0{name}\0{variables}");
    TextHash::of(text.as_bytes()).to_string()
}
