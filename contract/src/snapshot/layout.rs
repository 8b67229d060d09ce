//! Byte layout of a snapshot, versions 1 and 2. All integers are little-endian.
//!
//! ```text
//! 0   "IGSNAP"             magic
//! 6   u16                  format version
//! 8   7 × u32              section lengths, in bytes, in this order:
//! 36  head                 JSON, see `Head`
//!     program              serialised policy program, opaque here
//!     documents            48 bytes each, ascending by hash
//!     aliases              36 bytes each, ascending by key
//!     operation offsets    (operations + 1) × u32, into the next section
//!     operations           postcard, see `Operation`
//!     texts                UTF-8, back to back
//! ```
//!
//! Documents and aliases have a fixed size, so that a look-up is a binary
//! search in the bytes as they arrived: nothing is parsed or copied at load,
//! and 100,000 operations cost a worker what their bytes cost.

use super::InvalidSnapshot;
use super::format::Formats;

pub(super) const MAGIC: [u8; 6] = *b"IGSNAP";
pub(super) const SECTIONS: usize = 7;
pub(super) const PREAMBLE: usize = 8 + 4 * SECTIONS;
pub(super) const DOCUMENT_BYTES: usize = 48;
pub(super) const ALIAS_BYTES: usize = 36;
/// `text_offset` of a document whose text is fetched.
pub(super) const TEXT_IS_REMOTE: u32 = u32::MAX;

/// A range of bytes of a snapshot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    start: usize,
    end: usize,
}

impl Section {
    pub(super) fn of<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        bytes.get(self.start..self.end).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Sections {
    pub(super) version: u16,
    pub(super) head: Section,
    pub(super) program: Section,
    pub(super) documents: Section,
    pub(super) aliases: Section,
    pub(super) operation_offsets: Section,
    pub(super) operations: Section,
    pub(super) texts: Section,
}

impl Sections {
    /// Reads the preamble; the sections fill the bytes exactly.
    pub(super) fn locate(bytes: &[u8]) -> Result<Self, InvalidSnapshot> {
        if bytes.get(..6) != Some(&MAGIC[..]) {
            return Err(InvalidSnapshot::NotASnapshot);
        }
        let version = bytes.get(6..8).and_then(|version| version.try_into().ok());
        let version = u16::from_le_bytes(version.ok_or(InvalidSnapshot::Length)?);
        if !Formats::READABLE.contains(version) {
            return Err(InvalidSnapshot::Version { found: version });
        }
        let mut start = PREAMBLE;
        let mut sections = [Section { start: 0, end: 0 }; SECTIONS];
        for (index, section) in sections.iter_mut().enumerate() {
            let length = u32_at(bytes, 8 + 4 * index).ok_or(InvalidSnapshot::Length)? as usize;
            let end = start.checked_add(length).ok_or(InvalidSnapshot::Length)?;
            *section = Section { start, end };
            start = end;
        }
        if start != bytes.len() {
            return Err(InvalidSnapshot::Length);
        }
        let [
            head,
            program,
            documents,
            aliases,
            operation_offsets,
            operations,
            texts,
        ] = sections;
        Ok(Self {
            version,
            head,
            program,
            documents,
            aliases,
            operation_offsets,
            operations,
            texts,
        })
    }
}

pub(super) fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    let end = offset.checked_add(4)?;
    Some(u32::from_le_bytes(bytes.get(offset..end)?.try_into().ok()?))
}

/// Fixed-size entries with a 32-byte key in front, ascending by key.
#[derive(Clone, Copy)]
pub(super) struct Table<'a, const SIZE: usize>(&'a [[u8; SIZE]]);

impl<'a, const SIZE: usize> Table<'a, SIZE> {
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let (entries, rest) = bytes.as_chunks();
        rest.is_empty().then_some(Self(entries))
    }

    pub(super) fn len(self) -> usize {
        self.0.len()
    }

    pub(super) fn get(self, index: u32) -> Option<&'a [u8; SIZE]> {
        self.0.get(index as usize)
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'a [u8; SIZE]> {
        self.0.iter()
    }

    pub(super) fn is_strictly_ascending(self) -> bool {
        self.0
            .is_sorted_by(|left, right| left.get(..32) < right.get(..32))
    }

    pub(super) fn find(self, key: &[u8; 32]) -> Option<u32> {
        let found = self
            .0
            .binary_search_by(|entry| entry.get(..32).cmp(&Some(&key[..])));
        found.ok().and_then(|index| u32::try_from(index).ok())
    }
}
