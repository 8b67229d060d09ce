//! What served requests are counted by.

use std::ops::AddAssign;

/// Longest name of a graph, region, tenant, route or operation, in characters.
pub const MAX_NAME_CHARS: usize = 200;

/// Region, graph or route that nothing names.
pub const UNKNOWN: &str = "(unknown)";
/// Operation of requests that were denied, or answered before a guard saw them.
pub const DENIED: &str = "(denied)";
/// Operation of requests that were let through and name none, as in shadow.
pub const UNNAMED: &str = "(unnamed)";
/// Operation of requests with more than one.
pub const BATCH: &str = "(batch)";
/// Operation of requests beyond the names that are told apart.
pub const OVERFLOW: &str = "(overflow)";

/// Whose a request is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key {
    /// The graph.
    pub graph: String,
    /// The tenant, if a guard knew it.
    pub tenant: Option<String>,
    /// The route that the gateway took; [`DENIED`] where it took none.
    pub route: String,
    /// The operation's name.
    pub operation: String,
}

/// What was counted of requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    /// Bytes that clients sent.
    pub request_bytes: u64,
    /// Bytes that clients were sent.
    pub egress_bytes: u64,
    /// Microseconds that upstreams worked on them; of what no upstream saw, those
    /// that the gateway did.
    pub busy_micros: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.requests = self.requests.saturating_add(more.requests);
        self.request_bytes = self.request_bytes.saturating_add(more.request_bytes);
        self.egress_bytes = self.egress_bytes.saturating_add(more.egress_bytes);
        self.busy_micros = self.busy_micros.saturating_add(more.busy_micros);
    }
}
