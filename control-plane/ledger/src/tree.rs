//! The tree in tiles: how it grows, and which hashes prove something about it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use crate::layout::{LEVELS, Resource, Span, WIDTH, row};
use crate::verify::{Hash, TreeHead};

/// The right edge of a tree: all that is needed to make it grow.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edge {
    size: u64,
    /// Roots of the complete subtrees from left to right, one for each bit of the
    /// size.
    peaks: Vec<Hash>,
    /// What the last tile of each level has, if it is not full.
    levels: [Vec<Hash>; LEVELS as usize],
}

impl Edge {
    /// The edge of a tree of a size, of its tiles.
    ///
    /// # Errors
    /// What `read` says.
    pub(crate) fn load<E>(
        size: u64,
        mut read: impl FnMut(Resource) -> Result<Vec<Hash>, E>,
    ) -> Result<Self, E> {
        let mut edge = Self {
            size,
            ..Self::default()
        };
        for (level, hashes) in (0..).zip(&mut edge.levels) {
            let count = row(level, size);
            let last = count / u64::from(WIDTH);
            if let Some(span) = Span::within(last, count) {
                *hashes = read(Resource::Tile { level, span })?;
            }
        }
        for hashes in edge.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while let Some(height) = rest.len().checked_ilog2() {
                let (subtree, after) = rest.split_at_checked(1 << height).unwrap_or((rest, &[]));
                edge.peaks.push(fold(subtree.to_vec()));
                rest = after;
            }
        }
        Ok(edge)
    }

    pub(crate) const fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn head(&self) -> TreeHead {
        TreeHead {
            size: self.size,
            root: join(&self.peaks),
        }
    }

    /// The tiles at the edge that are not full.
    pub(crate) fn partial(&self) -> impl Iterator<Item = (Resource, &[Hash])> {
        let levels = (0..).zip(&self.levels);
        levels.filter_map(|(level, hashes)| {
            let count = row(level, self.size);
            let span = Span::within(count / u64::from(WIDTH), count)?;
            Some((Resource::Tile { level, span }, hashes.as_slice()))
        })
    }

    /// One more leaf. `full` gets the tiles that it fills.
    pub(crate) fn push(&mut self, leaf: Hash, full: &mut impl FnMut(Resource, Vec<Hash>)) {
        self.place(0, leaf, full);
        // Complete subtrees of the same height become one, as a carry does.
        let carries = self.size.trailing_ones();
        let kept = self.peaks.len().saturating_sub(carries as usize);
        let mut hash = leaf;
        for (height, left) in (1_u8..).zip(self.peaks.split_off(kept).iter().rev()) {
            hash = Hash::node(left, &hash);
            if height % 8 == 0 {
                self.place(height / 8, hash, full);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    fn place(&mut self, level: u8, hash: Hash, full: &mut impl FnMut(Resource, Vec<Hash>)) {
        // `self.size` is still the index of the leaf that is being pushed.
        let index = row(level, self.size) / u64::from(WIDTH);
        if let Some(hashes) = self.levels.get_mut(usize::from(level)) {
            hashes.push(hash);
            if hashes.len() == usize::from(WIDTH) {
                let span = Span::full(index);
                full(Resource::Tile { level, span }, std::mem::take(hashes));
            }
        }
    }
}

/// Root of a complete subtree, of the hashes of one of its levels.
fn fold(mut hashes: Vec<Hash>) -> Hash {
    while hashes.len() > 1 {
        let (pairs, _) = hashes.as_chunks();
        hashes = pairs
            .iter()
            .map(|[left, right]| Hash::node(left, right))
            .collect();
    }
    hashes.first().copied().unwrap_or(Hash::EMPTY)
}

/// Root of a tree, of its complete subtrees from left to right.
fn join(peaks: &[Hash]) -> Hash {
    let joined = peaks
        .iter()
        .rev()
        .copied()
        .reduce(|right, left| Hash::node(&left, &right));
    joined.unwrap_or(Hash::EMPTY)
}

/// The nodes of a stored tree, each tile read once.
pub(crate) struct Nodes<R> {
    stored: u64,
    read: R,
    tiles: BTreeMap<Resource, Vec<Hash>>,
}

/// Why nodes cannot be told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodesError<E> {
    /// The tree does not have it.
    #[error("the tree is not that large")]
    OutOfRange,
    /// What reading a tile says.
    #[error(transparent)]
    Read(E),
}

impl<E, R: FnMut(Resource) -> Result<Vec<Hash>, E>> Nodes<R> {
    /// Of a tree whose tiles are stored for a size. `read` gives as many hashes as
    /// it is asked for.
    pub(crate) fn new(stored: u64, read: R) -> Self {
        let tiles = BTreeMap::new();
        Self {
            stored,
            read,
            tiles,
        }
    }

    /// RFC 6962, 2.1: the root of the tree's first `size` leaves.
    pub(crate) fn head(&mut self, size: u64) -> Result<TreeHead, NodesError<E>> {
        let root = self.root(0..size)?;
        Ok(TreeHead { size, root })
    }

    /// RFC 6962, 2.1.1: the path of a leaf in the tree of the first `size`.
    pub(crate) fn inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Hash>, NodesError<E>> {
        if index >= size {
            return Err(NodesError::OutOfRange);
        }
        let mut path = Vec::new();
        let mut range = 0..size;
        while let Some(middle) = middle(&range) {
            let (inside, sibling) = if index < middle {
                (range.start..middle, middle..range.end)
            } else {
                (middle..range.end, range.start..middle)
            };
            path.push(self.root(sibling)?);
            range = inside;
        }
        path.reverse();
        Ok(path)
    }

    /// RFC 6962, 2.1.2: the path from the tree of the first `earlier` leaves to
    /// that of the first `later`.
    pub(crate) fn consistency(
        &mut self,
        earlier: u64,
        later: u64,
    ) -> Result<Vec<Hash>, NodesError<E>> {
        if earlier > later {
            return Err(NodesError::OutOfRange);
        }
        if earlier == 0 {
            return Ok(Vec::new());
        }
        let mut path = Vec::new();
        let mut range = 0..later;
        while range.end != earlier {
            let Some(middle) = middle(&range) else {
                return Err(NodesError::OutOfRange);
            };
            let (inside, sibling) = if earlier <= middle {
                (range.start..middle, middle..range.end)
            } else {
                (middle..range.end, range.start..middle)
            };
            path.push(self.root(sibling)?);
            range = inside;
        }
        // Who checks has the root of the whole earlier tree.
        if range.start > 0 {
            path.push(self.root(range)?);
        }
        path.reverse();
        Ok(path)
    }

    /// Root of a range that is a subtree of some tree: it begins at a multiple of
    /// the power of two that it fits.
    fn root(&mut self, range: Range<u64>) -> Result<Hash, NodesError<E>> {
        if range.end > self.stored {
            return Err(NodesError::OutOfRange);
        }
        let mut peaks = Vec::new();
        let mut at = range.start;
        while let Some(height) = (range.end - at).checked_ilog2() {
            peaks.push(self.complete(height, at)?);
            at += 1 << height;
        }
        Ok(join(&peaks))
    }

    /// Root of the complete subtree of a height that begins at a leaf.
    fn complete(&mut self, height: u32, start: u64) -> Result<Hash, NodesError<E>> {
        let level = u8::try_from(height / 8).map_err(|_| NodesError::OutOfRange)?;
        let first = row(level, start);
        let count = 1_usize << (height % 8);
        let span = Span::within(first / u64::from(WIDTH), row(level, self.stored));
        let span = span.ok_or(NodesError::OutOfRange)?;
        let tile = match self.tiles.entry(Resource::Tile { level, span }) {
            Entry::Occupied(tile) => tile.into_mut(),
            Entry::Vacant(place) => {
                let tile = (self.read)(*place.key()).map_err(NodesError::Read)?;
                place.insert(tile)
            }
        };
        let from = (first % u64::from(WIDTH)) as usize;
        let hashes = tile.get(from..from + count);
        Ok(fold(hashes.ok_or(NodesError::OutOfRange)?.to_vec()))
    }
}

/// Where RFC 6962 parts a range: after the largest power of two below its length.
fn middle(range: &Range<u64>) -> Option<u64> {
    let length = range.end - range.start;
    let last = length.checked_sub(1)?;
    last.checked_ilog2()
        .map(|height| range.start + (1 << height))
}
