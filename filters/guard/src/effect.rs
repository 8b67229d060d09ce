//! What the adapter is told to do.

#[cfg(feature = "policy")]
use ig_contract::directory::FactsRequest;
#[cfg(feature = "policy")]
use ig_contract::step_up::SpendRequest;
use ig_contract::{DenyCode, Outcome, TextHash};

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

/// What became of one operation, in words of which there are few.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Verdict {
    /// What became of it.
    pub outcome: Outcome,
    /// Answer of a deny.
    pub code: Option<DenyCode>,
}

impl Verdict {
    /// The one that says most of a request: the first that is no allow, else the
    /// first.
    pub fn of_request(all: &[Self]) -> Option<Self> {
        let mut denies = all.iter().filter(|one| one.outcome != Outcome::Allow);
        denies.next().or(all.first()).copied()
    }
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
    /// What the records say, for counters.
    pub verdicts: Vec<Verdict>,
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
    /// What the records say, for counters.
    pub verdicts: Vec<Verdict>,
}
