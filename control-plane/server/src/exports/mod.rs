//! Exports: who may, what is signed, and that the ledger has it.
//!
//! An export is decided by what decides in proxies: the published snapshot of a
//! graph, facts of the directory, and a proof of presence that counts once. Either
//! its user asks for it, or a service behind a gateway does, for a decision of the
//! guard that it can name. What is signed is a manifest; it is a row, an audit
//! record and an entry of the ledger's queue in one transaction, and acknowledged
//! once the ledger has it.

mod asked;
mod config;
mod decide;
mod deciding;
mod direct;
mod items;
pub(crate) mod keys;
mod limits;
mod make;
mod metrics;
mod relayed;
mod routes;
mod rules;
mod shown;
mod signing;
mod stored;
mod trust;

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use ig_contract::Deny;
use ig_contract::step_up::Acr;
use tokio::sync::Semaphore;

pub use config::{CannotSign, ExportsConfig, KeyPassword};
pub(crate) use metrics::ExportMetrics;
pub(crate) use routes::routes;

use crate::error::ApiError;

/// Most items of one export.
const MAX_ITEMS: usize = 10_000;
/// Largest body with items by their hashes.
const MAX_BODY_BYTES: usize = 8 << 20;
/// Most bytes of all files that are hashed for one export, and what is around them.
const MAX_STREAM_BYTES: usize = 1 << 30;

/// Requests at once whose items are hashes: bodies of [`MAX_BODY_BYTES`], soon
/// answered.
const LISTS: limits::Most = limits::Most {
    all: 128,
    tenant: 32,
    user: 16,
};
/// Requests at once with files, which may be minutes on their way.
const FILES: limits::Most = limits::Most {
    all: 32,
    tenant: 8,
    user: 2,
};

/// Exports that are written at once: half of the connections are for others, such
/// as whoever suspends somebody.
const WRITERS: usize = 4;

/// Prefix of the actions that take data out.
const ACTIONS: &str = "export:";

/// What all requests share.
pub(crate) struct Exports {
    keeper: keys::Keeper,
    /// Of graphs, as they were last published.
    rules: Mutex<BTreeMap<String, Arc<rules::Rules>>>,
    /// While one of them is read.
    reading: tokio::sync::Mutex<()>,
    deciding: deciding::Deciding,
    /// Requests with items by their hashes.
    lists: limits::Seats,
    /// Requests with files.
    files: limits::Seats,
    denies: limits::Denies,
    /// Those that write.
    writers: Semaphore,
    /// What this replica is about to answer.
    under_way: Arc<Mutex<HashSet<Turn>>>,
}

/// Why an export is not allowed.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) deny: Deny,
    pub(crate) decision_id: String,
    /// What to prove, where a proof of presence is what is missing.
    pub(crate) challenge: Option<Challenge>,
}

/// What a caller has to prove (RFC 9470).
#[derive(Debug)]
pub(crate) struct Challenge {
    pub(crate) acr: Acr,
    pub(crate) max_age_seconds: u32,
    pub(crate) action: String,
}

/// One key of one caller: tenant, who, key.
type Turn = (String, String, String);

/// While it lives, nobody else is answered for the same key here.
struct UnderWay {
    turn: Turn,
    all: Arc<Mutex<HashSet<Turn>>>,
}

impl Exports {
    /// Begins to answer for a key.
    ///
    /// # Errors
    /// 409 while it is answered for already.
    fn begin(&self, turn: Turn) -> Result<UnderWay, ApiError> {
        let mut all = self
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        match all.insert(turn.clone()) {
            true => Ok(UnderWay {
                turn,
                all: self.under_way.clone(),
            }),
            false => Err(ApiError::Conflict(
                "a request with this `idempotency-key` is under way; send it again in a moment"
                    .into(),
            )),
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.turn);
    }
}
