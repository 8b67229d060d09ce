//! Calls to the control plane's directory, and what this VM knows of it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use ig_contract::directory::{CHANGES, ChangesRequest, FACTS, FactsRequest, MAX_CHANGES_BYTES};
use ig_contract::snapshot;
use ig_contract::step_up::{SPEND, SpendRequest};
use ig_guard::directory::Polled;
use ig_guard::{Directory, Guard, TraceParent};
use serde::Serialize;

use crate::host::{self, HostError};

/// Where a directory is: graph, cluster, authority and path.
type Place = [String; 4];

thread_local! {
    /// What this VM knows of each directory. A new revision goes on with it;
    /// nobody's is forgotten.
    static KNOWN: RefCell<HashMap<Place, Weak<Directory>>> = RefCell::default();
}

/// Lets a guard use what revisions before it learned of its directory.
pub(crate) fn share(guard: &mut Guard) {
    let head = guard.snapshot().head();
    let (Some(own), Some(settings)) = (guard.directory(), &head.directory) else {
        return;
    };
    let place = [
        &head.graph,
        &settings.cluster,
        &settings.authority,
        &settings.path_prefix,
    ];
    let place = place.map(Clone::clone);
    let known = KNOWN.with_borrow_mut(|known| {
        known.retain(|_, directory| directory.strong_count() > 0);
        if let Some(known) = known.get(&place).and_then(Weak::upgrade) {
            return known;
        }
        known.insert(place, Rc::downgrade(own));
        own.clone()
    });
    guard.share_directory(known);
}

fn post(
    settings: &snapshot::Directory,
    name: &str,
    message: &impl Serialize,
    trace: Option<TraceParent>,
    wait_ms: u32,
) -> Result<u32, HostError> {
    let path = format!("{}{name}", settings.path_prefix);
    let json = serde_json::to_vec(message).map_err(|_| host::UNREADABLE)?;
    let timeout = Duration::from_millis(u64::from(wait_ms) + u64::from(settings.timeout_ms));
    let snapshot::Directory {
        cluster, authority, ..
    } = settings;
    let trace = trace.map(|trace| trace.to_string());
    host::post(cluster, authority, &path, &json, trace.as_deref(), timeout)
}

/// Asks for facts, and returns the call's token.
pub(crate) fn ask(
    guard: &Guard,
    question: &FactsRequest,
    trace: Option<TraceParent>,
) -> Result<u32, HostError> {
    let settings = guard.snapshot().head().directory.as_ref();
    post(settings.ok_or(host::UNREADABLE)?, FACTS, question, trace, 0)
}

/// Asks whether a token may be used, and returns the call's token.
pub(crate) fn spend(
    guard: &Guard,
    request: &SpendRequest,
    trace: Option<TraceParent>,
) -> Result<u32, HostError> {
    let settings = guard.snapshot().head().directory.as_ref();
    post(settings.ok_or(host::UNREADABLE)?, SPEND, request, trace, 0)
}

/// Asks what has changed, again and again, for as long as it lives.
pub(crate) struct Poller {
    directory: Rc<Directory>,
    graph: String,
    settings: snapshot::Directory,
    /// The poll that is under way: the call's token, and its number.
    under_way: Option<(u32, u64)>,
    has_ticked: bool,
}

/// Between two ticks, in milliseconds: the time that requests see is this old
/// at most, and so late at most begins a poll that had to wait. A tick that has
/// nothing to do costs microseconds.
const PERIOD_MS: u32 = 50;
/// To the first tick. Nothing can be sent before it: the configuration may be
/// that of a VM that is only a trial.
const FIRST_MS: u32 = 10;

impl Poller {
    /// Begins with the next tick; none where the guard has no directory.
    pub(crate) fn start(guard: &Guard) -> Option<Self> {
        let directory = guard.directory()?.clone();
        let head = guard.snapshot().head();
        let settings = head.directory.clone()?;
        say_time(&directory);
        // Without ticks nothing is ever fresh, and in the end all is denied.
        let _ = host::set_tick_period(FIRST_MS);
        Some(Self {
            directory,
            graph: head.graph.clone(),
            settings,
            under_way: None,
            has_ticked: false,
        })
    }

    pub(crate) fn on_tick(&mut self) {
        if !self.has_ticked {
            self.has_ticked = host::set_tick_period(PERIOD_MS).is_ok();
        }
        say_time(&self.directory);
        self.poll();
    }

    fn poll(&mut self) {
        let Some(poll) = self.directory.next_poll() else {
            return;
        };
        let request = ChangesRequest {
            graph: self.graph.clone(),
            after: poll.after,
            wait_ms: poll.wait_ms,
        };
        // Of no request.
        match post(&self.settings, CHANGES, &request, None, poll.wait_ms) {
            Ok(token) => self.under_way = Some((token, poll.number)),
            Err(_) => self.directory.on_changes(poll.number, Polled::Failed),
        }
    }

    pub(crate) fn on_response(&mut self, token: u32, body_size: usize) {
        let Some((_, number)) = self.under_way.take_if(|(known, _)| *known == token) else {
            return;
        };
        let polled = match host::is_call_answered() {
            true => Polled::read(host::call_response(body_size, MAX_CHANGES_BYTES).as_deref()),
            false => Polled::Failed,
        };
        say_time(&self.directory);
        self.directory.on_changes(number, polled);
        // It may be too early; then a tick sends it.
        self.poll();
    }
}

impl Drop for Poller {
    /// Another revision's poller goes on at once.
    fn drop(&mut self) {
        if let Some((_, number)) = self.under_way {
            self.directory.abandon(number);
        }
    }
}

fn say_time(directory: &Directory) {
    if let Ok(nanoseconds) = host::now_nanos() {
        directory.advance(Duration::from_nanos(nanoseconds));
    }
}
