//! Whether who opened a socket may still be there, and whether what runs may still
//! run: the token's end, the directory's changes, another revision.

use std::rc::Rc;
use std::time::Duration;

#[cfg(feature = "policy")]
use ig_contract::directory::{Facts, FactsRequest};
use ig_contract::snapshot::Retired;
#[cfg(feature = "policy")]
use ig_contract::{Deny, Mode};
use ig_persisted_query::{Method, RequestParts, decode};
#[cfg(feature = "policy")]
use ig_websocket::Close;
use ig_websocket::complete_to_upstream;

use super::Socket;
use super::cause::Cause;
use super::turn::{To, Turn};
use crate::effect::Step;
use crate::record::Ruling;
use crate::{Exchange, Guard};
#[cfg(feature = "policy")]
use crate::{
    directory::{Lookup, Ticket},
    exchange::By,
};

/// What was known when the socket was looked at last.
#[derive(Default)]
pub(super) struct Seen {
    /// The number of the actor, by which facts that say the same are known.
    #[cfg(feature = "policy")]
    actor: Option<u64>,
    /// The facts, which stay the same value until a change of theirs: changes of
    /// others cost a look-up.
    #[cfg(feature = "policy")]
    facts: Option<(Rc<FactsRequest>, Rc<Facts>)>,
}

/// What has to be done about a socket after a change.
#[derive(Debug)]
pub enum Standing {
    /// This, which may be nothing.
    Known(Box<Turn>),
    /// Ask the directory, keep what it answers there, and look again.
    #[cfg(feature = "policy")]
    Ask(Rc<FactsRequest>, Ticket),
}

#[cfg(feature = "policy")]
impl Seen {
    pub(super) fn of(exchange: &Exchange) -> Self {
        let actor = exchange.asker.actor().ok();
        Self {
            actor: actor.map(|known| known.number),
            facts: None,
        }
    }

    /// Whether the directory says what it said.
    fn is_current(&self, guard: &Guard) -> bool {
        let (Some((question, facts)), Some(directory)) = (&self.facts, guard.directory()) else {
            return false;
        };
        matches!(directory.recall(question), Lookup::Known(now) if Rc::ptr_eq(&now, facts))
    }
}

impl Socket {
    /// Closes a socket whose token has ended.
    pub(super) fn on_expiry(&mut self, now: Duration, turn: &mut Turn) {
        #[cfg(feature = "policy")]
        if now.as_secs() >= self.expires && self.guard.guards.policy {
            self.close_for(Cause::EXPIRED, turn);
        }
        #[cfg(not(feature = "policy"))]
        let _ = (now, turn);
    }

    /// Goes on under another revision, and decides again what runs.
    pub fn on_revision(&mut self, guard: &Rc<Guard>, now: Duration) -> Standing {
        // The same revision once more is no reason not to look.
        if self.guard.snapshot().revision() == guard.snapshot().revision() || self.is_over() {
            return self.look(now);
        }
        self.guard = guard.clone();
        if guard.subscriptions().is_none() {
            let mut turn = Turn::default();
            self.close_for(Cause::OFF, &mut turn);
            return Standing::Known(Box::new(turn));
        }
        self.seen = Seen::default();
        #[cfg(feature = "policy")]
        if self.guard.guards.policy {
            return self.look(now);
        }
        // Where nobody decides who asks, a release may still take operations out.
        let mut turn = Turn::default();
        match self.exchange(now, None) {
            Some(exchange) => self.weigh_all(&exchange, self.settings().retired, &mut turn),
            None => self.end(&mut turn),
        }
        Standing::Known(Box::new(turn))
    }

    /// Looks whether who opened the socket may still be there.
    #[cfg(not(feature = "policy"))]
    pub fn look(&mut self, _: Duration) -> Standing {
        Standing::Known(Box::default())
    }

    /// Looks whether who opened the socket may still be there.
    #[cfg(feature = "policy")]
    pub fn look(&mut self, now: Duration) -> Standing {
        let mut turn = Turn::default();
        if self.is_over() || !self.guard.guards.policy || self.seen.is_current(&self.guard) {
            return Standing::Known(Box::new(turn));
        }
        let guard = self.guard.clone();
        let Some(mut exchange) = self.exchange(now, None) else {
            self.end(&mut turn);
            return Standing::Known(Box::new(turn));
        };
        if let (Some(directory), Some(known)) = (guard.directory(), exchange.known_caller())
            && let Some(question) = known.question()
        {
            match directory.recall(question) {
                Lookup::Known(facts) => {
                    exchange.make_actor(&guard, &known, &facts);
                    self.seen.facts = Some((question.clone(), facts));
                }
                Lookup::Unknown(ticket) => return Standing::Ask(question.clone(), ticket),
                Lookup::Expired if exchange.mode(By::Policy) == Mode::Enforce => {
                    self.close_for(Cause::DIRECTORY, &mut turn);
                    return Standing::Known(Box::new(turn));
                }
                Lookup::Expired => {}
            }
        }
        self.weigh(&exchange, &mut turn);
        Standing::Known(Box::new(turn))
    }

    /// The directory does not say who this is, and was asked again.
    #[cfg(feature = "policy")]
    pub fn on_no_facts(&mut self) -> Turn {
        let mut turn = Turn::default();
        let exchange = self.exchange(Duration::ZERO, None);
        // Who only watches ends nothing.
        if exchange.is_none_or(|one| one.mode(By::Policy) == Mode::Enforce) {
            self.close_for(Cause::DIRECTORY, &mut turn);
        }
        turn
    }

    /// Decides by what is known now: first of who asks, then of what runs.
    #[cfg(feature = "policy")]
    fn weigh(&mut self, exchange: &Exchange, turn: &mut Turn) {
        if exchange.has_moved() {
            return self.close_for(Cause::MOVED, turn);
        }
        // A release may let run on what it takes out; a change of who asks may not.
        let retired = match self.seen.actor {
            None => self.settings().retired,
            Some(_) => Retired::Close,
        };
        let is_enforced = exchange.mode(By::Policy) == Mode::Enforce;
        match exchange.asker.actor() {
            Ok(actor) if self.seen.actor == Some(actor.number) => return,
            Ok(actor) => self.seen.actor = Some(actor.number),
            Err(deny) if is_enforced => {
                self.record(exchange, deny, turn);
                return self.close(Close::FORBIDDEN, turn);
            }
            Err(_) => return,
        }
        self.weigh_all(exchange, retired, turn);
    }

    fn weigh_all(&mut self, exchange: &Exchange, retired: Retired, turn: &mut Turn) {
        let ids: Vec<String> = self.running.keys().cloned().collect();
        for id in ids {
            self.weigh_operation(exchange, &id, retired, turn);
        }
    }

    fn weigh_operation(
        &mut self,
        exchange: &Exchange,
        id: &str,
        retired: Retired,
        turn: &mut Turn,
    ) {
        let Some(running) = self.running.get(id) else {
            return;
        };
        let Err(ruling) = exchange.rule_again(&running.payload, retired) else {
            return;
        };
        if let Step::Reply(reply) = exchange.finish(Some(&self.guard), &[*ruling]) {
            turn.note(&reply.records, &reply.verdicts);
            self.running.remove(id);
            let text = complete_to_upstream(self.protocol, id);
            self.say(To::Upstream, &text, turn);
            self.refuse(id, &reply, turn);
        }
    }

    /// Decides again on an operation that waited for an answer: when the socket was
    /// looked at meanwhile, it was none of what runs.
    #[cfg(feature = "policy")]
    pub(super) fn overtaken(
        &mut self,
        waited: &Exchange,
        payload: &str,
        now: Duration,
    ) -> Option<Step> {
        let guard = self.guard.clone();
        let number = waited.asker.actor().ok().map(|known| known.number);
        let before = waited.guard.as_ref();
        let is_same = before.is_some_and(|before| Rc::ptr_eq(before, &guard));
        if is_same && (number == self.seen.actor || !guard.guards.policy) {
            return None;
        }
        let mut exchange = self.exchange(now, None)?;
        if let (Some(directory), Some(known)) = (guard.directory(), exchange.known_caller())
            && let Some(question) = known.question()
        {
            let Lookup::Known(facts) = directory.recall(question) else {
                // The look that this is asked for decides on all that runs.
                self.seen.actor = None;
                return None;
            };
            exchange.make_actor(&guard, &known, &facts);
        }
        let ruling = exchange.rule_again(payload, Retired::Close).err()?;
        Some(exchange.finish(Some(&guard), &[*ruling]))
    }

    #[cfg(feature = "policy")]
    fn record(&self, exchange: &Exchange, deny: Deny, turn: &mut Turn) {
        let ruling = Ruling::deny(By::Policy, deny, None);
        if let Step::Reply(reply) = exchange.finish(Some(&self.guard), &[ruling]) {
            turn.note(&reply.records, &reply.verdicts);
        }
    }
}

impl Exchange {
    /// Decides again on an operation that runs. It has paid, and proved whose
    /// presence it had to, when it began.
    fn rule_again(&self, payload: &str, retired: Retired) -> Result<(), Box<Ruling>> {
        let Some(guard) = &self.guard else {
            return Ok(());
        };
        let head = guard.snapshot().head();
        let parts = RequestParts {
            method: Method::Post,
            target: &head.endpoint,
            body: payload.as_bytes(),
            endpoint: &head.endpoint,
            limits: &head.limits,
        };
        let ruled = decode(parts, |_, items| {
            let Some(item) = items.first() else {
                return Ok(());
            };
            let selected = match self.select(guard, Method::Post, item) {
                Ok(selected) => selected,
                Err(_) if retired == Retired::Drain => return Ok(()),
                Err(deny) => return Err(Box::new(self.shape_deny(deny))),
            };
            #[cfg(feature = "policy")]
            if guard.guards.policy
                && let Ok(request) = item
                && let Err(deny) = self.decide(guard, request, &selected)
            {
                return Err(Box::new(Ruling::deny(By::Policy, deny, Some(selected))));
            }
            #[cfg(not(feature = "policy"))]
            let _ = selected;
            Ok(())
        });
        // It was read when it began; smaller limits end nothing that runs.
        ruled.unwrap_or(Ok(()))
    }
}

#[cfg(feature = "policy")]
impl Guard {
    /// Keeps facts that were asked for on behalf of sockets; `false` where there is
    /// nothing to look at, and it has to be asked again.
    pub fn keep_facts(
        &self,
        question: &Rc<FactsRequest>,
        ticket: Ticket,
        facts: Option<Facts>,
    ) -> bool {
        use crate::directory::Learned;
        let learned = self
            .directory()
            .map(|directory| directory.on_facts(question, ticket, facts));
        matches!(learned, Some(Learned::Known(_)))
    }
}
