//! The log's files, as rows of the database have them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ig_ledger::layout::{Resource, Span, WIDTH, push_entry};
use ig_ledger::storage::{Commit, Files, Storage, StorageError};
use ig_ledger::verify::note::Note;
use ig_ledger::verify::{Checkpoint, Hash, TreeHead};
use sqlx::AnyConnection;

use super::sequencer::Failure;

/// The last checkpoint, and the last one that witnesses have cosigned.
pub(super) async fn log(
    connection: &mut AnyConnection,
) -> Result<Option<(String, Option<String>)>, sqlx::Error> {
    sqlx::query_as("SELECT checkpoint, cosigned FROM ledger_log WHERE id = 1")
        .fetch_optional(connection)
        .await
}

/// The tree that a note of ours is about. Nothing is verified.
pub(super) fn head(note: &str) -> Option<TreeHead> {
    let note = Note::parse(note.as_bytes()).ok()?;
    Some(Checkpoint::parse(note.text).ok()?.head)
}

/// A file; `None` where the log does not have it. What is stored is covered by the
/// checkpoint, since both are written in one transaction.
pub(super) async fn file(
    connection: &mut AnyConnection,
    resource: Resource,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    match resource {
        Resource::Checkpoint => Ok(log(connection).await?.map(|(last, _)| last.into_bytes())),
        Resource::Tile { level, span } => tile(connection, level, span).await,
        Resource::Entries(span) => bundle(connection, span).await,
    }
}

async fn tile(
    connection: &mut AnyConnection,
    level: u8,
    span: Span,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let hashes: Option<Vec<u8>> =
        sqlx::query_scalar("SELECT hashes FROM ledger_tiles WHERE level = $1 AND tile = $2")
            .bind(i64::from(level))
            .bind(number(span.index()))
            .fetch_optional(connection)
            .await?;
    let bytes = usize::from(span.width()) * Hash::BYTES;
    Ok(hashes.and_then(|hashes| hashes.get(..bytes).map(<[u8]>::to_vec)))
}

async fn bundle(
    connection: &mut AnyConnection,
    span: Span,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    let Some(first) = span.index().checked_mul(WIDTH.into()) else {
        return Ok(None);
    };
    let first = number(first);
    let bodies: Vec<Vec<u8>> = sqlx::query_scalar(
        "SELECT body FROM ledger_entries WHERE leaf >= $1 AND leaf < $2 ORDER BY leaf",
    )
    .bind(first)
    .bind(first.saturating_add(span.width().into()))
    .fetch_all(connection)
    .await?;
    let mut bundle = Vec::new();
    for body in &bodies {
        push_entry(&mut bundle, body).map_err(|error| sqlx::Error::Decode(error.into()))?;
    }
    Ok((bodies.len() == usize::from(span.width())).then_some(bundle))
}

/// An entry of the log.
pub(super) async fn entry(
    connection: &mut AnyConnection,
    index: u64,
) -> Result<Option<Vec<u8>>, sqlx::Error> {
    sqlx::query_scalar("SELECT body FROM ledger_entries WHERE leaf = $1")
        .bind(number(index))
        .fetch_optional(connection)
        .await
}

/// A size or place, as the databases have numbers. No log gets so large that it
/// does not fit.
pub(super) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What `ig-ledger` reads and writes: files that were fetched before, and what is
/// to be stored. A clone is a handle.
#[derive(Clone, Default, Debug)]
pub(super) struct Shelf(Arc<Mutex<Inner>>);

#[derive(Default, Debug)]
struct Inner {
    /// `None` for what the log does not have.
    files: BTreeMap<Resource, Option<Vec<u8>>>,
    /// What was asked for and is not fetched.
    missed: BTreeSet<Resource>,
    staged: Option<Staged>,
}

/// A state of the log that is to be stored.
#[derive(Debug)]
pub(super) struct Staged {
    /// Tiles, and bundles, which rows of entries have already.
    pub(super) files: Vec<(Resource, Vec<u8>)>,
    pub(super) checkpoint: String,
}

impl Shelf {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, resource: Resource, bytes: Option<Vec<u8>>) {
        self.inner().files.insert(resource, bytes);
    }

    /// What an append has made; nothing is stored of it yet.
    pub(super) fn take_staged(&self) -> Option<Staged> {
        self.inner().staged.take()
    }

    /// Forgets files that are not needed to append.
    pub(super) fn clear(&self) {
        self.inner()
            .files
            .retain(|file, _| *file == Resource::Checkpoint);
    }
}

impl Files for Shelf {
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>> {
        let mut inner = self.inner();
        if let Some(bytes) = inner.files.get(&resource) {
            return Ok(bytes.clone());
        }
        inner.missed.insert(resource);
        Err(io::Error::other("not fetched yet"))
    }
}

impl Storage for Shelf {
    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), StorageError> {
        let mut inner = self.inner();
        let stored = inner.files.get(&Resource::Checkpoint);
        let stored = stored.and_then(Option::as_deref);
        if stored != commit.previous.map(str::as_bytes) {
            return Err(StorageError::Conflict);
        }
        let checkpoint = commit.checkpoint.to_owned();
        let bytes = Some(checkpoint.clone().into_bytes());
        inner.files.insert(Resource::Checkpoint, bytes);
        inner.staged = Some(Staged {
            files: commit.files.clone(),
            checkpoint,
        });
        Ok(())
    }
}

/// Rounds of [`fetched`]: a path, and the edge of a tree, have fewer tiles.
const MOST_ROUNDS: usize = 64;

/// Does what reads files of a shelf. Those that it misses are fetched, and it is
/// done again: `ig-ledger` does not wait, and the database has to be waited for.
///
/// # Errors
/// What it says, or the database.
pub(super) async fn fetched<T>(
    connection: &mut AnyConnection,
    shelf: &Shelf,
    work: impl Fn() -> Result<T, ig_ledger::Error>,
) -> Result<T, Failure> {
    for _ in 0..MOST_ROUNDS {
        let done = work();
        let missed = std::mem::take(&mut shelf.inner().missed);
        if missed.is_empty() || done.is_ok() {
            return done.map_err(Failure::Log);
        }
        for resource in missed {
            let bytes = file(connection, resource).await?;
            shelf.put(resource, bytes);
        }
    }
    Err(Failure::Log(ig_ledger::Error::OutOfRange))
}
