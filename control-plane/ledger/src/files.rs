//! Files of a log, read and taken apart.

use std::io;

use crate::layout::{self, Resource};
use crate::storage::Files;
use crate::verify::Hash;

/// Why a file of a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// What the medium says.
    #[error("`{0}` cannot be read")]
    Io(Resource, #[source] io::Error),
    /// It has to be there.
    #[error("`{0}` is missing")]
    Missing(Resource),
    /// It has not what its name says: so many hashes, or so many entries.
    #[error("`{0}` is malformed")]
    Malformed(Resource),
}

/// A file that was asked for, or the full one that has replaced it.
pub(crate) struct Stored {
    asked: Resource,
    is_full: bool,
    bytes: Vec<u8>,
}

impl Stored {
    pub(crate) fn load(files: &impl Files, asked: Resource) -> Result<Self, FileError> {
        let read = |file| {
            let bytes = files.read(file);
            bytes.map_err(|error| FileError::Io(file, error))
        };
        let mut is_full = false;
        let mut bytes = read(asked)?;
        if let (None, Some(full)) = (&bytes, asked.filled()) {
            is_full = true;
            bytes = read(full)?;
        }
        let bytes = bytes.ok_or(FileError::Missing(asked))?;
        Ok(Self {
            asked,
            is_full,
            bytes,
        })
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// As a tile.
    pub(crate) fn hashes(&self) -> Result<Vec<Hash>, FileError> {
        let (hashes, rest) = self.bytes.as_chunks();
        if !rest.is_empty() {
            return Err(FileError::Malformed(self.asked));
        }
        let hashes = hashes.iter().copied().map(Hash::from_bytes).collect();
        self.cut(hashes)
    }

    /// As a bundle of entries.
    pub(crate) fn entries(&self) -> Result<Vec<&[u8]>, FileError> {
        let entries = layout::entries(&self.bytes);
        self.cut(entries.map_err(|_| FileError::Malformed(self.asked))?)
    }

    /// As many as were asked for, of as many as there have to be.
    fn cut<T>(&self, mut items: Vec<T>) -> Result<Vec<T>, FileError> {
        let width = match self.asked {
            Resource::Entries(span) | Resource::Tile { span, .. } => span.width(),
            Resource::Checkpoint => 0,
        };
        let expected = if self.is_full { layout::WIDTH } else { width };
        if items.len() != usize::from(expected) {
            return Err(FileError::Malformed(self.asked));
        }
        items.truncate(width.into());
        Ok(items)
    }
}

/// A tile's file.
pub(crate) fn tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}
