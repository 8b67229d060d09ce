//! A stored tree, for whoever may read its files: no key is needed for paths.

use crate::error::Error;
use crate::files::{FileError, Stored};
use crate::layout::Resource;
use crate::storage::Files;
use crate::tree::Nodes;
use crate::verify::{Hash, TreeHead};

/// The tree of the tiles in a store.
///
/// What comes of tiles is only as good as they are: a path has to be verified
/// against signed tree heads ([`crate::verify::merkle`]).
#[derive(Debug)]
pub struct Tiles<'a, F> {
    files: &'a F,
    size: u64,
}

impl<'a, F: Files> Tiles<'a, F> {
    /// Of a store with the tiles of a tree of `size` entries, which a verified
    /// checkpoint says.
    #[must_use]
    pub fn new(files: &'a F, size: u64) -> Self {
        Self { files, size }
    }

    /// The tree of the first `size` entries.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::File`].
    pub fn head(&self, size: u64) -> Result<TreeHead, Error> {
        Ok(self.nodes().head(size)?)
    }

    /// The path that proves that the first `size` entries have one at an index.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::File`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, Error> {
        Ok(self.nodes().inclusion(index, size)?)
    }

    /// The path that proves that the first `later` entries begin with the first
    /// `earlier`.
    ///
    /// # Errors
    /// [`Error::OutOfRange`], [`Error::File`].
    pub fn consistency(&self, earlier: u64, later: u64) -> Result<Vec<Hash>, Error> {
        Ok(self.nodes().consistency(earlier, later)?)
    }

    fn nodes(&self) -> Nodes<impl FnMut(Resource) -> Result<Vec<Hash>, FileError>> {
        Nodes::new(self.size, |file| Stored::load(self.files, file)?.hashes())
    }
}
