//! Where the files of a log are kept.

mod disk;
mod memory;

use std::io;

pub use disk::{Disk, Folder};
pub use memory::Memory;

use crate::layout::Resource;

/// The files of one log, as anybody can read them.
pub trait Files {
    /// What a file has; `None` when there is none. A file that is longer than
    /// [`Resource::max_bytes`] may be cut off one byte later. A [`Storage`] reads a
    /// checkpoint only once it is on stable storage.
    ///
    /// # Errors
    /// What the medium says.
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>>;
}

/// Keeps the files of one log.
pub trait Storage: Files {
    /// Writes one state of the log.
    ///
    /// When this returns, all of it is on stable storage. When it fails, or the
    /// machine does, any of `files` may be there or not, in their order, and the
    /// new checkpoint is there only if all of them are. Nobody is to see a
    /// checkpoint before it is on stable storage.
    ///
    /// A file that is there already is replaced: a state that was never completed
    /// has left it. Once the checkpoint is there, files that a full one of
    /// `files` replaces ([`Resource::filled`]) may go.
    ///
    /// # Errors
    /// [`StorageError`].
    fn commit(&mut self, commit: &Commit<'_>) -> Result<(), StorageError>;
}

/// One state of a log after another.
#[derive(Debug)]
pub struct Commit<'a> {
    /// The checkpoint before; `None` for a log that begins.
    pub previous: Option<&'a str>,
    /// Entries first, then tiles.
    pub files: Vec<(Resource, Vec<u8>)>,
    /// The new checkpoint, a signed note.
    pub checkpoint: &'a str,
}

/// Why a state was not written.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The checkpoint there is not [`Commit::previous`]: somebody else writes to
    /// this log. Nothing was changed.
    #[error("the stored checkpoint is not the one that this log continues")]
    Conflict,
    /// What the medium says. Whether the state was written is to be looked up.
    #[error(transparent)]
    Io(#[from] io::Error),
}
