//! One request on its way through the guards: identify, operation, decide,
//! rewrite.

#[cfg(feature = "policy")]
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;
#[cfg(feature = "policy")]
use std::time::Duration;

use ig_contract::snapshot::{Document, Operation, OperationIndex};
use ig_contract::{Deny, DenyCode, Mode, TextHash};
#[cfg(feature = "policy")]
use ig_persisted_query::Request;
use ig_persisted_query::{Item, Method, RequestParts, decode, select, select_by_text};
#[cfg(feature = "policy")]
use ig_rate_limit::Refusal;
use ig_websocket::Protocol;

#[cfg(feature = "policy")]
use crate::caller::Asker;
#[cfg(feature = "policy")]
use crate::charge::Charged;
use crate::effect::{Forward, Step};
use crate::head::is_ours;
#[cfg(feature = "policy")]
use crate::placement::Placement;
#[cfg(feature = "policy")]
use crate::presence::Spending;
use crate::record::{Ruling, records};
use crate::rewrite::Rewrite;
use crate::trace::TraceParent;
use crate::{Guard, RequestHead, reply};

/// One request.
pub struct Exchange {
    pub(crate) guard: Option<Rc<Guard>>,
    pub(crate) decision_id: String,
    pub(crate) head: RequestHead,
    #[cfg(feature = "policy")]
    pub(crate) asker: Asker,
    /// The whole body, once it is here.
    body: Option<Vec<u8>>,
    pub(crate) texts: BTreeMap<TextHash, Option<String>>,
    /// Since the epoch, where somebody has to know.
    #[cfg(feature = "policy")]
    pub(crate) now: Option<Duration>,
    #[cfg(feature = "policy")]
    pub(crate) spending: Spending,
    #[cfg(feature = "policy")]
    pub(crate) charged: OnceCell<Charged>,
    #[cfg(feature = "policy")]
    pub(crate) placement: OnceCell<Placement>,
    /// The sub-protocol, where the request opens a WebSocket.
    pub(crate) protocol: Option<Protocol>,
}

/// The guards, in the words of a decision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum By {
    PersistedQuery,
    #[cfg(feature = "policy")]
    Policy,
    #[cfg(feature = "policy")]
    StepUp,
    #[cfg(feature = "policy")]
    RateLimit,
    #[cfg(feature = "policy")]
    Residency,
}

/// An operation of the catalogue that a request names.
#[derive(Clone)]
pub(crate) struct Selected {
    pub(crate) document: Document,
    pub(crate) index: OperationIndex,
    pub(crate) operation: Rc<Operation>,
}

const NO_SNAPSHOT: Deny = Deny::new(
    DenyCode::GuardUnavailable,
    "no-snapshot",
    "The guard has no configuration yet, or none in a format that it reads; try again later.",
);
const TOO_LARGE: Deny = Deny::new(
    DenyCode::RequestTooLarge,
    "body-limit",
    "The body is larger than allowed.",
);
const MUTATION_BY_GET: Deny = Deny::new(
    DenyCode::MutationForbidden,
    "mutation-by-get",
    "Send mutations by POST.",
);
#[cfg(feature = "policy")]
const OPERATION_UNKNOWN: Deny = Deny::new(
    DenyCode::PolicyDenied,
    "operation-unknown",
    "No policy can allow an operation that is not in the catalogue.",
);

impl Exchange {
    /// A request whose head has arrived. `guard` is `None` before the first
    /// snapshot.
    pub fn new(guard: Option<Rc<Guard>>, decision_id: String, head: RequestHead) -> Self {
        Self {
            guard,
            decision_id,
            head,
            #[cfg(feature = "policy")]
            asker: Asker::default(),
            body: None,
            texts: BTreeMap::new(),
            #[cfg(feature = "policy")]
            now: None,
            #[cfg(feature = "policy")]
            spending: Spending::default(),
            #[cfg(feature = "policy")]
            charged: OnceCell::new(),
            #[cfg(feature = "policy")]
            placement: OnceCell::new(),
            protocol: None,
        }
    }

    /// The trace that the request is part of, where the gateway traces.
    pub fn trace(&self) -> Option<TraceParent> {
        let guard = self.guard.as_ref()?;
        guard.is_traced.then(|| self.head.trace()).flatten()
    }

    /// Id of the decision.
    pub fn decision_id(&self) -> &str {
        &self.decision_id
    }

    /// Takes over the id of a decision made by an instance before this one.
    pub fn set_decision_id(&mut self, decision_id: String) {
        self.decision_id = decision_id;
    }

    /// Whether a trailer must not reach the upstream: one of ours in any mode,
    /// since some servers merge trailers into headers, and any beside a request
    /// that is written anew.
    pub fn removes_trailer(&self, name: &[u8]) -> bool {
        let is_anew = self
            .guard
            .as_ref()
            .is_some_and(|guard| self.rewrites(guard));
        is_anew || is_ours(name)
    }

    /// Whether requests go on in canonical form.
    fn rewrites(&self, guard: &Guard) -> bool {
        guard.guards.persisted_query && self.mode(By::PersistedQuery) == Mode::Enforce
    }

    /// Decides what the head alone can decide.
    pub fn on_head(&mut self, end_of_stream: bool) -> Step {
        let Some(guard) = self.guard.clone() else {
            return self.finish(None, &[self.shape_deny(NO_SNAPSHOT)]);
        };
        if self.head.is_upgrade() && guard.subscriptions().is_some() {
            return self.on_handshake(&guard);
        }
        let ruling = self.check_head(&guard);
        // Before what shadow lets pass: nothing is served here that may not be.
        #[cfg(feature = "policy")]
        if !self.is_denied(ruling.as_slice())
            && let Some(step) = self.leave(&guard)
        {
            return step;
        }
        if let Some(ruling) = ruling {
            return self.finish(Some(&guard), &[ruling]);
        }
        if end_of_stream {
            self.body = Some(Vec::new());
        }
        #[cfg(feature = "policy")]
        if let Some(step) = self.find_actor() {
            return step;
        }
        self.go_on()
    }

    /// Decides as soon as everything is here.
    pub(crate) fn go_on(&mut self) -> Step {
        if let Some(protocol) = self.protocol {
            return self.admit(protocol);
        }
        match self.body {
            Some(_) => self.judge(),
            None => Step::AwaitBody,
        }
    }

    fn check_head(&self, guard: &Guard) -> Option<Ruling> {
        self.check_with(guard, || self.head.check_shape().map(|_| ()))
    }

    /// Checks a head whose shape is one of these.
    pub(crate) fn check_with(
        &self,
        guard: &Guard,
        shape: impl FnOnce() -> Result<(), Deny>,
    ) -> Option<Ruling> {
        #[cfg(feature = "policy")]
        if guard.guards.policy {
            // In shadow an unknown caller goes on: its request still has a
            // shape to judge.
            if let (Some(deny), Mode::Enforce) = (self.asker.token_deny(), self.mode(By::Policy)) {
                return Some(Ruling::deny(By::Policy, deny, None));
            }
            if let (Err(deny), Mode::Enforce) = (self.head.check_inputs(), self.mode(By::Policy)) {
                return Some(Ruling::deny(By::Policy, deny, None));
            }
        }
        let path = || {
            ig_persisted_query::check_target(self.head.target(), &guard.snapshot().head().endpoint)
        };
        // Where policy runs, it is policy that judges them, above.
        let inputs = || match self.decides_who() {
            true => Ok(()),
            false => self.head.check_inputs(),
        };
        shape()
            .and_then(|()| path())
            .and_then(|()| inputs())
            .err()
            .map(|deny| self.shape_deny(deny))
    }

    /// Says whether a body of this size, or a part of one, may still be
    /// collected. If not, the step to take.
    pub fn on_body_size(&self, bytes: usize) -> Option<Step> {
        let guard = self.guard.as_ref()?;
        let is_too_large = bytes > guard.limits().max_body_bytes as usize;
        is_too_large.then(|| self.finish(Some(guard), &[self.shape_deny(TOO_LARGE)]))
    }

    /// Decides on the whole request.
    pub fn on_body(&mut self, body: Vec<u8>) -> Step {
        if let Some(step) = self.on_body_size(body.len()) {
            return step;
        }
        self.body = Some(body);
        // A change since the head counts: the body's sender decides how long it
        // takes.
        #[cfg(feature = "policy")]
        if let Some(step) = self.find_actor() {
            return step;
        }
        self.judge()
    }

    /// Brings a text from the store, or its absence. Answers with the next
    /// step once every awaited text has come.
    pub fn on_text(&mut self, hash: TextHash, text: Option<Vec<u8>>) -> Option<Step> {
        // The store is not believed: the text is the one that has the hash.
        let text = text
            .filter(|text| TextHash::of(text) == hash)
            .and_then(|text| String::from_utf8(text).ok());
        self.texts.insert(hash, Some(text.unwrap_or_default()));
        let all_here = self.texts.values().all(Option::is_some);
        // As with the body: the store decides how long it takes.
        #[cfg(feature = "policy")]
        if all_here && let Some(step) = self.find_actor() {
            return Some(step);
        }
        all_here.then(|| self.judge())
    }

    pub(crate) fn judge(&mut self) -> Step {
        let Some(guard) = self.guard.clone() else {
            return self.finish(None, &[self.shape_deny(NO_SNAPSHOT)]);
        };
        let method = match self.head.check_shape() {
            Ok(method) => method,
            Err(deny) => return self.finish(Some(&guard), &[self.shape_deny(deny)]),
        };
        let head = guard.snapshot().head();
        let parts = RequestParts {
            method,
            target: self.head.target(),
            body: self.body.as_deref().unwrap_or_default(),
            endpoint: &head.endpoint,
            limits: &head.limits,
        };
        let step = decode(parts, |is_batch, items| {
            self.judge_items(&guard, method, is_batch, &items)
        });
        let step = step.unwrap_or_else(|deny| self.finish(Some(&guard), &[self.shape_deny(deny)]));
        if let Step::FetchTexts(hashes) = &step {
            self.texts.extend(hashes.iter().map(|hash| (*hash, None)));
        }
        step
    }

    fn judge_items(
        &self,
        guard: &Guard,
        method: Method,
        is_batch: bool,
        items: &[Item<'_>],
    ) -> Step {
        let rulings = self.rule_all(guard, method, is_batch, items);
        let mut forward = Forward::default();
        let goes_on = !self.is_denied(&rulings);
        if goes_on && self.rewrites(guard) {
            match self.rewrite(guard, method, is_batch, items, &rulings) {
                Ok(Rewrite::Done(anew)) => forward = anew,
                Ok(Rewrite::Needs(hashes)) => return Step::FetchTexts(hashes),
                Err(deny) => return self.finish(Some(guard), &[self.shape_deny(deny)]),
            }
        }
        // Last of all: what does not go on has not used its token.
        #[cfg(feature = "policy")]
        if goes_on && let Some(token) = self.to_spend(guard, &rulings) {
            return Step::SpendToken(token);
        }
        self.finish_as(Some(guard), &rulings, is_batch, forward)
    }

    fn rule_all(
        &self,
        guard: &Guard,
        method: Method,
        is_batch: bool,
        items: &[Item<'_>],
    ) -> Vec<Ruling> {
        let selected = items.iter().map(|item| self.select(guard, method, item));
        let selected: Vec<_> = selected.collect();
        #[cfg(feature = "policy")]
        let refusal = match guard.guards.policy {
            true => self.charge(guard, items, &selected),
            false => None,
        };
        #[cfg(feature = "policy")]
        if let (Some(refusal), true) = (refusal, self.is_refused()) {
            let all = selected.into_iter();
            return all.map(|one| Ruling::refused(refusal, one.ok())).collect();
        }
        let rulings = items.iter().zip(selected).map(|(item, selected)| {
            let ruling = self.rule(guard, is_batch, item, selected);
            #[cfg(feature = "policy")]
            let ruling = ruling
                .watched(By::RateLimit, refusal.map(Refusal::deny))
                .watched(By::Residency, self.misplaced(guard));
            ruling
        });
        rulings.collect()
    }

    /// Rules on one operation.
    fn rule(
        &self,
        guard: &Guard,
        is_batch: bool,
        item: &Item<'_>,
        selected: Result<Selected, Deny>,
    ) -> Ruling {
        let selected = match selected {
            Ok(selected) => selected,
            Err(deny) => return self.shape_deny(deny),
        };
        #[cfg(feature = "policy")]
        if let (true, Ok(request)) = (guard.guards.policy, item) {
            return self.ask_policy(guard, is_batch, request, selected);
        }
        #[cfg(not(feature = "policy"))]
        let _ = (guard, is_batch, item);
        Ruling::allow_listed(selected)
    }

    pub(crate) fn select(
        &self,
        guard: &Guard,
        method: Method,
        item: &Item<'_>,
    ) -> Result<Selected, Deny> {
        let request = item.as_ref().map_err(Clone::clone)?;
        let snapshot = guard.snapshot();
        let client = self.client();
        let load = |index| guard.operations.record(snapshot, index);
        let (document, index, operation) = match guard.guards.persisted_query {
            true => select(snapshot, request, client, load)?,
            false => select_by_text(snapshot, request, client, load)?,
        };
        let is_mutation = operation.kind == ig_contract::snapshot::OperationKind::Mutation;
        match is_mutation && method == Method::Get {
            true => Err(MUTATION_BY_GET),
            false => Ok(Selected {
                document,
                index,
                operation,
            }),
        }
    }

    #[cfg(feature = "policy")]
    fn ask_policy(
        &self,
        guard: &Guard,
        is_batch: bool,
        request: &Request<'_>,
        selected: Selected,
    ) -> Ruling {
        let grant = self.decide(guard, request, &selected);
        if let (Err(deny), Mode::Enforce) = (&grant, self.mode(By::Policy)) {
            return Ruling::deny(By::Policy, deny.clone(), Some(selected));
        }
        // Where policy only watches, what it would deny still needs a proof.
        match (grant, self.prove(guard, is_batch, request, &selected)) {
            (Ok(grant), Ok(proof)) => Ruling::granted(grant, selected, proof),
            (Ok(_), Err(ruling)) => *ruling,
            (Err(_), Err(ruling)) if self.mode(By::StepUp) == Mode::Enforce => *ruling,
            (Err(deny), proof) => Ruling {
                proof: proof.ok().flatten(),
                ..Ruling::deny(By::Policy, deny, Some(selected))
            },
        }
    }

    #[cfg(feature = "policy")]
    pub(crate) fn decide(
        &self,
        guard: &Guard,
        request: &Request<'_>,
        selected: &Selected,
    ) -> Result<ig_policy::Grant, Deny> {
        let known = self.asker.actor()?;
        self.head.check_inputs()?;
        let grant = guard.policy.decide(ig_policy::Question {
            actor_number: known.number,
            actor: &known.actor,
            purpose: self.head.purpose(),
            authority: self.head.authority(),
            operation_number: selected.index.number().into(),
            operation: &selected.operation,
            variables: &request.variables,
        })?;
        self.check_freshness(guard, &selected.operation)?;
        Ok(grant)
    }
}

impl Exchange {
    /// A deny about the shape of a request, by the guard whose it is here.
    pub(crate) fn shape_deny(&self, deny: Deny) -> Ruling {
        #[cfg(feature = "policy")]
        if let Some(guard) = &self.guard {
            // Where the allow-list only watches, policy still has no record to
            // decide on.
            let is_watching = self.mode(By::PersistedQuery) == Mode::Shadow;
            if !guard.guards.persisted_query {
                return Ruling::deny(By::Policy, deny, None);
            }
            if guard.guards.policy && is_watching && self.mode(By::Policy) == Mode::Enforce {
                return Ruling::deny(By::Policy, OPERATION_UNKNOWN, None);
            }
        }
        Ruling::deny(By::PersistedQuery, deny, None)
    }

    pub(crate) fn mode(&self, by: By) -> Mode {
        let Some(guard) = &self.guard else {
            return Mode::Enforce;
        };
        let modes = guard.modes(self.tenant());
        match by {
            By::PersistedQuery => modes.persisted_query,
            #[cfg(feature = "policy")]
            By::Policy => modes.policy,
            #[cfg(feature = "policy")]
            By::StepUp => modes.step_up,
            #[cfg(feature = "policy")]
            By::RateLimit => modes.rate_limit,
            #[cfg(feature = "policy")]
            By::Residency => modes.residency,
        }
    }

    pub(crate) fn is_denied(&self, rulings: &[Ruling]) -> bool {
        rulings
            .iter()
            .any(|ruling| ruling.grant.is_err() && self.mode(ruling.by) == Mode::Enforce)
    }

    pub(crate) fn finish(&self, guard: Option<&Guard>, rulings: &[Ruling]) -> Step {
        self.finish_as(guard, rulings, false, Forward::default())
    }

    /// Ends the decision: the answer, or the request with its annotations.
    pub(crate) fn finish_as(
        &self,
        guard: Option<&Guard>,
        rulings: &[Ruling],
        is_batch: bool,
        forward: Forward,
    ) -> Step {
        let is_denied = self.is_denied(rulings);
        let records = records(self, guard, rulings, is_denied);
        if !is_denied {
            return Step::Forward(self.annotate(rulings, records, forward));
        }
        let answer = self.head.answer();
        Step::Reply(reply::reply(
            rulings,
            is_batch,
            answer,
            &self.decision_id,
            records,
        ))
    }

    pub(crate) fn decides_what(&self) -> bool {
        let guard = self.guard.as_ref();
        guard.is_some_and(|guard| guard.guards.persisted_query)
    }

    pub(crate) fn decides_who(&self) -> bool {
        #[cfg(feature = "policy")]
        return self.guard.as_ref().is_some_and(|guard| guard.guards.policy);
        #[cfg(not(feature = "policy"))]
        false
    }

    /// The tenant of who asks, once it is known.
    pub fn tenant_id(&self) -> Option<&str> {
        self.tenant()
    }

    pub(crate) fn tenant(&self) -> Option<&str> {
        #[cfg(feature = "policy")]
        return self.asker.caller().map(|caller| &*caller.tenant);
        #[cfg(not(feature = "policy"))]
        None
    }

    fn client(&self) -> Option<&str> {
        #[cfg(feature = "policy")]
        return self.asker.caller()?.client.as_deref();
        #[cfg(not(feature = "policy"))]
        None
    }
}
