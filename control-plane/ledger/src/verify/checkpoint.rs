//! C2SP `tlog-checkpoint`: which tree a log says it is.

use std::fmt;
use std::str::FromStr;

use super::note::is_name;
use super::{Hash, decimal};

/// A log's name: the first line of its checkpoints, and the name of its keys.
///
/// Sigstore's verifiers expect the host name of the log's base URL; C2SP's take
/// any URL without a scheme.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Origin(String);

impl Origin {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = CheckpointError;

    /// # Errors
    /// [`CheckpointError::Origin`].
    fn from_str(origin: &str) -> Result<Self, CheckpointError> {
        if is_name(origin) {
            Ok(Self(origin.to_owned()))
        } else {
            Err(CheckpointError::Origin)
        }
    }
}

/// A tree: how many leaves it has, and its root.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TreeHead {
    /// Leaves.
    pub size: u64,
    /// RFC 6962, 2.1.
    pub root: Hash,
}

impl TreeHead {
    /// The tree without leaves.
    pub const EMPTY: Self = Self {
        size: 0,
        root: Hash::EMPTY,
    };
}

/// What a log signs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// Which tree.
    pub head: TreeHead,
}

/// Why a note's text is not a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The first line can be no key's name.
    #[error("an origin has 1 to 255 bytes without spaces, control characters and `+`")]
    Origin,
    /// The second line.
    #[error("a tree size is a decimal number of 64 bits without leading zeroes")]
    Size,
    /// The third line.
    #[error("a root is the base64 of a SHA-256 hash")]
    Root,
    /// Fewer lines, or extension lines: no monitor can check what they say, so
    /// that this log writes none and reads none.
    #[error("a checkpoint has three lines: origin, tree size and root")]
    Lines,
}

impl Checkpoint {
    /// Reads a note's text.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = lines.splitn(4, '\n');
        let lines = [lines.next(), lines.next(), lines.next(), lines.next()];
        let [Some(origin), Some(size), Some(root), None] = lines else {
            return Err(CheckpointError::Lines);
        };
        let origin = origin.parse()?;
        let size = decimal(size).ok_or(CheckpointError::Size)?;
        let root = root.parse().map_err(|_| CheckpointError::Root)?;
        let head = TreeHead { size, root };
        Ok(Self { origin, head })
    }
}

/// The note's text.
impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TreeHead { size, root } = self.head;
        write!(f, "{}\n{size}\n{root}\n", self.origin)
    }
}
