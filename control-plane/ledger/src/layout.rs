//! C2SP `tlog-tiles`: which file of a log has what, and how entries are written.
//!
//! What a file says never changes once a checkpoint covers it, but for the
//! checkpoint itself. Files of a log can be served as they are.

use std::fmt;
use std::str::FromStr;

use crate::verify::decimal;

/// Hashes of a full tile, and entries of a full bundle.
pub const WIDTH: u16 = 256;

/// Bytes of the longest entry: its length is written in 16 bits.
pub const MAX_ENTRY_BYTES: usize = u16::MAX as usize;

/// Bytes of the largest bundle.
pub const MAX_BUNDLE_BYTES: usize = WIDTH as usize * (2 + MAX_ENTRY_BYTES);

/// Levels of tiles in a tree whose size fits 64 bits: each has 8 levels of nodes.
pub(crate) const LEVELS: u8 = 8;

/// The longest path that is read, in bytes.
const MAX_PATH_BYTES: usize = 64;

/// A file of a log.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Resource {
    /// The last signed checkpoint, the only file that changes.
    Checkpoint,
    /// A bundle of entries.
    Entries(Span),
    /// A tile of hashes. Those of level 0 are of entries, those of a level above
    /// of full tiles below.
    Tile {
        /// From 0.
        level: u8,
        /// Which of the level's hashes.
        span: Span,
    },
}

/// Up to 256 neighbours in a row: hashes of a level, or entries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Span {
    index: u64,
    width: u16,
}

impl Span {
    /// The span of an index that is full.
    #[must_use]
    pub const fn full(index: u64) -> Self {
        Self {
            index,
            width: WIDTH,
        }
    }

    /// The widest span of an index in a row of `count`; `None` where the row ends
    /// before it.
    #[must_use]
    pub fn within(index: u64, count: u64) -> Option<Self> {
        let start = index.checked_mul(WIDTH.into())?;
        let width = count.checked_sub(start)?.min(WIDTH.into());
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { index, width })
    }

    /// Which 256 of the row, from 0.
    #[must_use]
    pub const fn index(self) -> u64 {
        self.index
    }

    /// How many there are, from 1 to 256.
    #[must_use]
    pub const fn width(self) -> u16 {
        self.width
    }

    /// Whether all 256 are there.
    #[must_use]
    pub const fn is_full(self) -> bool {
        self.width == WIDTH
    }

    /// Whether a row of `count` has the span.
    fn is_within(self, count: u64) -> bool {
        Self::within(self.index, count).is_some_and(|widest| self.width <= widest.width)
    }
}

/// How many hashes a level has in a tree of a size.
pub(crate) fn row(level: u8, size: u64) -> u64 {
    size.checked_shr(8 * u32::from(level)).unwrap_or(0)
}

impl Resource {
    /// Whether it is of a tree of this size. What is not was written for a tree
    /// that no checkpoint covers yet, so nobody is to see it.
    #[must_use]
    pub fn is_covered_by(&self, size: u64) -> bool {
        match *self {
            Self::Checkpoint => true,
            Self::Entries(span) => span.is_within(size),
            Self::Tile { level, span } => span.is_within(row(level, size)),
        }
    }

    /// The same file when it is full; `None` if it is, or cannot be.
    #[must_use]
    pub fn filled(&self) -> Option<Self> {
        match *self {
            Self::Entries(span) if !span.is_full() => Some(Self::Entries(Span::full(span.index))),
            Self::Tile { level, span } if !span.is_full() => Some(Self::Tile {
                level,
                span: Span::full(span.index),
            }),
            _ => None,
        }
    }

    /// Those that this one replaces, if it is full.
    pub(crate) fn partials(&self) -> Option<std::ops::Range<Self>> {
        let partial = |index, width| match *self {
            Self::Entries(_) => Self::Entries(Span { index, width }),
            Self::Tile { level, .. } => Self::Tile {
                level,
                span: Span { index, width },
            },
            Self::Checkpoint => Self::Checkpoint,
        };
        match *self {
            Self::Entries(span) | Self::Tile { span, .. } if span.is_full() => {
                Some(partial(span.index, 0)..partial(span.index, WIDTH))
            }
            _ => None,
        }
    }

    /// The most bytes that it can have.
    #[must_use]
    pub const fn max_bytes(&self) -> usize {
        match self {
            Self::Checkpoint => crate::verify::note::MAX_NOTE_BYTES,
            Self::Entries(_) => MAX_BUNDLE_BYTES,
            Self::Tile { .. } => WIDTH as usize * crate::verify::Hash::BYTES,
        }
    }
}

/// The path below the log's URL or folder, without a slash in front.
impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let span = match self {
            Self::Checkpoint => return f.write_str("checkpoint"),
            Self::Entries(span) => {
                f.write_str("tile/entries/")?;
                span
            }
            Self::Tile { level, span } => {
                write!(f, "tile/{level}/")?;
                span
            }
        };
        let mut high = Vec::new();
        let mut rest = span.index / 1000;
        while rest > 0 {
            high.push(rest % 1000);
            rest /= 1000;
        }
        for group in high.iter().rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", span.index % 1000)?;
        if span.is_full() {
            Ok(())
        } else {
            write!(f, ".p/{}", span.width)
        }
    }
}

/// A path is that of no file of a log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not a path of `tlog-tiles`")]
pub struct NotAResource;

impl FromStr for Resource {
    type Err = NotAResource;

    /// # Errors
    /// [`NotAResource`], also for another spelling of a path.
    fn from_str(path: &str) -> Result<Self, NotAResource> {
        let parse = || {
            if path == "checkpoint" {
                return Some(Self::Checkpoint);
            }
            let (row, rest) = path.strip_prefix("tile/")?.split_once('/')?;
            let (index, width) = match rest.split_once(".p/") {
                Some((index, width)) => (index, width.parse().ok()?),
                None => (rest, WIDTH),
            };
            let mut number = 0_u64;
            for group in index.split('/') {
                let group: u64 = group.strip_prefix('x').unwrap_or(group).parse().ok()?;
                number = number.checked_mul(1000)?.checked_add(group)?;
            }
            if !(1..=WIDTH).contains(&width) {
                return None;
            }
            let span = Span {
                index: number,
                width,
            };
            if row == "entries" {
                return Some(Self::Entries(span));
            }
            let level = u8::try_from(decimal(row)?).ok()?;
            (level < LEVELS).then_some(Self::Tile { level, span })
        };
        let is_short = path.len() <= MAX_PATH_BYTES;
        let resource = is_short.then(parse).flatten().ok_or(NotAResource)?;
        // One spelling: caches and signatures of requests see one file.
        if resource.to_string() == path {
            Ok(resource)
        } else {
            Err(NotAResource)
        }
    }
}

/// Why bytes are not a bundle of entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BundleError {
    /// The last entry is cut off.
    #[error("the bundle ends within an entry")]
    Truncated,
    /// More than [`WIDTH`] entries.
    #[error("a bundle has at most {WIDTH} entries")]
    TooMany,
}

/// Reads a bundle: entries, each after its length in 16 bits.
///
/// # Errors
/// [`BundleError`].
pub fn entries(mut bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    while !bundle.is_empty() {
        if entries.len() == usize::from(WIDTH) {
            return Err(BundleError::TooMany);
        }
        let (length, rest) = bundle.split_first_chunk().ok_or(BundleError::Truncated)?;
        let length = u16::from_be_bytes(*length);
        let (entry, rest) = rest
            .split_at_checked(length.into())
            .ok_or(BundleError::Truncated)?;
        entries.push(entry);
        bundle = rest;
    }
    Ok(entries)
}

/// An entry is longer than [`MAX_ENTRY_BYTES`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an entry has at most {MAX_ENTRY_BYTES} bytes")]
pub struct EntryTooLong;

/// Writes an entry at the end of a bundle.
///
/// # Errors
/// [`EntryTooLong`]; then the bundle is as it was.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), EntryTooLong> {
    let length = u16::try_from(entry.len()).map_err(|_| EntryTooLong)?;
    bundle.extend(length.to_be_bytes());
    bundle.extend(entry);
    Ok(())
}
