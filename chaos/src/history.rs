//! What happened, as everybody who took part saw it: each appends what it knows, and
//! only the checker draws conclusions.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// Microseconds since the history began.
pub type Micros = u64;

/// What a request of the workload asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A catalogued query.
    Read,
    /// A catalogued mutation.
    Write,
    /// A text of one's own.
    AdHoc,
    /// An id that no operation has.
    UnknownId,
    /// A purpose that the user does not hold.
    ForeignPurpose,
    /// No access token.
    Anonymous,
    /// An access token that ended a minute ago.
    Expired,
    /// An access token that begins in a minute.
    Early,
    /// A catalogued query with an access token of an issuer whose clock differs, by less
    /// than clocks may.
    Skewed,
    /// A catalogued query of a user who was made a moment ago: guards may know them
    /// already, or not.
    Newcomer,
    /// By a user whose deactivation was acknowledged.
    Deactivated,
}

impl Kind {
    /// Whether it has to be served where nothing is disturbed.
    pub fn is_due(self) -> bool {
        matches!(self, Self::Read | Self::Write | Self::Skewed)
    }

    /// Whether an upstream may see it.
    pub fn may_arrive(self) -> bool {
        self.is_due() || self == Self::Newcomer
    }
}

/// A request as its client saw it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Its number, which it carries as `x-nonce`.
    pub id: u64,
    /// What it asks for.
    pub kind: Kind,
    /// Whose.
    pub tenant: usize,
    /// Who.
    pub user: String,
    /// The gateway that was asked.
    pub gateway: usize,
    /// When it was sent.
    pub at: Micros,
    /// Until the whole answer was there, or none came.
    pub took: Micros,
    /// 0 is no answer.
    pub status: u16,
    /// Code of the first error.
    pub code: Option<String>,
    /// Rule of the first error.
    pub rule: Option<String>,
    /// Whether the answer is one that GraphQL over HTTP allows.
    pub is_well_formed: bool,
    /// Region whose signature it bears.
    pub signed_by: Option<String>,
    /// Tenant whose data it is.
    pub data_of: Option<String>,
}

/// A request as an upstream saw it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Arrival {
    /// The number that the client gave.
    pub id: Option<u64>,
    /// Where.
    pub region: String,
    /// Whether that host may write.
    pub is_primary: bool,
    /// `x-ig-tenant`.
    pub tenant: String,
    /// `x-ig-decision-id`.
    pub decision: String,
    /// SHA-256 of the query.
    pub query: String,
    /// Name of the query's operation.
    pub operation: String,
    /// Whether it is a mutation.
    pub is_write: bool,
    /// When.
    pub at: Micros,
}

/// A change that the control plane was asked for, as its client saw it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// What.
    pub what: What,
    /// Which: a user's name, a revision, an operation's id.
    pub key: String,
    /// When it was sent.
    pub at: Micros,
    /// When it was acknowledged; never, maybe.
    pub acknowledged: Option<Micros>,
    /// SHA-256 of the ledger's entry that it has to have, if one is known.
    pub entry: Option<String>,
}

/// Changes of the workload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A user is made.
    User,
    /// A user is deactivated.
    Deactivation,
    /// A snapshot is published.
    Publication,
    /// An asset is exported.
    Export,
    /// An operation is pushed to a catalogue.
    Operation,
    /// A snapshot that nobody can read is put where publications are.
    Poison,
}

/// What a gateway's proxy said that it runs.
#[derive(Clone, Debug, Serialize)]
pub struct Running {
    /// The proxy's node.
    pub node: String,
    /// The revision.
    pub revision: String,
    /// When.
    pub at: Micros,
}

/// What a gateway says of its breakers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Breakers {
    /// Which gateway.
    pub gateway: usize,
    /// Breakers that let nothing through: cluster, priority, and what there is too much of.
    pub open: Vec<String>,
    /// Hosts of upstreams that are left out, for their answers or for none.
    pub hosts_out: u64,
    /// When.
    pub at: Micros,
}

/// A fault begins or ends.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// What is done, and to whom.
    pub name: String,
    /// From.
    pub from: Micros,
    /// Until.
    pub until: Micros,
}

/// Something that happened.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A client was answered, or not.
    Request(Request),
    /// An upstream got a request.
    Arrival(Arrival),
    /// A change.
    Change(Change),
    /// A proxy's revision.
    Running(Running),
    /// A proxy's breakers.
    Breakers(Breakers),
    /// A fault was there.
    Fault(Fault),
}

/// The history of a run, which everybody writes to.
#[derive(Clone)]
pub struct History {
    began: Instant,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Default for History {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            events: Arc::default(),
        }
    }
}

impl History {
    /// Microseconds since it began.
    pub fn now(&self) -> Micros {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// Appends.
    pub fn push(&self, event: Event) {
        self.lock().push(event);
    }

    /// Everything until now, which is then forgotten.
    pub fn take(&self) -> Vec<Event> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Event>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// SHA-256, in hex.
pub fn sha256(bytes: impl AsRef<[u8]>) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of the events, one line of JSON each.
///
/// # Errors
/// Never, in practice: events are plain.
pub fn digest(events: &[Event]) -> serde_json::Result<String> {
    let mut digest = Sha256::new();
    for event in events {
        digest.update(serde_json::to_vec(event)?);
        digest.update(b"\n");
    }
    Ok(hex(&digest.finalize()))
}
