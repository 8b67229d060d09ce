//! One plugin configuration in one worker.

use std::cell::RefCell;
use std::rc::Rc;

use ig_contract::trace;
use ig_guard::{Guard, Guards};
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;

#[cfg(feature = "policy")]
use crate::buckets::{self, SharedSlots};
use crate::claims::VerifiedClaims;
#[cfg(feature = "policy")]
use crate::directory;
use crate::host::{self, Buffer, HostError, Level};
use crate::request::HttpRequest;
use crate::socket;

/// One plugin configuration in one worker.
#[derive(Default)]
pub(crate) struct Root {
    context: u32,
    guard: Option<Rc<Guard>>,
    verified: Rc<VerifiedClaims>,
    #[cfg(feature = "policy")]
    poller: Option<directory::Poller>,
    #[cfg(feature = "policy")]
    breaches: Option<u32>,
}

/// Between two ticks where WebSockets are let in, in milliseconds: what the first
/// callback of each direction brings waits for one.
const TICK_MS: u32 = 10;

impl Root {
    pub(crate) fn new(context: u32) -> Self {
        Self {
            context,
            ..Self::default()
        }
    }

    fn has_sockets(&self) -> bool {
        let guard = self.guard.as_ref();
        guard.is_some_and(|guard| guard.subscriptions().is_some())
    }
}

/// Answers that came from another region; Envoy puts `wasmcustom.` before it.
#[cfg(feature = "policy")]
const BREACHES: &str = "ig_region_breaches";

impl Context for Root {
    #[cfg(feature = "policy")]
    fn on_http_call_response(&mut self, token: u32, _: usize, body_size: usize, _: usize) {
        if let Some(poller) = &mut self.poller {
            poller.on_response(token, body_size);
        }
        socket::with_registry(|registry| registry.on_response(self.context, token, body_size));
    }
}

impl RootContext for Root {
    /// The configuration is a snapshot. None at all is a guard that denies
    /// everything, which is the default configuration for xDS; a broken one is
    /// refused, so that Envoy keeps the last good one.
    fn on_configure(&mut self, _: usize) -> bool {
        let snapshot = match host::buffer(Buffer::PluginConfiguration, usize::MAX) {
            Ok(snapshot) => snapshot.unwrap_or_default(),
            Err(error) => return refuse(&format!("configuration cannot be read: {error:?}")),
        };
        let Some(guards) = guards() else {
            return refuse("root_id names a guard that this module was built without");
        };
        if snapshot.is_empty() {
            return true;
        }
        let started = host::now_nanos();
        match Guard::new(snapshot, guards) {
            Ok(mut guard) => {
                if is_traced() {
                    guard.set_traced();
                }
                #[cfg(feature = "policy")]
                let guard = match self.equip(guard) {
                    Ok(guard) => guard,
                    Err(error) => return refuse(&format!("host call failed: {error:?}")),
                };
                announce(&guard, started);
                self.verified = Rc::new(VerifiedClaims::new(&guard.snapshot().head().identity));
                let guard = Rc::new(guard);
                socket::with_registry(|registry| registry.renew(&guard));
                self.guard = Some(guard);
                if self.has_sockets() && host::set_tick_period(TICK_MS).is_err() {
                    return refuse("the host gives no ticks");
                }
                true
            }
            Err(error) => {
                let cause = std::error::Error::source(&error);
                let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
                refuse(&format!("{error}{cause}"))
            }
        }
    }

    fn on_tick(&mut self) {
        #[cfg(feature = "policy")]
        if let Some(poller) = &mut self.poller {
            poller.on_tick();
        }
        let _ = socket::with_registry(|registry| registry.on_tick(self.context));
        if self.has_sockets() {
            let _ = host::set_tick_period(TICK_MS);
        }
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        let request = HttpRequest::new(context, self.guard.clone(), self.verified.clone());
        #[cfg(feature = "policy")]
        let request = request.counting(self.breaches);
        Some(Box::new(request))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(crate::KIND)
    }
}

#[cfg(feature = "policy")]
impl Root {
    /// Gives a guard what only the host has.
    fn equip(&mut self, mut guard: Guard) -> Result<Guard, HostError> {
        directory::share(&mut guard);
        self.poller = directory::Poller::start(&guard);
        if guard.has_regions() {
            let region = host::property("xds\0node\0locality\0region")?;
            guard.set_region(
                region
                    .as_deref()
                    .and_then(|name| std::str::from_utf8(name).ok()),
            );
            self.breaches = Some(host::counter(BREACHES)?);
        }
        if guard.is_limited() {
            guard.set_slots(Rc::new(SharedSlots), buckets::seed()?);
        }
        Ok(guard)
    }
}

/// Whether the gateway writes which span a request has. Otherwise a client may have
/// written it: what cannot be read says so too.
fn is_traced() -> bool {
    let path = format!("xds\0node\0metadata\0{}", trace::METADATA);
    let said = host::property(&path).ok().flatten();
    said.is_some_and(|said| said == trace::WRITTEN.as_bytes())
}

/// Says what is enforced from now on, and what it cost to take it over.
fn announce(guard: &Guard, started: Result<u64, HostError>) {
    let snapshot = guard.snapshot();
    let ended = host::now_nanos();
    let nanos = started.and_then(|started| Ok(ended?.saturating_sub(started)));
    host::log(
        Level::Info,
        &format!(
            "ig-guard: revision {} with {} operations in {:.1} ms",
            snapshot.revision(),
            snapshot.operation_count(),
            nanos.unwrap_or_default() as f64 / 1e6,
        ),
    );
}

fn refuse(why: &str) -> bool {
    host::log(
        Level::Error,
        &format!("ig-guard: configuration refused: {why}"),
    );
    false
}

/// `root_id` picks the guards of an instance; without one, all that the module
/// was built with.
fn guards() -> Option<Guards> {
    let root_id = host::property("plugin_root_id")
        .ok()
        .flatten()
        .unwrap_or_default();
    let (persisted_query, policy) = match root_id.as_slice() {
        b"" => (cfg!(feature = "persisted-query"), cfg!(feature = "policy")),
        b"persisted-query" => (true, false),
        b"policy" => (false, true),
        _ => return None,
    };
    if policy && !cfg!(feature = "policy") || persisted_query && !cfg!(feature = "persisted-query")
    {
        return None;
    }
    Some(Guards {
        persisted_query,
        #[cfg(feature = "policy")]
        policy,
    })
}

thread_local! {
    static RANDOM: RefCell<(Vec<u8>, usize)> = const { RefCell::new((Vec::new(), 0)) };
}

/// Ten random bytes, drawn from the host a kilobyte at a time.
pub(crate) fn random() -> Option<[u8; 10]> {
    const POOL: usize = 1020;
    RANDOM.with_borrow_mut(|(pool, used)| {
        if pool.len() < *used + 10 {
            pool.resize(POOL, 0);
            getrandom::fill(pool).ok()?;
            *used = 0;
        }
        let bytes = pool.get(*used..*used + 10)?.try_into().ok();
        *used += 10;
        bytes
    })
}

/// A fresh UUIDv7 (RFC 9562 §5.7).
pub(crate) fn decision_id() -> Option<String> {
    let id =
        uuid::Builder::from_unix_timestamp_millis(host::now_nanos().ok()? / 1_000_000, &random()?);
    Some(id.into_uuid().to_string())
}
