//! The ledger inside the control plane: what has to be known to have happened is
//! queued in the transaction in which it happens, and a sequencer makes leaves of
//! a transparency log of it (`ig-ledger`, `docs/ledger.md`).
//!
//! - [`enqueue`] is for who changes something; [`Ledger::sequenced`] for who has to
//!   wait until the log has it.
//! - [`sequencer`] appends: tiles, checkpoint and the entries' places are one
//!   transaction, so that each entry is in the log once, whatever stops when.
//! - [`read`] is the log as files, [`routes`] serves it, [`witnesses`] has it
//!   cosigned, [`witness`] cosigns logs of others, and [`check`] checks all of it.

mod check;
mod config;
mod keys;
mod leaf;
mod lending;
mod metrics;
mod read;
pub(crate) mod routes;
mod sequencer;
mod supervise;
#[cfg(test)]
mod tests;
pub(crate) mod witness;
mod witnesses;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ig_ledger::Tiles;
use ig_ledger::layout::MAX_ENTRY_BYTES;
use ig_ledger::sign::LogSigner;
use ig_ledger::verify::{Policy, Proof, TreeHead, VerifierKey};
use sqlx::AnyConnection;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::{Instant, timeout_at};

pub use check::{CannotCheck, Checked, Tampered, check};
pub use config::{LedgerConfig, LedgerKeys, LoggedKeys, WitnessConfig, WitnessUrl};
pub(crate) use keys::CannotPrepare;
pub(crate) use leaf::{Commitment, release};
pub(crate) use metrics::LedgerMetrics;

use crate::store::{Store, now};
use supervise::supervise;

/// What an entry is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// A signed manifest: the body of a `hashedrekord`.
    Export,
    /// A record of the audit trail.
    Audit,
    /// A snapshot that was published.
    Release,
    /// The record that says that one-time passwords count.
    BreakGlass,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Audit => "audit",
            Self::Release => "release",
            Self::BreakGlass => "break-glass",
        }
    }
}

/// An entry, from when it is queued on. Not its place in the log.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct EntryId(pub(crate) i64);

/// Why the ledger does not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It fits no bundle of entries.
    #[error("an entry of the ledger has at most {MAX_ENTRY_BYTES} bytes")]
    TooLong,
    /// No such entry.
    #[error("the ledger has no such entry")]
    Unknown,
    /// It is queued, and will be in the log.
    #[error("what was done is stored, and not in the ledger yet; ask again")]
    Overdue,
    /// What is stored is not what was signed, or cannot be read.
    #[error(
        "the ledger cannot be used ({0}); `ig-control-plane ledger fsck` says where, and \
         docs/ledger.md what to do"
    )]
    Closed(String),
    /// Too many read it.
    #[error("too many read the ledger at once; try again")]
    Busy,
    /// The database.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
}

/// Queues an entry in the caller's transaction: it will be in the log exactly once
/// if that is committed, and never otherwise. On PostgreSQL, entries come into the
/// log in the order of their transactions only where those wait for each other.
///
/// # Errors
/// [`Error::TooLong`], [`Error::Store`].
pub(crate) async fn enqueue(
    connection: &mut AnyConnection,
    kind: Kind,
    body: &[u8],
) -> Result<EntryId, Error> {
    if body.len() > MAX_ENTRY_BYTES {
        return Err(Error::TooLong);
    }
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO ledger_entries (kind, body, queued_at) VALUES ($1, $2, $3) RETURNING id",
    )
    .bind(kind.name())
    .bind(body)
    .bind(now())
    .fetch_one(connection)
    .await?;
    Ok(EntryId(id))
}

/// What the log says of an entry: all that a bundle's `tlogEntries` or a
/// `.tlog-proof` have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Sequenced {
    /// Its place, from 0.
    pub(crate) index: u64,
    /// The leaf's bytes.
    pub(crate) body: Vec<u8>,
    /// The path, and the signed checkpoint that it leads to.
    pub(crate) proof: Proof,
    /// The checkpoint's tree.
    pub(crate) head: TreeHead,
}

/// How long an entry may take to be in the log before its caller is told to ask
/// again.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether another replica has appended it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Readers at once: strangers leave connections to others.
const READERS: usize = 4;
/// Those who wait at once until the log has an entry: each looks again and again.
const WAITERS: usize = 256;
/// Panics of the sequencer without a turn between them, after which it is said
/// that nothing is appended.
const MANY_PANICS: u32 = 3;

/// What is said after [`MANY_PANICS`].
const STOPPED: &str = "what appends to it panics again and again; the control plane's log says why";

/// This control plane's log.
pub(crate) struct Ledger {
    store: Store,
    signer: Arc<LogSigner>,
    /// Believes the log's own keys.
    policy: Policy,
    metrics: Arc<LedgerMetrics>,
    /// That there may be something to append.
    wake: Notify,
    /// Counts what this replica has appended, or has seen appended.
    progress: watch::Sender<u64>,
    /// Why it cannot be used.
    fault: Mutex<Option<String>>,
    /// Panics of the sequencer since its last turn.
    panics: AtomicU32,
    /// The last tree that was stored, as far as this process knows: it outlives a
    /// sequencer that panics.
    remembered: Mutex<Option<TreeHead>>,
    /// Who waits for entries.
    waiters: Semaphore,
    /// Strangers who read it.
    readers: Semaphore,
    /// What strangers are being sent.
    lending: lending::Lending,
    /// Who is asked to cosign.
    asked: Vec<config::Asked>,
    /// Authorities of witnesses' certificates.
    ca: PathBuf,
    /// Cosigns logs of others.
    witness: witness::Witness,
}

impl Ledger {
    /// Begins the log, or opens it. One that cannot be opened is no reason not to
    /// start: [`Ledger::fault`] says it, and nothing is appended.
    ///
    /// # Errors
    /// [`CannotPrepare`]: keys or configuration that cannot be used.
    pub(crate) async fn prepare(
        store: &Store,
        config: &LedgerConfig,
        public_url: Option<&str>,
        ca: PathBuf,
        metrics: Arc<LedgerMetrics>,
    ) -> Result<Self, CannotPrepare> {
        let signer = keys::signer(store, config, public_url).await?;
        let signer = Arc::new(signer);
        let policy = signer.policy().map_err(CannotPrepare::Policy)?;
        let opened = sequencer::begin(store, &signer).await;
        let fault = match opened {
            Ok(()) => None,
            Err(sequencer::Failure::Store(error)) => return Err(error.into()),
            Err(sequencer::Failure::Log(error)) => {
                let fault = chain(&error);
                tracing::error!(fault, "ALERT: the ledger cannot be opened");
                Some(fault)
            }
        };
        Ok(Self {
            witness: witness::Witness::prepare(store, config, signer.origin()).await?,
            asked: config.asked().map_err(CannotPrepare::Config)?,
            ca,
            store: store.clone(),
            policy,
            metrics,
            wake: Notify::new(),
            progress: watch::Sender::new(0),
            fault: Mutex::new(fault),
            panics: AtomicU32::new(0),
            remembered: Mutex::default(),
            waiters: Semaphore::new(WAITERS),
            readers: Semaphore::new(READERS),
            lending: lending::Lending::default(),
            signer,
        })
    }

    /// Why nothing can be appended or proved, if so.
    pub(crate) fn fault(&self) -> Option<String> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let has_stopped = self.panics.load(Ordering::Relaxed) >= MANY_PANICS;
        let stopped = || has_stopped.then(|| STOPPED.to_owned());
        fault.clone().or_else(stopped)
    }

    /// Whether anything new is to be promised to be in the log.
    ///
    /// # Errors
    /// [`Error::Closed`]
    pub(crate) fn check(&self) -> Result<(), Error> {
        self.fault()
            .map_or(Ok(()), |fault| Err(Error::Closed(fault)))
    }

    fn set_fault(&self, fault: Option<String>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }

    fn remembered(&self) -> Option<TreeHead> {
        *self
            .remembered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, head: TreeHead) {
        let remembered = self.remembered.lock();
        *remembered.unwrap_or_else(PoisonError::into_inner) = Some(head);
    }

    /// The log's keys, Ed25519 and P-256. Their name is the log's.
    pub(crate) fn keys(&self) -> &[VerifierKey; 2] {
        self.signer.keys()
    }

    /// Names the log as Sigstore does: SHA-256 of its P-256 key, in DER.
    pub(crate) fn log_id(&self) -> [u8; 32] {
        use sha2::Digest as _;
        let [_, p256] = self.keys();
        sha2::Sha256::digest(p256.bytes()).into()
    }

    /// Waits until an entry whose transaction is committed is in the log, and
    /// proves it. It may be asked for again at any time, at any replica.
    ///
    /// # Errors
    /// [`Error`]; after [`Error::Overdue`] the entry is still queued. It comes at once
    /// where too many wait.
    pub(crate) async fn sequenced(&self, entry: EntryId) -> Result<Sequenced, Error> {
        let waiting = self.waiters.try_acquire();
        let mut progress = self.progress.subscribe();
        let deadline = Instant::now() + PATIENCE;
        loop {
            progress.mark_unchanged();
            let row: Option<(Option<i64>,)> =
                sqlx::query_as("SELECT leaf FROM ledger_entries WHERE id = $1")
                    .bind(entry.0)
                    .fetch_optional(self.store.pool())
                    .await?;
            match row {
                None => return Err(Error::Unknown),
                Some((Some(leaf),)) => return self.prove(leaf.cast_unsigned()).await,
                Some((None,)) => {}
            }
            self.check()?;
            let at = Instant::now();
            if at >= deadline || waiting.is_err() {
                return Err(Error::Overdue);
            }
            self.wake.notify_one();
            let _ = timeout_at(deadline.min(at + LOOK_AGAIN), progress.changed()).await;
        }
    }

    /// Proves that the log has an entry, in the last checkpoint with witnesses'
    /// lines if that has it, and in the last one otherwise. What is returned was
    /// verified.
    ///
    /// # Errors
    /// [`Error::Unknown`] for an entry that there is not, [`Error::Closed`].
    pub(crate) async fn prove(&self, index: u64) -> Result<Sequenced, Error> {
        let mut view = self.store.view().await?;
        let log = read::log(&mut view).await?;
        let (last, cosigned) = log.ok_or_else(|| Error::Closed("there is no log".into()))?;
        let notes = cosigned.into_iter().chain([last]);
        let mut covering = notes.filter_map(|note| {
            let head = read::head(&note)?;
            (index < head.size).then_some((note, head))
        });
        let (checkpoint, head) = covering.next().ok_or(Error::Unknown)?;
        let body = read::entry(&mut view, index).await?;
        let body = body.ok_or_else(|| Error::Closed("an entry is missing".into()))?;
        let shelf = read::Shelf::default();
        let path = read::fetched(&mut view, &shelf, || {
            Tiles::new(&shelf, head.size).inclusion(index, head.size)
        })
        .await;
        let path = path.map_err(|failure| match failure {
            sequencer::Failure::Store(error) => Error::Store(error),
            sequencer::Failure::Log(error) => Error::Closed(chain(&error)),
        })?;
        view.commit().await?;
        let proof = Proof {
            index,
            path,
            extra: None,
            checkpoint,
        };
        let verified = proof.verify(&self.policy, &body);
        verified.map_err(|error| Error::Closed(chain(&error)))?;
        Ok(Sequenced {
            index,
            body,
            proof,
            head,
        })
    }

    /// Appends what is queued, and has what is appended cosigned, until the future
    /// is dropped. Neither ends the other.
    pub(crate) async fn run(self: Arc<Self>) {
        let appending = async |ledger: Arc<Self>| sequencer::run(&ledger).await;
        let asking = async |ledger: Arc<Self>| witnesses::run(&ledger).await;
        tokio::join!(
            supervise(&self, "sequencer", appending, Self::sequencer_ended),
            supervise(&self, "witnesses", asking, |_| {}),
        );
    }

    fn sequencer_ended(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    let causes: Vec<_> = causes.map(ToString::to_string).collect();
    causes.join(": ")
}
