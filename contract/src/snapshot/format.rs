//! Versions of the layout: which a build reads and writes, and which a proxy
//! says its module reads.
//!
//! A build reads its own version and the one before, and writes both, so that
//! modules and control planes may be a release apart. Version 1 differs from 2
//! in that its operations have neither sizes nor terms.

use std::fmt;
use std::str::FromStr;

use super::layout::MAGIC;
use super::{Action, OperationKind};

/// Version of the layout and of the types inside it that this build writes.
pub const FORMAT_VERSION: u16 = 2;

/// Versions from the oldest to the newest, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Formats {
    oldest: u16,
    newest: u16,
}

/// A string is not `OLDEST-NEWEST`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("formats are written OLDEST-NEWEST, as in 1-2")]
pub struct InvalidFormats;

impl Formats {
    /// Those that this build reads: its own, and the one before. The feature
    /// `previous-format` makes it read as the release before did.
    pub const READABLE: Self = Self {
        oldest: FORMAT_VERSION - 1,
        newest: match cfg!(feature = "previous-format") {
            true => FORMAT_VERSION - 1,
            false => FORMAT_VERSION,
        },
    };

    /// One alone.
    pub const fn only(version: u16) -> Self {
        Self {
            oldest: version,
            newest: version,
        }
    }

    /// The newest.
    pub const fn newest(self) -> u16 {
        self.newest
    }

    /// Whether a version is one of them.
    pub const fn contains(self, version: u16) -> bool {
        self.oldest <= version && version <= self.newest
    }
}

impl fmt::Display for Formats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.oldest, self.newest)
    }
}

impl FromStr for Formats {
    type Err = InvalidFormats;

    fn from_str(text: &str) -> Result<Self, InvalidFormats> {
        let (oldest, newest) = text.split_once('-').ok_or(InvalidFormats)?;
        let number = |text: &str| {
            let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
            let number = text.parse().ok().filter(|_| is_plain);
            number.ok_or(InvalidFormats)
        };
        let formats = Self {
            oldest: number(oldest)?,
            newest: number(newest)?,
        };
        match formats.oldest <= formats.newest {
            true => Ok(formats),
            false => Err(InvalidFormats),
        }
    }
}

/// The version that bytes say they have; none where they are no snapshot.
pub fn version_of(bytes: &[u8]) -> Option<u16> {
    let version = bytes.strip_prefix(&MAGIC)?.first_chunk()?;
    Some(u16::from_le_bytes(*version))
}

/// The members of an operation before `sizes`, which version 1 has too.
type Beginning = (String, OperationKind, Vec<Action>, bool, bool, u32);

/// Where `sizes` is or would be, in a record of either version.
fn split(record: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_, rest) = postcard::take_from_bytes::<Beginning>(record).ok()?;
    record.split_at_checked(record.len() - rest.len())
}

/// A record of version 1 as one of version 2.
pub(super) fn widened(record: &[u8]) -> Option<Vec<u8>> {
    let (beginning, rest) = split(record)?;
    // Two lists without an item.
    Some([beginning, &[0, 0], rest].concat())
}

/// A record of version 2 without sizes and terms as one of version 1.
pub(super) fn narrowed(record: &[u8]) -> Option<Vec<u8>> {
    let (beginning, rest) = split(record)?;
    Some([beginning, rest.strip_prefix(&[0, 0])?].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats() {
        for text in ["1-2", "2-2", "0-65535"] {
            let formats: Formats = text.parse().unwrap();
            assert_eq!(formats.to_string(), text);
        }
        for text in [
            "", "2", "2-1", "1-", "-2", "1,2", "+1-2", "1- 2", "1-65536", "1-2-3",
        ] {
            assert_eq!(text.parse::<Formats>(), Err(InvalidFormats), "{text}");
        }
        let formats: Formats = "2-3".parse().unwrap();
        let within = [1, 2, 3, 4].map(|version| formats.contains(version));
        assert_eq!(within, [false, true, true, false]);
    }
}
