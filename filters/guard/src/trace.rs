//! The trace that a request is part of, for the guard's own calls.
//!
//! Envoy begins its span before any filter runs, but writes `traceparent` only
//! for the upstream. What a rendered configuration puts into
//! [`headers::TRACE`](ig_contract::headers::TRACE) is that span's; whether it is
//! kept, Envoy notes in the request id.

use std::fmt;

/// Trace, span and flags for another service: W3C Trace Context, level 1, §3.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceParent {
    ids: [u8; IDS],
    is_sampled: bool,
}

impl TraceParent {
    /// Whether the trace is kept.
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = std::str::from_utf8(&self.ids).unwrap_or_default();
        write!(f, "00-{ids}-0{}", u8::from(self.is_sampled))
    }
}

/// Bytes of a trace's id, a dash, and a span's id.
const IDS: usize = 32 + 1 + 16;

/// What headers say of a trace.
#[derive(Clone, Debug, Default)]
pub(crate) struct TraceHeaders {
    ids: Option<[u8; IDS]>,
    is_repeated: bool,
    is_chosen: bool,
    is_unwanted: bool,
}

impl TraceHeaders {
    /// The gateway's own span.
    pub(crate) fn put_own(&mut self, value: &[u8]) {
        self.is_repeated |= self.ids.is_some();
        self.ids = ids(value);
    }

    /// Envoy's UUID generator replaces the version's digit where the request is
    /// traced: `9` by chance, `a` because a client or `b` because an operator
    /// forces it.
    pub(crate) fn put_request_id(&mut self, value: &[u8]) {
        const VERSION: usize = 14;
        self.is_chosen =
            value.len() == 36 && matches!(value.get(VERSION), Some(b'9' | b'a' | b'b'));
    }

    /// A span that the client is in. Envoy keeps no trace that it does not.
    pub(crate) fn put_client(&mut self, value: &[u8]) {
        let flags = value
            .get(53..55)
            .and_then(|two| std::str::from_utf8(two).ok());
        let flags = flags.and_then(|two| u8::from_str_radix(two, 16).ok());
        self.is_unwanted |= flags.is_none_or(|flags| flags & 1 == 0);
    }

    pub(crate) fn parent(&self) -> Option<TraceParent> {
        let ids = self.ids.filter(|_| !self.is_repeated)?;
        let is_sampled = self.is_chosen && !self.is_unwanted;
        Some(TraceParent { ids, is_sampled })
    }
}

/// A trace's id and a span's. Neither is zero where Envoy has one; without a
/// span it writes `-` for each.
fn ids(value: &[u8]) -> Option<[u8; IDS]> {
    let ids: [u8; IDS] = value.try_into().ok()?;
    let (trace, span) = ids.split_at(32);
    let span = span.strip_prefix(b"-")?;
    let is_id = |id: &[u8]| {
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        id.iter().all(is_hex) && id.iter().any(|byte| *byte != b'0')
    };
    (is_id(trace) && is_id(span)).then_some(ids)
}
