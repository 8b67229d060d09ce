//! One request: callbacks in, host calls out.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

#[cfg(feature = "policy")]
use ig_contract::directory::{Facts, FactsRequest, MAX_FACTS_BYTES};
#[cfg(feature = "policy")]
use ig_contract::step_up::{MAX_SPENT_BYTES, SpendRequest, Spent};
use ig_contract::{DecisionRecord, DenyCode, Outcome, TextHash, decision, headers};
use ig_guard::{Exchange, Forward, Guard, Reply, RequestHead, Step, TraceParent, Verdict};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::claims::VerifiedClaims;
#[cfg(feature = "policy")]
use crate::directory;
use crate::host::{self, Buffer, HostError, Level, Map, Pairs, Stream, UNREADABLE};
use crate::metrics::{self, Call};
use crate::root;
use crate::socket::Connection;

#[cfg(feature = "policy")]
mod answer;
mod upgrade;

/// Where a request stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    AwaitingBody,
    #[cfg(feature = "policy")]
    AwaitingFacts,
    AwaitingTexts,
    #[cfg(feature = "policy")]
    AwaitingSpent,
    /// Sent on or answered.
    Done,
    /// A WebSocket that the upstream did not take: what the client says meets
    /// nobody who reads frames, and must not be taken for requests.
    Refused,
}

/// One request.
pub(crate) struct HttpRequest {
    context: u32,
    guard: Option<Rc<Guard>>,
    #[cfg_attr(
        not(feature = "policy"),
        expect(dead_code, reason = "only policy asks who")
    )]
    verified: Rc<VerifiedClaims>,
    exchange: Option<Exchange>,
    stage: Stage,
    fetches: Vec<(u32, TextHash)>,
    /// The WebSocket that the request has opened.
    socket: Option<Rc<RefCell<Connection>>>,
    /// The question to the directory that is under way.
    #[cfg(feature = "policy")]
    question: Option<u32>,
    /// Whether the whole body is there. It may be before it is awaited.
    #[cfg(feature = "policy")]
    is_whole: bool,
    /// The counter of answers from other regions.
    #[cfg(feature = "policy")]
    breaches: Option<u32>,
}

/// Answer when even a decision could not be begun.
const UNAVAILABLE: &[u8] = br#"{"errors":[{"message":"The guard could not decide; try again later.","extensions":{"code":"GUARD_UNAVAILABLE","rule":"host"}}]}"#;

impl HttpRequest {
    pub(crate) fn new(
        context: u32,
        guard: Option<Rc<Guard>>,
        verified: Rc<VerifiedClaims>,
    ) -> Self {
        Self {
            context,
            guard,
            verified,
            exchange: None,
            stage: Stage::Head,
            fetches: Vec::new(),
            socket: None,
            #[cfg(feature = "policy")]
            question: None,
            #[cfg(feature = "policy")]
            is_whole: false,
            #[cfg(feature = "policy")]
            breaches: None,
        }
    }

    #[cfg(feature = "policy")]
    pub(crate) fn counting(mut self, breaches: Option<u32>) -> Self {
        self.breaches = breaches;
        self
    }

    fn begin(&mut self) -> Result<(), HostError> {
        let pairs = Pairs::read(Map::Request)?;
        let pairs = pairs
            .iter()
            .filter(|pairs| !pairs.is_empty())
            .ok_or(UNREADABLE)?;
        let head = RequestHead::read(pairs);
        let decision_id = root::decision_id().ok_or(UNREADABLE)?;
        let mut exchange = Exchange::new(self.guard.clone(), decision_id, head);
        #[cfg(feature = "policy")]
        if self.guard.is_some() {
            exchange.identify(|| self.verified.read());
        }
        // One request has one id, also where two instances share the work.
        if let Some(earlier) = self.earlier_decision_id() {
            exchange.set_decision_id(earlier);
        }
        self.exchange = Some(exchange);
        Ok(())
    }

    /// Id of the decision that an allow-list in front of this instance made.
    fn earlier_decision_id(&self) -> Option<String> {
        let is_behind = self
            .guard
            .as_ref()
            .is_some_and(|guard| !guard.guards().persisted_query);
        if !is_behind {
            return None;
        }
        let records = host::property(decision::FILTER_STATE_KEY).ok()??;
        let mut records = serde_json::Deserializer::from_slice(&records).into_iter();
        let record: DecisionRecord<'_> = records.next()?.ok()?;
        Some(record.decision_id.into_owned())
    }

    /// Runs `next` and what it asks for; whatever fails is a deny.
    fn advance(&mut self, next: impl FnOnce(&mut Self) -> Result<Step, HostError>) -> Action {
        let outcome = next(self).and_then(|step| self.apply(step));
        outcome.unwrap_or_else(|error| {
            host::log(
                Level::Error,
                &format!("ig-guard: host call failed: {error:?}"),
            );
            self.stage = Stage::Done;
            let verdict = Verdict {
                outcome: Outcome::Deny,
                code: Some(DenyCode::GuardUnavailable),
            };
            metrics::decisions(self.graph(), &[verdict]);
            let headers = [
                ("content-type", "application/json"),
                ("cache-control", "no-store"),
            ];
            let _ = host::reply(503, &headers, UNAVAILABLE);
            Action::Pause
        })
    }

    /// As [`Self::advance`], where the host does not wait for an action.
    fn resume(&mut self, next: impl FnOnce(&mut Self) -> Result<Step, HostError>) {
        if self.advance(next) == Action::Continue {
            // What cannot be resumed stays held, and ends by Envoy's timeout.
            let _ = host::resume_request();
        }
    }

    fn apply(&mut self, step: Step) -> Result<Action, HostError> {
        match step {
            Step::AwaitBody => {
                self.stage = Stage::AwaitingBody;
                Ok(Action::Pause)
            }
            #[cfg(feature = "policy")]
            Step::FetchFacts(question) => self.ask(&question),
            #[cfg(feature = "policy")]
            Step::SpendToken(token) => self.spend(&token),
            Step::FetchTexts(hashes) => {
                self.stage = Stage::AwaitingTexts;
                self.fetch(&hashes)
            }
            Step::Forward(forward) => {
                if let Some(refusal) = self.refuse_connection() {
                    return self.apply(refusal);
                }
                self.stage = Stage::Done;
                self.tag(&forward.verdicts);
                forward_request(&forward)?;
                // Behind it: what came too early may leave a record beside these.
                self.open(&forward)?;
                metrics::decisions(self.graph(), &forward.verdicts);
                Ok(Action::Continue)
            }
            Step::Reply(reply) => {
                self.stage = Stage::Done;
                // Afterwards there is no filter state to set.
                self.tag(&reply.verdicts);
                send(&reply)?;
                metrics::decisions(self.graph(), &reply.verdicts);
                Ok(Action::Pause)
            }
        }
    }

    fn trace(&self) -> Option<TraceParent> {
        self.exchange.as_ref()?.trace()
    }

    fn graph(&self) -> Option<&str> {
        Some(&*self.guard.as_ref()?.snapshot().head().graph)
    }

    /// Says on the gateway's span what became of the request, where the span is
    /// kept. Nothing of who asked, or what.
    fn tag(&self, verdicts: &[Verdict]) {
        if !self.trace().is_some_and(|trace| trace.is_sampled()) {
            return;
        }
        let Some(verdict) = Verdict::of_request(verdicts) else {
            return;
        };
        let revision = self.guard.as_ref().map(|guard| guard.snapshot().revision());
        let revision = revision.map(|revision| revision.to_string());
        let decision_id = self.exchange.as_ref().map(Exchange::decision_id);
        let tags = [
            (decision::TRACE_OUTCOME, Some(verdict.outcome.as_str())),
            (decision::TRACE_CODE, verdict.code.map(DenyCode::as_str)),
            (decision::TRACE_GRAPH, self.graph()),
            (decision::TRACE_REVISION, revision.as_deref()),
            (decision::TRACE_DECISION, decision_id),
        ];
        for (name, value) in tags {
            // A span without its tags is no reason to deny anything.
            let _ = value.map(|value| host::set_filter_state(name, value));
        }
    }

    fn fetch(&mut self, hashes: &[TextHash]) -> Result<Action, HostError> {
        let guard = self.guard.clone();
        let store = guard
            .as_ref()
            .and_then(|guard| guard.text_store())
            .ok_or(HostError(0))?;
        let timeout = Duration::from_millis(store.timeout_ms.into());
        let trace = self.trace().map(|trace| trace.to_string());
        let trace = trace.as_deref();
        for hash in hashes {
            let path = format!("{}{hash}", store.path_prefix);
            let token = host::get(&store.cluster, &store.authority, &path, trace, timeout)?;
            self.fetches.push((token, *hash));
        }
        Ok(Action::Pause)
    }

    /// Asks the directory. What cannot be asked is answered by nothing.
    #[cfg(feature = "policy")]
    fn ask(&mut self, question: &FactsRequest) -> Result<Action, HostError> {
        self.stage = Stage::AwaitingFacts;
        let guard = self.guard.clone().ok_or(HostError(0))?;
        if let Ok(token) = directory::ask(&guard, question, self.trace()) {
            self.question = Some(token);
            return Ok(Action::Pause);
        }
        metrics::call(self.graph(), Call::Facts, false);
        let step = self.after_facts(None)?;
        self.apply(step)
    }

    #[cfg(feature = "policy")]
    fn on_facts(&mut self, body_size: usize) {
        self.question = None;
        if self.stage != Stage::AwaitingFacts {
            return;
        }
        let facts = host::call_response(body_size, MAX_FACTS_BYTES);
        let facts: Option<Facts> = facts.and_then(|body| serde_json::from_slice(&body).ok());
        metrics::call(self.graph(), Call::Facts, facts.is_some());
        self.resume(|request| request.after_facts(facts));
    }

    #[cfg(feature = "policy")]
    fn after_facts(&mut self, facts: Option<Facts>) -> Result<Step, HostError> {
        match self.told_time()?.on_facts(facts) {
            Step::AwaitBody if self.is_whole => self.on_whole_body(),
            step => Ok(step),
        }
    }

    /// Asks whether a token may be used. What cannot be asked is answered by
    /// nothing.
    #[cfg(feature = "policy")]
    fn spend(&mut self, token: &SpendRequest) -> Result<Action, HostError> {
        self.stage = Stage::AwaitingSpent;
        let guard = self.guard.clone().ok_or(HostError(0))?;
        if let Ok(token) = directory::spend(&guard, token, self.trace()) {
            self.question = Some(token);
            return Ok(Action::Pause);
        }
        metrics::call(self.graph(), Call::Spend, false);
        let step = self.after_spent(None)?;
        self.apply(step)
    }

    #[cfg(feature = "policy")]
    fn on_spent(&mut self, body_size: usize) {
        self.question = None;
        let spent = host::call_response(body_size, MAX_SPENT_BYTES);
        let spent: Option<Spent> = spent.and_then(|body| serde_json::from_slice(&body).ok());
        metrics::call(self.graph(), Call::Spend, spent.is_some());
        self.resume(|request| request.after_spent(spent));
    }

    #[cfg(feature = "policy")]
    fn after_spent(&mut self, spent: Option<Spent>) -> Result<Step, HostError> {
        let exchange = self.told_time()?;
        Ok(exchange.on_spent(spent))
    }

    /// The exchange, told what time it is where that counts.
    fn told_time(&mut self) -> Result<&mut Exchange, HostError> {
        let exchange = self.exchange.as_mut().ok_or(HostError(0))?;
        #[cfg(feature = "policy")]
        if exchange.needs_time() {
            exchange.set_time(Duration::from_nanos(host::now_nanos()?));
        }
        Ok(exchange)
    }

    /// Keeps what arrives of a body before it is awaited.
    #[cfg(feature = "policy")]
    fn on_early_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.is_whole |= end_of_stream;
        self.check_size(size)
    }

    /// The body is whole, and its trailers are taken care of while they are there.
    #[cfg(feature = "policy")]
    fn on_early_trailers(&mut self) -> Action {
        self.is_whole = true;
        match self.strip_trailers() {
            Ok(()) => Action::Pause,
            Err(error) => self.advance(|_| Err(error)),
        }
    }

    fn check_size(&mut self, size: usize) -> Action {
        let exchange = self.exchange.as_ref();
        match exchange.and_then(|exchange| exchange.on_body_size(size)) {
            Some(step) => self.advance(|_| Ok(step)),
            None => Action::Pause,
        }
    }

    fn strip_trailers(&self) -> Result<(), HostError> {
        let exchange = self.exchange.as_ref().ok_or(HostError(0))?;
        let trailers = Pairs::read(Map::RequestTrailers)?;
        for (name, _) in trailers.iter().ok_or(UNREADABLE)? {
            if exchange.removes_trailer(name) {
                let name = std::str::from_utf8(name).map_err(|_| UNREADABLE)?;
                host::remove_header(Map::RequestTrailers, name)?;
            }
        }
        Ok(())
    }

    fn on_whole_body(&mut self) -> Result<Step, HostError> {
        let body = host::buffer(Buffer::RequestBody, usize::MAX)?.unwrap_or_default();
        Ok(self.told_time()?.on_body(body))
    }
}

impl Context for HttpRequest {
    fn on_http_call_response(&mut self, token: u32, _: usize, body_size: usize, _: usize) {
        if let Some(socket) = &self.socket {
            socket.borrow_mut().on_call(token, body_size);
            return self.await_tick();
        }
        #[cfg(feature = "policy")]
        if self.question == Some(token) {
            return match self.stage {
                Stage::AwaitingSpent => self.on_spent(body_size),
                _ => self.on_facts(body_size),
            };
        }
        let Some(at) = self.fetches.iter().position(|(known, _)| *known == token) else {
            return;
        };
        let (_, hash) = self.fetches.swap_remove(at);
        if self.stage != Stage::AwaitingTexts {
            return;
        }
        let text = host::call_response(body_size, usize::MAX);
        metrics::call(self.graph(), Call::Texts, text.is_some());
        let step = self
            .told_time()
            .map(|exchange| exchange.on_text(hash, text));
        if let Some(step) = step.transpose() {
            self.resume(|_| step);
        }
    }
}

impl HttpContext for HttpRequest {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.advance(|request| {
            request.begin()?;
            Ok(request.told_time()?.on_head(end_of_stream))
        })
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        if let Some(socket) = &self.socket {
            let action = socket.borrow_mut().on_request_body(end_of_stream);
            self.await_tick();
            return action;
        }
        match self.stage {
            Stage::AwaitingBody => {}
            #[cfg(feature = "policy")]
            Stage::AwaitingFacts => return self.on_early_body(size, end_of_stream),
            Stage::Done => return Action::Continue,
            Stage::Refused => return Self::drop_body(),
            _ => return Action::Pause,
        }
        if end_of_stream {
            return self.advance(Self::on_whole_body);
        }
        self.check_size(size)
    }

    /// With trailers, the body callback never sees the end of the stream.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self.stage {
            Stage::AwaitingBody => self.advance(|request| {
                request.strip_trailers()?;
                request.on_whole_body()
            }),
            #[cfg(feature = "policy")]
            Stage::AwaitingFacts => self.on_early_trailers(),
            // Behind frames there are none (HTTP/2 could send some).
            Stage::Done if self.socket.is_some() => {
                let _ = host::close(Stream::Request);
                Action::Pause
            }
            Stage::Done | Stage::Refused => Action::Continue,
            _ => Action::Pause,
        }
    }

    fn on_http_response_body(&mut self, _: usize, end_of_stream: bool) -> Action {
        let Some(socket) = &self.socket else {
            return Action::Continue;
        };
        let action = socket.borrow_mut().on_response_body(end_of_stream);
        self.await_tick();
        action
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(action) = self.on_upgrade_answer() {
            return action;
        }
        #[cfg(feature = "policy")]
        if let Some(action) = self.withhold() {
            // What comes instead is no frames.
            self.close_socket();
            return action;
        }
        // Another gateway's answer has its decision's id; nobody else is asked.
        let has_own = |one: &&Exchange| {
            is_elsewhere(one)
                && matches!(
                    host::header(Map::Response, headers::DECISION_ID),
                    Ok(Some(_))
                )
        };
        if let Some(exchange) = self.exchange.as_ref().filter(|one| !has_own(one)) {
            let id = exchange.decision_id();
            if host::set_header(Map::Response, headers::DECISION_ID, id).is_err() {
                host::log(
                    Level::Error,
                    "ig-guard: a response went without its decision id",
                );
            }
        }
        Action::Continue
    }
}

fn forward_request(forward: &Forward) -> Result<(), HostError> {
    for name in &forward.remove {
        host::remove_header(Map::Request, name)?;
    }
    for (name, value) in &forward.set {
        host::set_header(Map::Request, name, value)?;
    }
    if let Some(body) = &forward.body {
        host::set_buffer(Buffer::RequestBody, body)?;
    }
    host::set_filter_state(decision::FILTER_STATE_KEY, &forward.records)
}

fn send(reply: &Reply) -> Result<(), HostError> {
    host::set_filter_state(decision::FILTER_STATE_KEY, &reply.records)?;
    host::reply(reply.status, &as_headers(reply), &reply.body)
}

fn as_headers(reply: &Reply) -> Vec<(&str, &str)> {
    let headers = reply.headers.iter();
    headers.map(|(name, value)| (*name, &**value)).collect()
}

/// Whether the request went to another gateway.
fn is_elsewhere(exchange: &Exchange) -> bool {
    #[cfg(feature = "policy")]
    return exchange.is_elsewhere();
    #[cfg(not(feature = "policy"))]
    {
        let _ = exchange;
        false
    }
}
