//! Who asks: what the token says, and what the directory adds to it.

use std::rc::Rc;

use ig_contract::directory::Facts;
use ig_contract::snapshot::Operation;
use ig_contract::{Deny, DenyCode, Mode};
use ig_policy::Actor;

use crate::directory::{Freshness, Learned, Lookup, Ticket};
use crate::effect::Step;
use crate::exchange::By;
use crate::identity::{Identity, KnownCaller, VerifiedToken};
use crate::record::Ruling;
use crate::{Exchange, Guard};

/// What is known of who asks.
#[derive(Default)]
pub(crate) struct Asker {
    /// Whom the token is about.
    caller: Option<Result<Rc<KnownCaller>, Deny>>,
    /// What that makes, once it is known.
    actor: Option<Identity>,
    /// Of the question that is under way.
    ticket: Ticket,
    is_asked_again: bool,
    step_up_from: u64,
}

const UNAVAILABLE: Deny = Deny::new(
    DenyCode::GuardUnavailable,
    "directory-unavailable",
    "It could not be found out who you are here; try again later.",
);
const STALE: Deny = Deny::new(
    DenyCode::GuardUnavailable,
    "directory-stale",
    "What is known of you may be out of date; try again later.",
);

impl Asker {
    /// Whom the token is about.
    pub(crate) fn caller(&self) -> Option<&ig_policy::Caller> {
        match &self.caller {
            Some(Ok(known)) => Some(&known.caller),
            _ => None,
        }
    }

    /// Why nobody can be made of the token.
    pub(crate) fn token_deny(&self) -> Option<Deny> {
        match &self.caller {
            Some(Ok(_)) => None,
            Some(Err(deny)) => Some(deny.clone()),
            None => Some(Actor::UNAUTHENTICATED),
        }
    }

    /// Step-up tokens made before this do not count, in seconds since the epoch.
    pub(crate) fn step_up_from(&self) -> u64 {
        self.step_up_from
    }

    /// Who asks.
    pub(crate) fn actor(&self) -> Identity {
        match (self.token_deny(), &self.actor) {
            (Some(deny), _) => Err(deny),
            (None, Some(actor)) => actor.clone(),
            (None, None) => Err(UNAVAILABLE),
        }
    }
}

impl Exchange {
    /// Reads who asks. `verified` is what the host's metadata says of the
    /// verified token; it is asked only where that is not known yet.
    pub fn identify(&mut self, verified: impl FnOnce() -> Option<VerifiedToken>) {
        if let Some(guard) = &self.guard {
            let head = guard.snapshot().head();
            let payload = self.head.jwt_payload();
            let caller = guard.identities.read(head, payload, verified);
            let by_token = caller.as_ref().ok().and_then(|known| known.by_token());
            self.asker.actor = by_token.cloned();
            self.asker.caller = Some(caller);
        }
    }

    /// Finds the actor where a directory knows it. Answers with the step to take
    /// first, if there is one: to ask, or to deny.
    pub(crate) fn find_actor(&mut self) -> Option<Step> {
        let guard = self.guard.clone()?;
        let (directory, known) = (guard.directory()?, self.known_caller()?);
        // In shadow, what was not known at the head is not asked for again.
        if let Some(Err(_)) = &self.asker.actor {
            return None;
        }
        match directory.lookup(known.question()?) {
            Lookup::Known(facts) => self.make_actor(&guard, &known, &facts),
            Lookup::Expired => self.asker.actor = Some(Err(STALE)),
            Lookup::Unknown(ticket) => {
                self.asker.is_asked_again = false;
                return self.ask(&known, ticket);
            }
        }
        self.deny_actor(&guard)
    }

    fn ask(&mut self, known: &KnownCaller, ticket: Ticket) -> Option<Step> {
        self.asker.ticket = ticket;
        Some(Step::FetchFacts((**known.question()?).clone()))
    }

    pub(crate) fn known_caller(&self) -> Option<Rc<KnownCaller>> {
        self.asker.caller.as_ref()?.as_ref().ok().cloned()
    }

    pub(crate) fn make_actor(&mut self, guard: &Guard, known: &KnownCaller, facts: &Rc<Facts>) {
        let head = guard.snapshot().head();
        self.asker.step_up_from = facts.step_up_from;
        self.asker.actor = Some(known.by_facts(facts, &guard.identities, head));
    }

    fn deny_actor(&self, guard: &Guard) -> Option<Step> {
        let Some(Err(deny)) = &self.asker.actor else {
            return None;
        };
        // In shadow an unknown caller goes on, as in `check_head`.
        let is_enforced = self.mode(By::Policy) == Mode::Enforce;
        is_enforced
            .then(|| self.finish(Some(guard), &[Ruling::deny(By::Policy, deny.clone(), None)]))
    }

    /// Brings the facts that were asked for, or their absence.
    pub fn on_facts(&mut self, facts: Option<Facts>) -> Step {
        self.learn(facts).unwrap_or_else(|| self.go_on())
    }

    fn learn(&mut self, facts: Option<Facts>) -> Option<Step> {
        let guard = self.guard.clone()?;
        let (directory, known) = (guard.directory()?, self.known_caller()?);
        match directory.on_facts(known.question()?, self.asker.ticket, facts) {
            Learned::Known(facts) => self.make_actor(&guard, &known, &facts),
            Learned::Overtaken(ticket) if !self.asker.is_asked_again => {
                self.asker.is_asked_again = true;
                return self.ask(&known, ticket);
            }
            Learned::Overtaken(_) | Learned::Unavailable => {
                self.asker.actor = Some(Err(UNAVAILABLE));
            }
        }
        self.deny_actor(&guard)
    }

    /// Says whether what is known of the actor is sure enough for an operation:
    /// where it takes data out, or reaches into other tenants, no change may be
    /// missed.
    pub(crate) fn check_freshness(&self, guard: &Guard, operation: &Operation) -> Result<(), Deny> {
        let Some(directory) = guard.directory() else {
            return Ok(());
        };
        match directory.freshness() {
            Freshness::Fresh => Ok(()),
            Freshness::Stale if !operation.is_sensitive() => Ok(()),
            Freshness::Stale | Freshness::Expired => Err(STALE),
        }
    }
}
