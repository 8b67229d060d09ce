//! Checks all of the ledger: each entry, tile and the checkpoint, and that each
//! record of the audit trail is the one that its leaf commits to.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use ig_ledger::fsck;
use ig_ledger::layout::Resource;
use ig_ledger::storage::Files;
use ig_ledger::verify::{TreeHead, VerifyError};
use sqlx::{Any, FromRow, Transaction};
use tokio::runtime::Handle;

use super::keys::{self, CannotPrepare};
use super::{chain, leaf, read};
use crate::Config;
use crate::audit::Record;
use crate::store::{CannotOpen, Store};

/// Records that are read at once.
const PAGE: i64 = 1000;

/// What was checked, and found right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// Entries of the log.
    pub entries: u64,
    /// The root, in base64.
    pub root: String,
    /// Records of the audit trail whose leaf is in the log.
    pub records: u64,
    /// Records that wait to be in the log.
    pub queued: u64,
    /// Records from before there was a ledger, which nothing commits to.
    pub uncommitted: u64,
}

/// The first thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Tampered {
    /// The log itself.
    #[error("the log: {0}")]
    Log(String),
    /// A record is not the one that its leaf commits to.
    #[error("audit record {0} is not what its leaf in the ledger commits to: it was changed")]
    Record(i64),
    /// A record has no leaf, or not the one of its place.
    #[error("audit record {0} has no leaf of its own in the ledger")]
    Unlogged(i64),
    /// A leaf has no record.
    #[error("entry {0} of the ledger is of an audit record that is not there: it was deleted")]
    Deleted(u64),
}

/// Why it was not found to be right.
#[derive(Debug, thiserror::Error)]
pub enum CannotCheck {
    /// The database.
    #[error(transparent)]
    Open(#[from] CannotOpen),
    /// The database.
    #[error("the database cannot be read")]
    Store(#[from] sqlx::Error),
    /// The log's keys.
    #[error("{0}")]
    Keys(String),
    /// What is remembered is no checkpoint of this log.
    #[error("the remembered checkpoint is not one of this log")]
    Remembered(#[source] VerifyError),
    /// It ended by itself.
    #[error("the check did not end")]
    Ended,
    /// It is wrong.
    #[error(transparent)]
    Tampered(#[from] Tampered),
}

impl From<CannotPrepare> for CannotCheck {
    fn from(error: CannotPrepare) -> Self {
        Self::Keys(chain(&error))
    }
}

/// Checks the ledger of a configuration's database as it is now. `remembered` is a
/// checkpoint that was kept elsewhere: the log has to have grown from it.
///
/// # Errors
/// [`CannotCheck`], with the first thing that is wrong.
pub async fn check(config: &Config, remembered: Option<&[u8]>) -> Result<Checked, CannotCheck> {
    let store = Store::open(config.database.as_str(), config.database_patience).await?;
    let signer = keys::signer(&store, &config.ledger, config.public_url.as_deref()).await?;
    let policy = signer
        .policy()
        .map_err(|error| CannotCheck::Keys(error.to_string()))?;
    let heads: Vec<TreeHead> = match remembered {
        None => Vec::new(),
        Some(note) => {
            let verified = policy.checkpoint(note).map_err(CannotCheck::Remembered)?;
            vec![verified.checkpoint.head]
        }
    };
    // One state of all tables, however long it takes.
    let view = Arc::new(Mutex::new(store.view().await?));
    let frozen = Frozen {
        view: Arc::clone(&view),
        handle: Handle::current(),
    };
    let walk = move || {
        let mut records = Records::new(frozen.clone());
        let report = fsck(&frozen, &policy, &heads, |index, body| {
            records.see(index, body);
        });
        let report = report.map_err(|fault| Tampered::Log(chain(&fault)))?;
        let head = report.verified.checkpoint.head;
        Ok::<_, Tampered>((head, records.end()))
    };
    let walked = tokio::task::spawn_blocking(walk).await;
    let (head, records) = walked.map_err(|_| CannotCheck::Ended)??;
    // The walk has ended, so nobody else has it.
    let view = Arc::into_inner(view).ok_or(CannotCheck::Ended)?;
    let mut view = view.into_inner().unwrap_or_else(PoisonError::into_inner);
    // A record that was cut off says more than its leaf, which has none now.
    look_for_unlogged(&mut view).await?;
    let records = records?;
    let queued = check_queued(&mut view).await?;
    let uncommitted: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM audit WHERE entry IS NULL")
        .fetch_one(&mut *view)
        .await?;
    drop(view);
    store.close().await;
    Ok(Checked {
        entries: head.size,
        root: head.root.to_string(),
        records,
        queued,
        uncommitted: uncommitted.cast_unsigned(),
    })
}

/// The state of one transaction, for who does not wait. A clone is a handle.
#[derive(Clone)]
struct Frozen {
    view: Arc<Mutex<Transaction<'static, Any>>>,
    handle: Handle,
}

impl Files for Frozen {
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>> {
        let mut view = self.view.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = self.handle.block_on(read::file(&mut view, resource));
        bytes.map_err(io::Error::other)
    }
}

/// A record, and its leaf's place or bytes.
#[derive(FromRow)]
struct Row {
    number: i64,
    at: i64,
    actor: String,
    action: String,
    target: String,
    before: Option<String>,
    after: Option<String>,
    salt: Option<String>,
    leaf: Option<i64>,
    body: Vec<u8>,
}

impl Row {
    /// Whether bytes are the leaf of this record.
    fn is_of(&self, body: &[u8]) -> bool {
        let record = Record {
            action: &self.action,
            actor: &self.actor,
            after: self.after.as_deref(),
            at: self.at,
            before: self.before.as_deref(),
            target: &self.target,
        };
        let salt = self.salt.as_deref().unwrap_or_default();
        record.leaf_again(salt).is_some_and(|leaf| leaf == body)
    }
}

/// Records in the order of their leaves, beside the leaves.
struct Records {
    frozen: Frozen,
    page: std::vec::IntoIter<Row>,
    /// The next one, unless there is none.
    next: Option<Row>,
    /// Number of the last one.
    last: i64,
    seen: u64,
    found: Result<(), CannotCheck>,
}

impl Records {
    fn new(frozen: Frozen) -> Self {
        let mut this = Self {
            frozen,
            page: Vec::new().into_iter(),
            next: None,
            last: 0,
            seen: 0,
            found: Ok(()),
        };
        this.advance(0);
        this
    }

    /// Reads the record of the first leaf from a place on.
    fn advance(&mut self, from: i64) {
        self.next = self.page.next();
        if self.next.is_some() || self.found.is_err() {
            return;
        }
        let mut view = self
            .frozen
            .view
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let page = sqlx::query_as(
            "SELECT a.number, a.at, a.actor, a.action, a.target, a.before, a.after, a.salt, \
             e.leaf, e.body FROM audit a JOIN ledger_entries e ON e.id = a.entry \
             WHERE e.leaf >= $1 ORDER BY e.leaf LIMIT $2",
        )
        .bind(from)
        .bind(PAGE)
        .fetch_all(&mut **view);
        match self.frozen.handle.block_on(page) {
            Ok(page) => self.page = page.into_iter(),
            Err(error) => self.found = Err(error.into()),
        }
        self.next = self.page.next();
    }

    /// A leaf: it is of the next record, or of none.
    fn see(&mut self, index: u64, body: &[u8]) {
        if self.found.is_err() {
            return;
        }
        let place = read::number(index);
        let is_here = |row: &Row| row.leaf == Some(place);
        let record = self.next.as_ref().filter(|row| is_here(row));
        let found = match (record, leaf::is_audit(body)) {
            (None, false) => return,
            (None, true) => Err(Tampered::Deleted(index)),
            (Some(row), false) => Err(Tampered::Unlogged(row.number)),
            (Some(row), true) if !row.is_of(body) => Err(Tampered::Record(row.number)),
            // Records come into the log in the order of their numbers.
            (Some(row), true) if row.number <= self.last => Err(Tampered::Unlogged(row.number)),
            (Some(row), true) => Ok(row.number),
        };
        match found {
            Ok(number) => {
                self.last = number;
                self.seen += 1;
                self.advance(place.saturating_add(1));
            }
            Err(tampered) => self.found = Err(tampered.into()),
        }
    }

    /// How many there were.
    fn end(self) -> Result<u64, CannotCheck> {
        self.found?;
        match self.next {
            Some(row) => Err(Tampered::Unlogged(row.number).into()),
            None => Ok(self.seen),
        }
    }
}

/// Records that claim no leaf, or one that there is not. Before there was a ledger
/// there was none; no later record is without.
async fn look_for_unlogged(view: &mut Transaction<'static, Any>) -> Result<(), CannotCheck> {
    let found: Option<i64> = sqlx::query_scalar(
        "SELECT MIN(number) FROM audit WHERE \
         (entry IS NULL AND number > (SELECT MIN(number) FROM audit WHERE entry IS NOT NULL)) \
         OR (entry IS NOT NULL \
           AND NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.id = audit.entry))",
    )
    .fetch_one(&mut **view)
    .await?;
    match found {
        Some(number) => Err(Tampered::Unlogged(number).into()),
        None => Ok(()),
    }
}

/// Checks records that are not in the log yet, and says how many.
async fn check_queued(view: &mut Transaction<'static, Any>) -> Result<u64, CannotCheck> {
    let (mut after, mut count) = (0, 0);
    loop {
        let page: Vec<Row> = sqlx::query_as(
            "SELECT a.number, a.at, a.actor, a.action, a.target, a.before, a.after, a.salt, \
             e.leaf, e.body FROM audit a JOIN ledger_entries e ON e.id = a.entry \
             WHERE e.leaf IS NULL AND a.number > $1 ORDER BY a.number LIMIT $2",
        )
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut **view)
        .await?;
        for row in &page {
            if !row.is_of(&row.body) {
                return Err(Tampered::Record(row.number).into());
            }
        }
        count += page.len() as u64;
        match page.last() {
            Some(last) => after = last.number,
            None => return Ok(count),
        }
    }
}
