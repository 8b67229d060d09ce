//! RFC 9162, 2.1.3.2 and 2.1.4.2: what a path of hashes proves. The trees are
//! those of RFC 6962.
//!
//! A path says little about a tree's size: many sizes have the same shape along
//! it. Size and root belong together only where a log has signed them, so both
//! come as one [`TreeHead`], and that from a verified checkpoint.

use super::{Hash, TreeHead};

/// The longest path in a tree whose size fits 64 bits.
pub const MAX_PATH: usize = 64;

/// What a path does not prove.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProofError {
    /// There is no such entry in a tree of this size.
    #[error("the index is not in the tree")]
    Index,
    /// The earlier tree is the larger one.
    #[error("the earlier tree is larger than the later one")]
    Order,
    /// The path has more or fewer hashes than the tree has levels there.
    #[error("the path has not as many hashes as it has to have")]
    Length,
    /// The hashes lead to another root.
    #[error("the path leads to another root")]
    Root,
}

/// Checks that a tree has a leaf at an index.
///
/// # Errors
/// [`ProofError`]; then nothing is proved.
pub fn inclusion(leaf: Hash, index: u64, head: &TreeHead, path: &[Hash]) -> Result<(), ProofError> {
    if index >= head.size {
        return Err(ProofError::Index);
    }
    let mut border = Border::new(index, head.size - 1);
    let mut hash = leaf;
    for sibling in path {
        hash = match border.step()? {
            Side::Left => Hash::node(sibling, &hash),
            Side::Right => Hash::node(&hash, sibling),
        };
    }
    border.end()?;
    if hash == head.root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// Checks that a later tree has all leaves of an earlier one, in their places.
///
/// # Errors
/// [`ProofError`]; then nothing is proved.
pub fn consistency(earlier: &TreeHead, later: &TreeHead, path: &[Hash]) -> Result<(), ProofError> {
    if earlier.size > later.size {
        return Err(ProofError::Order);
    }
    // A tree without leaves has one root.
    let is_tree = |head: &TreeHead| head.size > 0 || head.root == Hash::EMPTY;
    if !is_tree(earlier) || !is_tree(later) {
        return Err(ProofError::Root);
    }
    // Nothing, and itself, are in every tree: there is no path to go.
    if earlier.size == 0 || earlier.size == later.size {
        return match path {
            [_, ..] => Err(ProofError::Length),
            [] if earlier.size > 0 && earlier.root != later.root => Err(ProofError::Root),
            [] => Ok(()),
        };
    }
    // Where the earlier tree is one complete subtree its root begins the path and
    // is left out.
    let (start, rest) = if earlier.size.is_power_of_two() {
        (earlier.root, path)
    } else {
        let (first, rest) = path.split_first().ok_or(ProofError::Length)?;
        (*first, rest)
    };
    let mut border = Border::new(earlier.size - 1, later.size - 1);
    border.skip_complete();
    let (mut old, mut new) = (start, start);
    for sibling in rest {
        match border.step()? {
            Side::Left => {
                old = Hash::node(sibling, &old);
                new = Hash::node(sibling, &new);
            }
            Side::Right => new = Hash::node(&new, sibling),
        }
    }
    border.end()?;
    if old == earlier.root && new == later.root {
        Ok(())
    } else {
        Err(ProofError::Root)
    }
}

/// On which side of the path the next hash is.
enum Side {
    Left,
    Right,
}

/// A node on its way to the root, and the last node of its level. (`fn` and `sn`
/// of RFC 9162.)
struct Border {
    node: u64,
    last: u64,
}

impl Border {
    fn new(node: u64, last: u64) -> Self {
        Self { node, last }
    }

    fn up(&mut self) {
        self.node >>= 1;
        self.last >>= 1;
    }

    /// Up while the node is a right one.
    fn skip_complete(&mut self) {
        while self.node & 1 == 1 {
            self.up();
        }
    }

    /// One hash up.
    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::Length);
        }
        let is_left = self.node & 1 == 0 && self.node < self.last;
        if !is_left {
            // A last node without a sibling is the same on the next level.
            while self.node & 1 == 0 && self.node != 0 {
                self.up();
            }
        }
        self.up();
        Ok(if is_left { Side::Right } else { Side::Left })
    }

    fn end(&self) -> Result<(), ProofError> {
        if self.last == 0 {
            Ok(())
        } else {
            Err(ProofError::Length)
        }
    }
}
