//! Whether one tree of a log grew to another.

use std::path::Path;

use anyhow::Result;
use ig_ledger::storage::Files;
use ig_ledger::verify::note::{MAX_NOTE_BYTES, Note};
use ig_ledger::verify::{Checkpoint, Policy, TreeHead, VerifyError, merkle};
use ig_ledger::{Error, FileError, Tiles};

use crate::input;
use crate::report::{Kind, Problem};

/// A tree that somebody kept: of a checkpoint, or of a proof.
pub(crate) struct Kept {
    /// The file.
    pub(crate) name: String,
    pub(crate) head: TreeHead,
}

impl Kept {
    /// Reads a checkpoint that was kept. It was believed when it was, so it has to
    /// have the log's signatures, and no witness's.
    pub(crate) fn read(path: &Path, policy: &Policy) -> Result<Result<Self, Problem>> {
        let note = input::read(path, MAX_NOTE_BYTES)?;
        let name = path.display().to_string();
        let verified = policy.without_witnesses().checkpoint(&note);
        Ok(match verified {
            Ok(verified) => Ok(Self {
                name,
                head: verified.checkpoint.head,
            }),
            Err(error) => {
                let why = refused(&error, &note, policy);
                Err(Problem::new(Kind::Checkpoint, name, why))
            }
        })
    }
}

/// Why a checkpoint is not believed; with the log that it says it is of, if that is
/// another one.
pub(crate) fn refused(error: &VerifyError, note: &[u8], policy: &Policy) -> String {
    let claimed = Note::parse(note)
        .ok()
        .and_then(|note| Checkpoint::parse(note.text).ok())
        .map(|checkpoint| checkpoint.origin)
        .filter(|origin| origin != policy.origin());
    match (error, claimed) {
        (VerifyError::Unsigned(_), Some(origin)) => {
            format!("{error}, which says that it is of `{origin}`")
        }
        _ => error.to_string(),
    }
}

/// What two heads say by themselves. `None`: tiles have to show it.
fn compare(earlier: &TreeHead, later: &TreeHead) -> Option<Result<(), String>> {
    if earlier.size == later.size {
        return Some(if earlier.root == later.root {
            Ok(())
        } else {
            Err(format!(
                "a fork: of {} entries one has the root {}, the other {}",
                earlier.size, earlier.root, later.root
            ))
        });
    }
    // Nothing is in every tree.
    (earlier.size == 0).then_some(Ok(()))
}

/// Shows that of two trees that a log signed, one grew to the other; which is
/// the older one does not matter. `tiles` are those of a tree of their size.
pub(crate) fn show<F: Files>(
    one: &TreeHead,
    other: &TreeHead,
    tiles: Option<(&F, u64)>,
) -> Result<(), (Kind, String)> {
    let (earlier, later) = if one.size <= other.size {
        (one, other)
    } else {
        (other, one)
    };
    if let Some(known) = compare(earlier, later) {
        return known.map_err(|why| (Kind::Consistency, why));
    }
    let (old, new) = (earlier.size, later.size);
    let Some((files, size)) = tiles else {
        let why = format!(
            "not shown: whether the tree of {old} entries grew to that of {new}; give the log's tiles"
        );
        return Err((Kind::NotShown, why));
    };
    if size < new {
        let why = format!("the log has {size} entries, and had {new}: it shrank");
        return Err((Kind::Consistency, why));
    }
    let path = Tiles::new(files, size).consistency(old, new);
    let path = path.map_err(of_error)?;
    merkle::consistency(earlier, later, &path).map_err(|error| {
        let why = format!(
            "the tiles do not lead from the tree of {old} entries to that of {new} ({error}): \
             a fork, or a changed tile; `ig-verify ledger` says which"
        );
        (Kind::Consistency, why)
    })
}

/// What is wrong with a file of a log.
pub(crate) fn of_file(error: FileError) -> (Kind, String) {
    (kind(&error), chain(error))
}

pub(crate) fn kind(error: &FileError) -> Kind {
    match error {
        FileError::Io(..) => Kind::Unreadable,
        FileError::Missing(_) => Kind::Missing,
        FileError::Malformed(_) => Kind::Malformed,
    }
}

fn of_error(error: Error) -> (Kind, String) {
    match error {
        Error::File(error) => of_file(error),
        error => (Kind::Consistency, chain(error)),
    }
}

/// An error with its causes.
pub(crate) fn chain(error: impl std::error::Error + Send + Sync + 'static) -> String {
    format!("{:#}", anyhow::Error::new(error))
}
