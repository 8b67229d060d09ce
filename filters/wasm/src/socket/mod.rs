//! WebSockets: frames in and out of Envoy's streams. What is said in them is
//! decided by [`ig_guard::Socket`].

mod flow;
mod registry;

use std::rc::Rc;
use std::time::Duration;

#[cfg(feature = "policy")]
use ig_contract::directory::{Facts, MAX_FACTS_BYTES};
#[cfg(feature = "policy")]
use ig_contract::step_up::{MAX_SPENT_BYTES, Spent};
use ig_contract::{TextHash, decision};
use ig_guard::{Entropy, Guard, Notice, Socket, Step, TraceParent, Turn};
use ig_websocket::Protocol;
use proxy_wasm::types::Action;

use self::flow::Flow;
pub(crate) use self::registry::with as with_registry;
#[cfg(feature = "policy")]
use crate::directory;
use crate::host::{self, HostError, Level, Stream};
use crate::metrics::{self, Call};
use crate::root;

/// The host's randomness.
struct Host;

impl Entropy for Host {
    fn mask(&self) -> Option<[u8; 4]> {
        root::random()?.first_chunk().copied()
    }

    fn decision_id(&self) -> Option<String> {
        root::decision_id()
    }
}

/// One upgraded stream.
pub(crate) struct Connection {
    guard: Rc<Guard>,
    socket: Socket,
    trace: Option<TraceParent>,
    up: Flow,
    down: Flow,
    /// All records so far, for the access log.
    records: String,
    /// What is asked on behalf of an operation: the call's token.
    #[cfg(feature = "policy")]
    question: Option<(u32, Question)>,
    fetches: Vec<(u32, TextHash)>,
    /// When the stream is cut, once both sides were told.
    cut: Option<Duration>,
}

#[cfg(feature = "policy")]
#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    Facts,
    Spend,
}

/// How long the sides have to hang up, once both were told.
const LINGER: Duration = Duration::from_millis(500);
/// How long a side that cannot be told yet has.
const PATIENCE: Duration = Duration::from_secs(2);

pub(crate) fn now() -> Result<Duration, HostError> {
    Ok(Duration::from_nanos(host::now_nanos()?))
}

pub(crate) fn entropy() -> Rc<dyn Entropy> {
    Rc::new(Host)
}

impl Connection {
    pub(crate) fn new(
        guard: Rc<Guard>,
        socket: Socket,
        trace: Option<TraceParent>,
        records: String,
    ) -> Self {
        Self {
            guard,
            socket,
            trace,
            up: Flow::up(),
            down: Flow::down(),
            records,
            #[cfg(feature = "policy")]
            question: None,
            fetches: Vec::new(),
            cut: None,
        }
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.socket.protocol()
    }

    fn graph(&self) -> &str {
        &self.guard.snapshot().head().graph
    }

    /// Takes what Envoy holds of the client already.
    pub(crate) fn take_early(&mut self) -> Result<(), HostError> {
        let bytes = self.up.take_held()?;
        let now = now()?;
        let turn = self.socket.on_client(&bytes, now);
        self.settle(turn, now)
    }

    pub(crate) fn on_notice(&mut self, notice: Notice) -> Result<(), HostError> {
        let now = now()?;
        let turn = self.socket.on_notice(notice, now);
        self.settle(turn, now)
    }

    pub(crate) fn on_request_body(&mut self, is_end: bool) -> Action {
        self.guarded(|one| {
            let now = now()?;
            let bytes = one.up.arrived()?;
            let turn = one.socket.on_client(&bytes, now);
            one.settle(turn, now)?;
            one.down.send()?;
            one.up.pass(is_end)
        })
    }

    pub(crate) fn on_response_body(&mut self, is_end: bool) -> Action {
        self.guarded(|one| {
            let now = now()?;
            let bytes = one.down.arrived()?;
            let turn = one.socket.on_server(&bytes, now);
            one.settle(turn, now)?;
            one.up.send()?;
            one.down.pass(is_end)
        })
    }

    /// What fails ends the stream.
    fn guarded(&mut self, next: impl FnOnce(&mut Self) -> Result<Action, HostError>) -> Action {
        next(self).unwrap_or_else(|error| {
            fail(error);
            Action::Pause
        })
    }

    /// Whether the next tick has to send something.
    pub(crate) fn is_waiting(&self) -> bool {
        self.up.is_waiting() || self.down.is_waiting()
    }

    /// Sends what waits.
    fn send(&mut self) -> Result<(), HostError> {
        self.down.send()?;
        self.up.send()
    }

    /// Carries out a turn, but for what the caller's callback sends.
    fn settle(&mut self, mut turn: Turn, now: Duration) -> Result<(), HostError> {
        // Each turn asks once; an answer that does not come makes another turn.
        loop {
            self.down.put(&turn.to_client)?;
            self.up.put(&turn.to_upstream)?;
            if !turn.records.is_empty() {
                if !self.records.is_empty() {
                    self.records.push(',');
                }
                self.records.push_str(&turn.records);
                host::set_filter_state(decision::FILTER_STATE_KEY, &self.records)?;
            }
            metrics::decisions(Some(self.graph()), &turn.verdicts);
            if turn.is_over && self.cut.is_none() {
                self.cut = Some(now);
            }
            match turn.ask {
                Some(step) => match self.ask(step, now)? {
                    Some(next) => turn = next,
                    None => return Ok(()),
                },
                None => return Ok(()),
            }
        }
    }

    /// Asks; the turn that comes of it where nobody can be asked.
    #[cfg_attr(
        not(feature = "policy"),
        expect(
            unused_variables,
            reason = "only policy's questions are answered at once"
        )
    )]
    fn ask(&mut self, step: Step, now: Duration) -> Result<Option<Turn>, HostError> {
        match step {
            #[cfg(feature = "policy")]
            Step::FetchFacts(question) => {
                if let Ok(token) = directory::ask(&self.guard, &question, self.trace) {
                    self.question = Some((token, Question::Facts));
                    return Ok(None);
                }
                metrics::call(Some(self.graph()), Call::Facts, false);
                Ok(Some(self.socket.on_facts(None, now)))
            }
            #[cfg(feature = "policy")]
            Step::SpendToken(token) => {
                if let Ok(token) = directory::spend(&self.guard, &token, self.trace) {
                    self.question = Some((token, Question::Spend));
                    return Ok(None);
                }
                metrics::call(Some(self.graph()), Call::Spend, false);
                Ok(Some(self.socket.on_spent(None, now)))
            }
            Step::FetchTexts(hashes) => {
                let store = self.guard.text_store().ok_or(HostError(0))?;
                let timeout = Duration::from_millis(store.timeout_ms.into());
                let trace = self.trace.map(|trace| trace.to_string());
                for hash in hashes {
                    let path = format!("{}{hash}", store.path_prefix);
                    let (cluster, authority) = (&store.cluster, &store.authority);
                    let token = host::get(cluster, authority, &path, trace.as_deref(), timeout)?;
                    self.fetches.push((token, hash));
                }
                Ok(None)
            }
            _ => Err(HostError(0)),
        }
    }

    /// Takes the answer to a question of this stream's.
    pub(crate) fn on_call(&mut self, token: u32, body_size: usize) {
        let outcome = self.take_answer(token, body_size);
        if let Err(error) = outcome.and_then(|()| self.send()) {
            fail(error);
        }
    }

    fn take_answer(&mut self, token: u32, body_size: usize) -> Result<(), HostError> {
        let now = now()?;
        #[cfg(feature = "policy")]
        if let Some((_, question)) = self.question.take_if(|(known, _)| *known == token) {
            let turn = match question {
                Question::Facts => {
                    let body = host::call_response(body_size, MAX_FACTS_BYTES);
                    let facts: Option<Facts> =
                        body.and_then(|body| serde_json::from_slice(&body).ok());
                    metrics::call(Some(self.graph()), Call::Facts, facts.is_some());
                    self.socket.on_facts(facts, now)
                }
                Question::Spend => {
                    let body = host::call_response(body_size, MAX_SPENT_BYTES);
                    let spent: Option<Spent> =
                        body.and_then(|body| serde_json::from_slice(&body).ok());
                    metrics::call(Some(self.graph()), Call::Spend, spent.is_some());
                    self.socket.on_spent(spent, now)
                }
            };
            return self.settle(turn, now);
        }
        let Some(at) = self.fetches.iter().position(|(known, _)| *known == token) else {
            return Ok(());
        };
        let (_, hash) = self.fetches.swap_remove(at);
        let text = host::call_response(body_size, usize::MAX);
        metrics::call(Some(self.graph()), Call::Texts, text.is_some());
        let turn = self.socket.on_text(hash, text, now);
        self.settle(turn, now)
    }

    /// Looks at the clock, and cuts the stream in the end.
    fn on_time(&mut self, now: Duration) -> Result<(), HostError> {
        let turn = self.socket.on_time(now);
        self.settle(turn, now)?;
        self.send()?;
        let Some(told) = self.cut else {
            return Ok(());
        };
        let time = if self.down.is_waiting() {
            PATIENCE
        } else {
            LINGER
        };
        match now.saturating_sub(told) >= time {
            true => host::close(Stream::Request),
            false => Ok(()),
        }
    }
}

/// A stream that the host does not let be written to has no end but this.
fn fail(error: HostError) {
    host::log(
        Level::Error,
        &format!("ig-guard: a WebSocket is cut, a host call failed: {error:?}"),
    );
    let _ = host::close(Stream::Request);
}
