//! One request: callbacks in, host calls out.

use std::rc::Rc;
use std::time::Duration;

use ig_contract::{DecisionRecord, TextHash, decision, headers};
use ig_guard::{Exchange, Forward, Guard, Reply, RequestHead, Step};
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

use crate::claims::VerifiedClaims;
use crate::host::{self, Buffer, HostError, Level, Map, Pairs};
use crate::root;

/// Where a request stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Head,
    AwaitingBody,
    AwaitingTexts,
    /// Sent on or answered.
    Done,
}

/// One request.
pub(crate) struct HttpRequest {
    guard: Option<Rc<Guard>>,
    #[cfg_attr(
        not(feature = "policy"),
        expect(dead_code, reason = "only policy asks who")
    )]
    verified: Rc<VerifiedClaims>,
    exchange: Option<Exchange>,
    stage: Stage,
    fetches: Vec<(u32, TextHash)>,
}

/// Answer when even a decision could not be begun.
const UNAVAILABLE: &[u8] = br#"{"errors":[{"message":"The guard could not decide; try again later.","extensions":{"code":"GUARD_UNAVAILABLE","rule":"host"}}]}"#;

/// The host gave something that is not what the ABI says.
const UNREADABLE: HostError = HostError(u32::MAX);

impl HttpRequest {
    pub(crate) fn new(guard: Option<Rc<Guard>>, verified: Rc<VerifiedClaims>) -> Self {
        Self {
            guard,
            verified,
            exchange: None,
            stage: Stage::Head,
            fetches: Vec::new(),
        }
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
            let headers = [
                ("content-type", "application/json"),
                ("cache-control", "no-store"),
            ];
            let _ = host::reply(503, &headers, UNAVAILABLE);
            Action::Pause
        })
    }

    fn apply(&mut self, step: Step) -> Result<Action, HostError> {
        match step {
            Step::AwaitBody => {
                self.stage = Stage::AwaitingBody;
                Ok(Action::Pause)
            }
            Step::FetchTexts(hashes) => {
                self.stage = Stage::AwaitingTexts;
                self.fetch(&hashes)
            }
            Step::Forward(forward) => {
                self.stage = Stage::Done;
                forward_request(&forward).map(|()| Action::Continue)
            }
            Step::Reply(reply) => {
                self.stage = Stage::Done;
                send(&reply).map(|()| Action::Pause)
            }
        }
    }

    fn fetch(&mut self, hashes: &[TextHash]) -> Result<Action, HostError> {
        let guard = self.guard.clone();
        let store = guard
            .as_ref()
            .and_then(|guard| guard.text_store())
            .ok_or(HostError(0))?;
        let timeout = Duration::from_millis(store.timeout_ms.into());
        for hash in hashes {
            let path = format!("{}{hash}", store.path_prefix);
            let token = host::get(&store.cluster, &store.authority, &path, timeout)?;
            self.fetches.push((token, *hash));
        }
        Ok(Action::Pause)
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
        let exchange = self.exchange.as_mut().ok_or(HostError(0))?;
        Ok(exchange.on_body(body))
    }
}

impl Context for HttpRequest {
    fn on_http_call_response(&mut self, token: u32, _: usize, body_size: usize, _: usize) {
        let Some(at) = self.fetches.iter().position(|(known, _)| *known == token) else {
            return;
        };
        let (_, hash) = self.fetches.swap_remove(at);
        if self.stage != Stage::AwaitingTexts {
            return;
        }
        // A reset has no `:status`; that is a failure like any other.
        let is_ok = matches!(
            host::header(Map::CallResponse, ":status"), Ok(Some(status)) if status == b"200");
        let text = is_ok.then(|| host::buffer(Buffer::CallResponseBody, body_size));
        let text = text.and_then(Result::ok).flatten();
        let step = self
            .exchange
            .as_mut()
            .and_then(|exchange| exchange.on_text(hash, text));
        let action = step.map(|step| self.advance(|_| Ok(step)));
        if action == Some(Action::Continue) {
            // What cannot be resumed stays held, and ends by Envoy's timeout.
            let _ = host::resume_request();
        }
    }
}

impl HttpContext for HttpRequest {
    fn on_http_request_headers(&mut self, _: usize, end_of_stream: bool) -> Action {
        self.advance(|request| {
            request.begin()?;
            let exchange = request.exchange.as_mut().ok_or(HostError(0))?;
            Ok(exchange.on_head(end_of_stream))
        })
    }

    fn on_http_request_body(&mut self, size: usize, end_of_stream: bool) -> Action {
        match self.stage {
            Stage::AwaitingBody => {}
            Stage::Done => return Action::Continue,
            Stage::Head | Stage::AwaitingTexts => return Action::Pause,
        }
        if end_of_stream {
            return self.advance(Self::on_whole_body);
        }
        match self
            .exchange
            .as_ref()
            .and_then(|exchange| exchange.on_body_size(size))
        {
            Some(step) => self.advance(|_| Ok(step)),
            None => Action::Pause,
        }
    }

    /// With trailers, the body callback never sees the end of the stream.
    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self.stage {
            Stage::AwaitingBody => self.advance(|request| {
                request.strip_trailers()?;
                request.on_whole_body()
            }),
            Stage::Done => Action::Continue,
            Stage::Head | Stage::AwaitingTexts => Action::Pause,
        }
    }

    fn on_http_response_headers(&mut self, _: usize, _: bool) -> Action {
        if let Some(exchange) = &self.exchange {
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
    let headers: Vec<_> = reply
        .headers
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    host::reply(reply.status, &headers, &reply.body)
}
