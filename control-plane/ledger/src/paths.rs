//! Paths through a tree whose files somebody has: the log itself, a mirror, a
//! database.

use crate::error::Error;
use crate::files::{FileError, Stored};
use crate::layout::Resource;
use crate::storage::Files;
use crate::tree::Nodes;
use crate::verify::Hash;

/// The path that proves that a log's first `size` entries have one at an index.
/// `stored` is the size for which the files are there: that of the checkpoint, or
/// any before where narrower files are kept.
///
/// # Errors
/// [`Error::OutOfRange`], [`Error::File`].
pub fn inclusion(
    files: &impl Files,
    stored: u64,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, Error> {
    Ok(nodes(files, stored).inclusion(index, size)?)
}

/// The path that proves that a log's first `later` entries begin with the first
/// `earlier`. `stored` is as in [`inclusion`].
///
/// # Errors
/// [`Error::OutOfRange`], [`Error::File`].
pub fn consistency(
    files: &impl Files,
    stored: u64,
    earlier: u64,
    later: u64,
) -> Result<Vec<Hash>, Error> {
    Ok(nodes(files, stored).consistency(earlier, later)?)
}

pub(crate) fn nodes<S: Files>(
    files: &S,
    size: u64,
) -> Nodes<impl FnMut(Resource) -> Result<Vec<Hash>, FileError>> {
    Nodes::new(size, |file| Stored::load(files, file)?.hashes())
}
