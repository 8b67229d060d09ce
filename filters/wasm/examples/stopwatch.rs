//! Says how long the check of a proof of presence takes where it runs: in the
//! host's engine. A single check is too short for what differs between two
//! requests, so one request makes many, and is answered with the times.

#![expect(missing_docs, reason = "the SDK's macro makes a public function")]

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use ig_contract::snapshot::{self, Action};
use ig_step_up::{Question, StepUp};
use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{self, ContextType};
use serde::Deserialize;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Stopwatch::default()));
}}

/// Checks of the same token.
const AGAIN: u32 = 20_000;

/// What is checked.
#[derive(Deserialize)]
struct Work {
    settings: snapshot::StepUp,
    graph: String,
    issuer: String,
    subject: String,
    tenant: String,
    actions: Vec<Action>,
    /// Fewer than a worker remembers, each new.
    tokens: Vec<String>,
    /// Seconds since the epoch.
    now: u64,
}

#[derive(Clone, Default)]
struct Stopwatch {
    work: Option<Rc<Work>>,
}

impl Context for Stopwatch {}

impl RootContext for Stopwatch {
    fn on_configure(&mut self, _: usize) -> bool {
        let work = self.get_plugin_configuration().unwrap_or_default();
        self.work = serde_json::from_slice(&work).ok().map(Rc::new);
        self.work.is_some()
    }

    fn create_http_context(&self, _: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(self.clone()))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl HttpContext for Stopwatch {
    fn on_http_request_headers(&mut self, _: usize, _: bool) -> types::Action {
        let answer = self.work.as_deref().and_then(measure);
        let status = if answer.is_some() { 200 } else { 500 };
        self.send_http_response(status, vec![], answer.as_deref().map(str::as_bytes));
        types::Action::Pause
    }
}

/// Nanoseconds of a first and of a remembered check; `None` if any fails.
fn measure(work: &Work) -> Option<String> {
    let guard = StepUp::new(&work.settings, &work.graph).ok()?;
    let check = |token: &str| {
        // The guard asks for the time with the head, and with the body.
        for _ in 0..2 {
            hostcalls::get_current_time().ok()?;
        }
        let question = Question {
            token: Some(token),
            issuer: &work.issuer,
            subject: &work.subject,
            tenant: &work.tenant,
            from: 0,
            actions: &work.actions,
            is_cross_tenant: false,
            resource: &String::new,
            now: Some(work.now),
            is_asked: false,
        };
        guard.check(question).ok().map(drop)
    };
    let started = now()?;
    for token in &work.tokens {
        check(token)?;
    }
    let first = now()?.saturating_sub(started) / u32::try_from(work.tokens.len().max(1)).ok()?;
    let token = work.tokens.first()?;
    let started = now()?;
    for _ in 0..AGAIN {
        check(token)?;
    }
    let again = now()?.saturating_sub(started) / AGAIN;
    let (first, again) = (first.as_nanos(), again.as_nanos());
    Some(format!("{{\"first\":{first},\"again\":{again}}}"))
}

fn now() -> Option<Duration> {
    let now = hostcalls::get_current_time().ok()?;
    now.duration_since(SystemTime::UNIX_EPOCH).ok()
}
