//! One operation of a socket: decided as a request of its own.

use std::time::Duration;

use ig_contract::{Deny, DenyCode, TextHash};
#[cfg(feature = "policy")]
use ig_contract::{directory::Facts, step_up::Spent};
use ig_websocket::{Close, error_to_client, subscribe_to_upstream};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::cause::Cause;
use super::turn::{To, Turn};
use super::{MOST_DECISIONS, Socket, inputs};
use crate::effect::Step;
use crate::exchange::By;
use crate::record::Ruling;
use crate::{Exchange, Reply};

/// An operation that runs: what the client asked for, which is decided again when
/// something changes.
pub(super) struct Running {
    pub(super) payload: Box<str>,
}

/// An operation that waits for an answer.
pub(super) struct Pending {
    id: String,
    payload: Box<str>,
    exchange: Exchange,
}

const TOO_MANY: Deny = Deny::new(
    DenyCode::RateLimited,
    "websocket-operations",
    "As many operations run on this connection as may; complete one first.",
);
/// So many of the largest bodies are kept of what runs: with all that a connection
/// may run, a few hundred of them would fill the module's memory.
const KEPT_BODIES: usize = 4;

/// The one error of an answer, as its JSON stands there.
fn error_of(reply: &Reply) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        errors: Vec<&'a RawValue>,
    }
    let answer: Answer<'_> = serde_json::from_slice(&reply.body).ok()?;
    Some((*answer.errors.first()?).get().to_owned())
}

impl Socket {
    /// An exchange of this socket's caller; `None` without randomness.
    pub(super) fn exchange(&self, now: Duration, step_up: Option<&str>) -> Option<Exchange> {
        let mut head = self.head.clone();
        if let Some(token) = step_up {
            head.set_step_up(token);
        }
        let id = self.entropy.decision_id()?;
        #[cfg_attr(
            not(feature = "policy"),
            expect(unused_mut, reason = "only policy asks who")
        )]
        let mut exchange = Exchange::new(Some(self.guard.clone()), id, head);
        #[cfg(feature = "policy")]
        {
            exchange.identify(|| self.verified.clone());
            exchange.set_time(now);
        }
        #[cfg(not(feature = "policy"))]
        let _ = now;
        Some(exchange)
    }

    /// Whom the upstream is told about: actor and tenant.
    pub(super) fn who(&self) -> (Option<String>, Option<String>) {
        #[cfg(feature = "policy")]
        {
            let exchange = self.exchange(Duration::ZERO, None);
            let caller = exchange.as_ref().and_then(|one| one.asker.caller());
            let text = |of: fn(&ig_policy::Caller) -> &String| caller.map(|one| of(one).clone());
            (text(|one| &one.subject), text(|one| &one.tenant))
        }
        #[cfg(not(feature = "policy"))]
        (None, None)
    }

    pub(super) fn begin(&mut self, id: String, payload: &RawValue, now: Duration, turn: &mut Turn) {
        self.decisions += 1;
        if self.decisions > MOST_DECISIONS {
            return self.close_for(Cause::DECISIONS, turn);
        }
        let step_up = inputs::step_up(payload);
        let Some(mut exchange) = self.exchange(now, step_up.as_deref()) else {
            return self.end(turn);
        };
        let kept: usize = self.running.values().map(|one| one.payload.len()).sum();
        let most = (self.guard.limits().max_body_bytes as usize).saturating_mul(KEPT_BODIES);
        let is_full = self.running.len() >= usize::from(self.settings().max_operations)
            || kept.saturating_add(payload.get().len()) > most;
        let step = match is_full {
            true => {
                let ruling = Ruling::deny(By::PersistedQuery, TOO_MANY, None);
                exchange.finish(Some(&self.guard), &[ruling])
            }
            false => exchange.on_head(false),
        };
        let pending = Pending {
            id,
            payload: payload.get().into(),
            exchange,
        };
        self.apply(pending, step, now, turn);
    }

    /// Carries out a step of an operation's exchange.
    fn apply(&mut self, mut pending: Pending, step: Step, now: Duration, turn: &mut Turn) {
        let step = match step {
            Step::AwaitBody => {
                let body = pending.payload.as_bytes().to_vec();
                pending.exchange.on_body(body)
            }
            step => step,
        };
        match step {
            Step::Forward(forward) => {
                #[cfg(feature = "policy")]
                if pending.exchange.is_elsewhere() {
                    // It goes nowhere, so there is no record that it was let go.
                    return self.close_for(Cause::MOVED, turn);
                }
                turn.note(&forward.records, &forward.verdicts);
                #[cfg(feature = "policy")]
                if let Some(Step::Reply(reply)) =
                    self.overtaken(&pending.exchange, &pending.payload, now)
                {
                    turn.note(&reply.records, &reply.verdicts);
                    self.refuse(&pending.id, &reply, turn);
                    return self.read_backlog(now, turn);
                }
                let anew = forward.body.as_deref().map(std::str::from_utf8);
                // Where the allow-list only watches, it goes as it came.
                let payload: &str = match anew {
                    Some(Ok(anew)) => anew,
                    Some(Err(_)) => return self.close(Close::UPSTREAM, turn),
                    None => &pending.payload,
                };
                let text = subscribe_to_upstream(self.protocol, &pending.id, payload);
                let payload = pending.payload;
                self.running.insert(pending.id, Running { payload });
                self.say(To::Upstream, &text, turn);
            }
            Step::Reply(reply) => {
                turn.note(&reply.records, &reply.verdicts);
                self.refuse(&pending.id, &reply, turn);
            }
            step => {
                turn.ask = Some(step);
                self.pending = Some(pending);
                return;
            }
        }
        self.read_backlog(now, turn);
    }

    /// Tells a client why an operation does not run.
    pub(super) fn refuse(&mut self, id: &str, reply: &Reply, turn: &mut Turn) {
        match error_of(reply) {
            Some(error) => {
                let text = error_to_client(self.protocol, id, &error);
                self.say(To::Client, &text, turn);
            }
            None => self.end(turn),
        }
    }

    /// Goes on with the operation that waits.
    fn resume(&mut self, now: Duration, next: impl FnOnce(&mut Exchange) -> Option<Step>) -> Turn {
        let mut turn = Turn::default();
        let Some(mut pending) = self.pending.take() else {
            return turn;
        };
        #[cfg(feature = "policy")]
        pending.exchange.set_time(now);
        match next(&mut pending.exchange) {
            Some(step) => self.apply(pending, step, now, &mut turn),
            None => self.pending = Some(pending),
        }
        turn
    }

    /// Brings the facts that were asked for, or their absence.
    #[cfg(feature = "policy")]
    pub fn on_facts(&mut self, facts: Option<Facts>, now: Duration) -> Turn {
        self.resume(now, |exchange| Some(exchange.on_facts(facts)))
    }

    /// Brings what the control plane says of a token.
    #[cfg(feature = "policy")]
    pub fn on_spent(&mut self, spent: Option<Spent>, now: Duration) -> Turn {
        self.resume(now, |exchange| Some(exchange.on_spent(spent)))
    }

    /// Brings a text, or its absence.
    pub fn on_text(&mut self, hash: TextHash, text: Option<Vec<u8>>, now: Duration) -> Turn {
        self.resume(now, |exchange| exchange.on_text(hash, text))
    }
}
