//! From an entry of an access log to what is counted of it.

use std::hash::{BuildHasher as _, RandomState};

use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogCommon, AccessLogType, HttpAccessLogEntry,
};
use envoy_types::pb::google::protobuf::{Duration, Timestamp};
use ig_contract::decision::{DecisionRecord, Outcome};
use ig_cost::{BATCH, Counts, DENIED, Key, MAX_NAME_CHARS, UNKNOWN, UNNAMED};

/// Where an entry comes from.
#[derive(Clone, Copy)]
pub(crate) struct Gateway<'a> {
    /// The proxy, as it names itself.
    pub(crate) node: &'a str,
    /// The region that it says it is in; may be empty.
    pub(crate) region: &'a str,
    /// The graph; none of one that is not published.
    pub(crate) graph: Option<&'a str>,
}

/// A request that a gateway answered.
pub(crate) struct Served {
    /// When it came, in milliseconds since the epoch.
    pub(super) at: i64,
    pub(super) region: String,
    pub(super) counts: Counts,
    /// What tells it from others: the proxy and the guard's decision, which no
    /// client chooses. None where no guard decided.
    decision: Option<(String, String)>,
    graph: String,
    tenant: Option<String>,
    route: String,
    /// Operations that went on.
    operation: Option<String>,
    is_batch: bool,
    is_denied: bool,
    node: String,
}

/// A name as it is kept. PostgreSQL has no zero byte in text.
pub(super) fn name(text: &str) -> String {
    let text = text.replace('\0', "\u{fffd}");
    text.chars().take(MAX_NAME_CHARS).collect()
}

fn named(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

impl Served {
    /// What an entry tells, without its decisions; `None` of one that only tells that
    /// a long request is still under way, since the last one tells all.
    pub(crate) fn new(entry: &HttpAccessLogEntry, gateway: Gateway<'_>, now: i64) -> Option<Self> {
        let common = entry.common_properties.as_ref();
        let kind = common.map(|common| AccessLogType::try_from(common.access_log_type));
        if !matches!(
            kind,
            None | Some(Ok(AccessLogType::NotSet | AccessLogType::DownstreamEnd))
        ) {
            return None;
        }
        let route = common.and_then(|one| named(&one.route_name).or(named(&one.upstream_cluster)));
        let at = common.and_then(|one| millis(one.start_time.as_ref()?));
        Some(Self {
            at: at.unwrap_or(now),
            region: name(gateway.region),
            counts: counts(entry),
            decision: None,
            graph: gateway.graph.map_or_else(|| UNKNOWN.to_owned(), name),
            tenant: None,
            route: name(route.unwrap_or(UNKNOWN)),
            operation: None,
            is_batch: false,
            is_denied: true,
            node: name(gateway.node),
        })
    }

    /// Adds one of its decisions.
    pub(crate) fn decided(&mut self, decision: &DecisionRecord<'_>) {
        self.decision
            .get_or_insert_with(|| (self.node.clone(), decision.decision_id.to_string()));
        if self.tenant.is_none() {
            self.tenant = decision.tenant_id.as_deref().and_then(named).map(name);
        }
        if self.region.is_empty() {
            self.region = name(decision.region.as_deref().unwrap_or_default());
        }
        if decision.outcome == Outcome::Deny {
            return;
        }
        let operation = decision
            .operation
            .as_deref()
            .map_or(UNNAMED.to_owned(), name);
        self.is_denied = false;
        self.is_batch |= self.operation.as_ref().is_some_and(|one| *one != operation);
        self.operation = Some(operation);
    }

    /// A hash of what tells it from others.
    pub(super) fn identity(&self, hasher: &RandomState) -> Option<u64> {
        Some(hasher.hash_one(self.decision.as_ref()?))
    }

    /// Where and whose it is. All that was denied is one operation: whoever is denied
    /// may send any name.
    pub(super) fn place(self) -> (String, Key) {
        let operation = self.operation.unwrap_or_else(|| DENIED.to_owned());
        let (route, operation) = match (self.is_denied, self.is_batch) {
            (true, _) => (DENIED.to_owned(), DENIED.to_owned()),
            (_, true) => (self.route, BATCH.to_owned()),
            _ => (self.route, operation),
        };
        // Of a graph that nothing is published of, whoever tells may be anybody.
        let is_known = self.graph != UNKNOWN;
        let key = Key {
            graph: self.graph,
            tenant: self.tenant.filter(|_| is_known),
            route,
            operation,
        };
        match self.region.is_empty() {
            true => (UNKNOWN.to_owned(), key),
            false => (self.region, key),
        }
    }
}

fn counts(entry: &HttpAccessLogEntry) -> Counts {
    let common = entry.common_properties.as_ref();
    let request = entry.request.as_ref();
    let response = entry.response.as_ref();
    // As the wire has it, and without that what HTTP says.
    let received = common.map_or(0, |one| one.downstream_wire_bytes_received);
    let sent = common.map_or(0, |one| one.downstream_wire_bytes_sent);
    let of_request = request.map_or(0, |one| {
        one.request_headers_bytes
            .saturating_add(one.request_body_bytes)
    });
    let of_response = response.map_or(0, |one| {
        one.response_headers_bytes
            .saturating_add(one.response_body_bytes)
    });
    let or = |wire: u64, http: u64| if wire == 0 { http } else { wire }.min(MOST);
    Counts {
        requests: 1,
        request_bytes: or(received, of_request),
        egress_bytes: or(sent, of_response),
        busy_micros: common.map_or(0, busy).min(MOST),
    }
}

/// Most of anything that one request is believed: 1 TB, or 11 days.
const MOST: u64 = 1_000_000_000_000;

/// How long its upstream worked on a request; without an upstream, how long the
/// gateway did. In microseconds.
fn busy(common: &AccessLogCommon) -> u64 {
    let sent = common.time_to_first_upstream_tx_byte.as_ref();
    let answered = common.time_to_last_upstream_rx_byte.as_ref();
    match (sent.and_then(micros), answered.and_then(micros)) {
        (Some(sent), Some(answered)) => answered.saturating_sub(sent),
        _ => {
            let took = common.duration.as_ref().and_then(micros);
            let last = common.time_to_last_downstream_tx_byte.as_ref();
            took.or_else(|| last.and_then(micros)).unwrap_or_default()
        }
    }
}

fn micros(duration: &Duration) -> Option<u64> {
    let seconds = u64::try_from(duration.seconds).ok()?;
    let nanos = u64::try_from(duration.nanos).ok()?;
    seconds.checked_mul(1_000_000)?.checked_add(nanos / 1000)
}

fn millis(time: &Timestamp) -> Option<i64> {
    let seconds = time.seconds.checked_mul(1000)?;
    seconds.checked_add(i64::from(time.nanos) / 1_000_000)
}
