//! What can go wrong with a log.

use crate::files::FileError;
use crate::layout::{EntryTooLong, Resource};
use crate::log::MAX_BATCH_ENTRIES;
use crate::storage::StorageError;
use crate::tree::NodesError;
use crate::verify::{Hash, PolicyError, VerifyError};

/// Why a log was not opened, or did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is a log where one was to begin.
    #[error("there is a log already")]
    Exists,
    /// There is none where one was to be opened. If there has been one, it is lost,
    /// and must not begin again under its name.
    #[error("there is no log")]
    Empty,
    /// The log's own keys did not sign the checkpoint that is stored.
    #[error("the stored checkpoint is not this log's")]
    Checkpoint(#[source] VerifyError),
    /// The stored tree is not the one that was signed.
    #[error("the stored tree has the root {stored}, and {signed} was signed")]
    Root {
        /// Of the tiles.
        stored: Hash,
        /// Of the checkpoint.
        signed: Hash,
    },
    /// The entries at the end are not those of the tree.
    #[error("`{0}` has other entries than the tree")]
    Entries(Resource),
    /// The store has an older state than one that is remembered: what was signed
    /// since is lost, and must not be signed otherwise.
    #[error("the store has {stored} entries, and {remembered} were signed")]
    Behind {
        /// Entries there.
        stored: u64,
        /// Entries that a checkpoint had.
        remembered: u64,
    },
    /// The store has another tree than one that is remembered.
    #[error("the first {0} entries are not those that were signed")]
    Fork(u64),
    /// A remembered checkpoint is of another log.
    #[error("the remembered checkpoint is of another log")]
    Origin,
    /// Writing failed before, so that it is not known what is stored:
    /// [`Log::recover`](crate::Log::recover) looks it up.
    #[error("writing failed before; the log has to be recovered")]
    Uncertain,
    /// More than [`MAX_BATCH_ENTRIES`].
    #[error("at most {MAX_BATCH_ENTRIES} entries are appended at once")]
    TooMany,
    /// An entry of the batch.
    #[error(transparent)]
    Entry(#[from] EntryTooLong),
    /// No such entry, or no such tree, in this log.
    #[error("the log does not have so many entries")]
    OutOfRange,
    /// A witness's line is not for the last checkpoint.
    #[error("the cosignature is wrong")]
    Cosignature(#[source] VerifyError),
    /// A file cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// The state was not written, or it is not known whether it was.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The signer's keys are none.
    #[error(transparent)]
    Keys(#[from] PolicyError),
}

impl From<NodesError<FileError>> for Error {
    fn from(error: NodesError<FileError>) -> Self {
        match error {
            NodesError::OutOfRange => Self::OutOfRange,
            NodesError::Read(error) => Self::File(error),
        }
    }
}
