//! What the adapter is told to do.

use ig_contract::TextHash;
#[cfg(feature = "policy")]
use ig_contract::directory::FactsRequest;
#[cfg(feature = "policy")]
use ig_contract::step_up::SpendRequest;

/// The next step of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Hold the request and come back with its whole body.
    AwaitBody,
    /// Hold the request, fetch these texts and come back with each.
    FetchTexts(Vec<TextHash>),
    /// Hold the request, ask the directory, and come back with its answer. The
    /// body may come meanwhile: keep it, and bring it when it is awaited.
    #[cfg(feature = "policy")]
    FetchFacts(FactsRequest),
    /// Hold the request, ask the control plane whether this token may be used,
    /// and come back with its answer.
    #[cfg(feature = "policy")]
    SpendToken(SpendRequest),
    /// Let it go on, with these changes.
    Forward(Forward),
    /// Answer it.
    Reply(Reply),
}

/// Changes to a request that goes on.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Forward {
    /// Headers to remove, before any is set.
    pub remove: Vec<String>,
    /// Headers to set, replacing what is there.
    pub set: Vec<(&'static str, String)>,
    /// The body, where it is replaced.
    pub body: Option<Vec<u8>>,
    /// Decision records for the access log, comma-separated.
    pub records: String,
}

/// An answer of the guard.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Decision records for the access log, comma-separated.
    pub records: String,
}
