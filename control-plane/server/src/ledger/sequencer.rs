//! Appends what is queued. A batch is whatever is there: while one is stored, the
//! next gathers.
//!
//! Tiles, the checkpoint and the entries' places are written in one transaction,
//! which takes a lock by name and replaces the checkpoint that the batch continues,
//! or nothing. So an entry is in the log once, and no checkpoint leaves this
//! process before it is stored.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ig_ledger::Log;
use ig_ledger::layout::Resource;
use ig_ledger::sign::LogSigner;
use ig_ledger::storage::StorageError;
use ig_ledger::verify::{Checkpoint, TreeHead};
use sqlx::{AnyConnection, AssertSqlSafe};
use tokio::time::timeout;

use super::read::{self, Shelf, Staged, fetched, number};
use super::{Ledger, chain};
use crate::store::{Store, now};

/// What writers of the log wait for.
pub(super) const LOCK: &str = "ledger";
/// Entries of a batch.
pub(super) const BATCH: usize = 512;
/// How often it is looked for entries that nobody waits for.
const POLL: Duration = Duration::from_millis(250);
/// Pauses after failures of the database, and of the log.
const PAUSE: Duration = Duration::from_millis(250);
const LONG_PAUSE: Duration = Duration::from_secs(5);
/// What is counted of a queue.
const COUNTED: i64 = 10_000;

/// Why nothing was appended. All of a batch is in the log or nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// It may be over in a moment.
    #[error(transparent)]
    Store(#[from] sqlx::Error),
    /// What is stored is not what was signed.
    #[error(transparent)]
    Log(#[from] ig_ledger::Error),
}

/// Begins the log where there is none, and otherwise looks whether it can be
/// opened.
pub(super) async fn begin(store: &Store, signer: &Arc<LogSigner>) -> Result<(), Failure> {
    let mut transaction = store.begin().await?;
    store.lock(&mut transaction, LOCK).await?;
    if read::log(&mut transaction).await?.is_some() {
        open(&mut transaction, signer, None).await?;
        return Ok(());
    }
    // A log that has lost its checkpoint is no new log.
    let left: Option<i64> = sqlx::query_scalar(
        "SELECT 1 FROM ledger_tiles UNION ALL \
         SELECT 1 FROM ledger_entries WHERE leaf IS NOT NULL LIMIT 1",
    )
    .fetch_optional(&mut *transaction)
    .await?;
    if left.is_some() {
        return Err(ig_ledger::Error::Empty.into());
    }
    let shelf = Shelf::default();
    Log::create(shelf.clone(), Arc::clone(signer))?;
    let staged = shelf.take_staged().ok_or(ig_ledger::Error::Uncertain)?;
    sqlx::query(
        "INSERT INTO ledger_log (id, origin, checkpoint, asked_until) VALUES (1, $1, $2, 0)",
    )
    .bind(signer.origin().as_str())
    .bind(staged.checkpoint)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(())
}

/// A log that was opened, and where it puts what is to be stored.
struct Open {
    shelf: Shelf,
    log: Log<Shelf>,
}

/// Opens the log in a transaction.
async fn open(
    connection: &mut AnyConnection,
    signer: &Arc<LogSigner>,
    remembered: Option<TreeHead>,
) -> Result<Open, Failure> {
    let remembered = remembered.map(|head| Checkpoint {
        origin: signer.origin().clone(),
        head,
    });
    let shelf = Shelf::default();
    let log = fetched(connection, &shelf, || {
        Log::open(shelf.clone(), Arc::clone(signer), remembered.as_ref())
    })
    .await?;
    shelf.clear();
    Ok(Open { shelf, log })
}

/// Appends batch after batch.
pub(super) struct Sequencer {
    store: Store,
    signer: Arc<LogSigner>,
    /// What the last batch has left; none after a failure.
    open: Option<Open>,
    /// The last tree that was stored, as far as this process knows: a database
    /// that is put back behind it is found out.
    remembered: Option<TreeHead>,
}

impl Sequencer {
    pub(super) fn new(store: &Store, signer: &Arc<LogSigner>) -> Self {
        Self {
            store: store.clone(),
            signer: Arc::clone(signer),
            open: None,
            remembered: None,
        }
    }

    /// Appends what is queued, up to a batch, and says how many entries that were
    /// and which tree is stored.
    ///
    /// # Errors
    /// [`Failure`]; whether the batch was stored is looked up by the next one.
    pub(super) async fn append(&mut self) -> Result<(usize, TreeHead), Failure> {
        let mut transaction = self.store.begin().await?;
        self.store.lock(&mut transaction, LOCK).await?;
        let stored = read::log(&mut transaction).await?;
        let (stored, _) = stored.ok_or(ig_ledger::Error::Empty)?;
        // Another replica, or a witness, may have replaced the checkpoint.
        let kept = self.open.take();
        let mut open = match kept.filter(|open| open.log.checkpoint() == stored) {
            Some(open) => open,
            None => open(&mut transaction, &self.signer, self.remembered).await?,
        };
        self.remembered = Some(open.log.head());
        let queued: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT id, body FROM ledger_entries WHERE leaf IS NULL ORDER BY id LIMIT $1",
        )
        .bind(i64::try_from(BATCH).unwrap_or(i64::MAX))
        .fetch_all(&mut *transaction)
        .await?;
        let first = open.log.head().size;
        if !queued.is_empty() {
            let bodies: Vec<_> = queued.iter().map(|(_, body)| body).collect();
            open.log.append(&bodies)?;
            let staged = open.shelf.take_staged();
            let staged = staged.ok_or(ig_ledger::Error::Uncertain)?;
            write_tiles(&mut transaction, &staged).await?;
            let ids: Vec<_> = queued.iter().map(|(id, _)| *id).collect();
            place(&mut transaction, &ids, first).await?;
            replace(&mut transaction, &stored, &staged.checkpoint).await?;
            transaction.commit().await?;
        }
        let head = open.log.head();
        self.remembered = Some(head);
        self.open = Some(open);
        Ok((queued.len(), head))
    }
}

async fn write_tiles(connection: &mut AnyConnection, staged: &Staged) -> Result<(), sqlx::Error> {
    for (resource, hashes) in &staged.files {
        // Bundles are the entries themselves.
        let Resource::Tile { level, span } = resource else {
            continue;
        };
        sqlx::query(
            "INSERT INTO ledger_tiles (level, tile, hashes) VALUES ($1, $2, $3) \
             ON CONFLICT (level, tile) DO UPDATE SET hashes = excluded.hashes",
        )
        .bind(i64::from(*level))
        .bind(number(span.index()))
        .bind(hashes.as_slice())
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Gives entries their places, from `first` on.
async fn place(connection: &mut AnyConnection, ids: &[i64], first: u64) -> Result<(), sqlx::Error> {
    let places = ids.iter().zip(number(first)..);
    let places: Vec<_> = places.map(|(id, leaf)| format!("({id},{leaf})")).collect();
    // Numbers of our own; both databases name these columns so.
    let sql = format!(
        "UPDATE ledger_entries SET leaf = places.column2 FROM (VALUES {}) AS places \
         WHERE ledger_entries.id = places.column1 AND ledger_entries.leaf IS NULL",
        places.join(",")
    );
    // As many places as are queued: kept prepared they would fill the cache.
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    let placed = query.execute(connection).await?.rows_affected();
    match usize::try_from(placed) == Ok(ids.len()) {
        true => Ok(()),
        false => Err(sqlx::Error::Protocol("queued entries have changed".into())),
    }
}

/// Replaces the checkpoint that a batch continues.
async fn replace(
    connection: &mut AnyConnection,
    previous: &str,
    checkpoint: &str,
) -> Result<(), Failure> {
    let replaced = sqlx::query("UPDATE ledger_log SET checkpoint = $1 WHERE checkpoint = $2")
        .bind(checkpoint)
        .bind(previous)
        .execute(connection)
        .await?;
    match replaced.rows_affected() {
        1 => Ok(()),
        _ => Err(ig_ledger::Error::Storage(StorageError::Conflict).into()),
    }
}

/// Entries that wait, and since when the first does, in milliseconds.
async fn queue(store: &Store) -> Result<(i64, i64), sqlx::Error> {
    let (count, since): (i64, Option<i64>) = sqlx::query_as(
        "SELECT COUNT(*), MIN(queued_at) FROM \
         (SELECT queued_at FROM ledger_entries WHERE leaf IS NULL ORDER BY id LIMIT $1) AS queued",
    )
    .bind(COUNTED)
    .fetch_one(store.pool())
    .await?;
    let age = since.map_or(0, |since| (now() - since).max(0));
    Ok((count, age))
}

/// Appends whenever there is something to append.
pub(super) async fn run(ledger: &Ledger) {
    let mut sequencer = Sequencer::new(&ledger.store, &ledger.signer);
    sequencer.remembered = ledger.remembered();
    loop {
        let pause = match turn(ledger, &mut sequencer).await {
            Ok(()) => {
                ledger.panics.store(0, Ordering::Relaxed);
                POLL
            }
            Err(failure) => {
                ledger.metrics.failures.inc();
                let error = chain(&failure);
                match failure {
                    // Somebody else was first.
                    Failure::Store(_) | Failure::Log(ig_ledger::Error::Storage(_)) => {
                        tracing::warn!(error, "the ledger is not appended to; trying again");
                        PAUSE
                    }
                    Failure::Log(_) => {
                        tracing::error!(error, "ALERT: the ledger cannot be appended to");
                        ledger.set_fault(Some(error));
                        LONG_PAUSE
                    }
                }
            }
        };
        // A failure is not tried again as often as somebody asks.
        match pause == POLL {
            true => drop(timeout(POLL, ledger.wake.notified()).await),
            false => tokio::time::sleep(pause).await,
        }
    }
}

/// Appends what is queued. What comes meanwhile waits until somebody waits for it,
/// or for the next look: who only records something shall not have to share the
/// disk with a batch each.
async fn turn(ledger: &Ledger, sequencer: &mut Sequencer) -> Result<(), Failure> {
    loop {
        let (count, age) = queue(&ledger.store).await?;
        ledger.metrics.queued.set(count);
        ledger.metrics.oldest_seconds.set(age / 1000);
        let is_known = sequencer.remembered.is_some() && ledger.fault().is_none();
        if count == 0 && is_known {
            return Ok(());
        }
        let (appended, head) = sequencer.append().await?;
        ledger.set_fault(None);
        ledger.remember(head);
        ledger.metrics.size.set(number(head.size));
        // Also when another replica has appended: somebody may wait for that.
        ledger.progress.send_modify(|progress| *progress += 1);
        if appended > 0 {
            ledger.metrics.batches.inc();
        }
        if appended < BATCH {
            return Ok(());
        }
    }
}
