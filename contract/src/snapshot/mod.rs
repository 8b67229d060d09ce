//! The guard snapshot: immutable, content-addressed, checked once at load.
//!
//! Decoding checks everything a look-up relies on, so that later look-ups
//! cannot fail for a reason other than "not in the catalogue". Hostile bytes
//! give an [`InvalidSnapshot`], never a panic.

mod cost;
mod encode;
mod format;
mod head;
mod layout;
mod operation;
mod rate_limit;
mod residency;
mod subscriptions;

use sha2::{Digest, Sha256};

pub use cost::{AskedSize, CostTerm, ListSize};
pub use encode::{DocumentSource, SnapshotSource, TooLarge};
pub use format::{FORMAT_VERSION, Formats, InvalidFormats, version_of};
pub use head::{
    Directory, Head, Identity, Limits, Link, LinkAttribute, MAX_RATE_PERCENT, Modes, Priority,
    StepUp, Tenant, TextStore, VerificationKey,
};
use layout::{ALIAS_BYTES, DOCUMENT_BYTES, Sections, TEXT_IS_REMOTE, Table, u32_at};
pub use operation::{
    Action, Fact, FactSource, Operation, OperationKind, PathStep, Resource, VariablePath,
};
pub use rate_limit::{ClassLimits, MAX_RATES, OperationClass, Rate, RateLimit};
pub use residency::{Foreign, Region, Residency, Route};
pub use subscriptions::{Retired, Subscriptions};

use crate::{DocumentId, Revision, TextHash};

/// Why bytes are not a snapshot this build can use.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSnapshot {
    /// The first bytes are not those of a snapshot.
    #[error("not a guard snapshot: it does not start with the magic bytes")]
    NotASnapshot,
    /// Another version of the format.
    #[error("format version {found}, but this build reads {}; {}", Formats::READABLE, mend(*.found))]
    Version {
        /// The version found.
        found: u16,
    },
    /// Truncated, or with bytes behind the end.
    #[error("section lengths do not add up to the number of bytes")]
    Length,
    /// The head is not what this build expects.
    #[error("head is not valid")]
    Head(#[source] serde_json::Error),
    /// A table is not ascending by key or has a partial entry.
    #[error("table of {table} is not a sorted table")]
    Table {
        /// Name of the table.
        table: &'static str,
    },
    /// An entry points outside its section.
    #[error("document {document} points outside the snapshot")]
    Reference {
        /// Number of the document.
        document: usize,
    },
    /// An operation record does not decode.
    #[error("operation {operation} does not decode")]
    Operation {
        /// Number of the operation.
        operation: usize,
    },
    /// Two operations of a document share a name.
    #[error("document {document} has two operations of one name")]
    OperationName {
        /// Number of the document.
        document: usize,
    },
    /// An embedded text does not have the hash it is filed under.
    #[error("text of document {document} does not have its hash")]
    TextHash {
        /// Number of the document.
        document: usize,
    },
    /// A text is neither embedded nor in a store.
    #[error("document {document} has its text elsewhere, but the head names no text store")]
    NoTextStore {
        /// Number of the document.
        document: usize,
    },
}

/// What to do about a version that is not read.
fn mend(found: u16) -> &'static str {
    match found > Formats::READABLE.newest() {
        true => "upgrade the module, or whatever reads it, to the release that wrote it",
        false => "compile the snapshot again, with the release that reads it",
    }
}

/// A decoded snapshot. Owns its bytes; look-ups read them in place.
pub struct Snapshot {
    bytes: Vec<u8>,
    sections: Sections,
    head: Head,
    revision: Revision,
}

/// A document of a [`Snapshot`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Document {
    /// SHA-256 of its text.
    pub hash: TextHash,
    first_operation: u32,
    operation_count: u16,
    text_offset: u32,
    text_bytes: u32,
}

/// Number of an operation within its snapshot.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OperationIndex(u32);

impl OperationIndex {
    /// The number.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// Where a document's text is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Text<'a> {
    /// In the snapshot.
    Embedded(&'a str),
    /// In the text store, with this many bytes.
    Remote {
        /// Length of the text, in bytes.
        bytes: u32,
    },
}

impl Document {
    fn read(entry: &[u8; DOCUMENT_BYTES]) -> Option<Self> {
        Some(Self {
            hash: TextHash(entry.get(..32)?.try_into().ok()?),
            first_operation: u32_at(entry, 32)?,
            operation_count: u16::try_from(u32_at(entry, 36)?).ok()?,
            text_offset: u32_at(entry, 40)?,
            text_bytes: u32_at(entry, 44)?,
        })
    }

    /// The operations of the document.
    pub fn operations(&self) -> impl ExactSizeIterator<Item = OperationIndex> + use<> {
        let first = self.first_operation;
        (0..self.operation_count).map(move |index| OperationIndex(first + u32::from(index)))
    }
}

impl Snapshot {
    /// Checks `bytes` and takes them over.
    ///
    /// # Errors
    /// See [`InvalidSnapshot`].
    pub fn decode(bytes: Vec<u8>) -> Result<Self, InvalidSnapshot> {
        let sections = Sections::locate(&bytes)?;
        let head =
            serde_json::from_slice(sections.head.of(&bytes)).map_err(InvalidSnapshot::Head)?;
        let revision = Revision(TextHash(Sha256::digest(&bytes).into()));
        let snapshot = Self {
            bytes,
            sections,
            head,
            revision,
        };
        let operations = snapshot.check_operations()?;
        snapshot.check_documents(operations)?;
        snapshot.check_aliases()?;
        Ok(snapshot)
    }

    fn check_operations(&self) -> Result<usize, InvalidSnapshot> {
        let offsets = self.sections.operation_offsets.of(&self.bytes);
        let table = InvalidSnapshot::Table {
            table: "operation offsets",
        };
        let (entries, rest) = offsets.as_chunks::<4>();
        let Some(operations) = entries.len().checked_sub(1).filter(|_| rest.is_empty()) else {
            return Err(table);
        };
        let last = entries
            .last()
            .map(|entry| u32::from_le_bytes(*entry) as usize);
        if last != Some(self.sections.operations.of(&self.bytes).len())
            || entries.first() != Some(&[0; 4])
        {
            return Err(table);
        }
        for operation in 0..operations {
            let index = u32::try_from(operation).map(OperationIndex);
            if index.ok().and_then(|index| self.operation(index)).is_none() {
                return Err(InvalidSnapshot::Operation { operation });
            }
        }
        Ok(operations)
    }

    fn check_documents(&self, operations: usize) -> Result<(), InvalidSnapshot> {
        let documents = Table::<DOCUMENT_BYTES>::new(self.sections.documents.of(&self.bytes))
            .filter(|documents| documents.is_strictly_ascending())
            .ok_or(InvalidSnapshot::Table { table: "documents" })?;
        let mut next_operation: u32 = 0;
        for (document, entry) in documents.iter().enumerate() {
            let reference = || InvalidSnapshot::Reference { document };
            let read = Document::read(entry).ok_or_else(reference)?;
            // Back to back, so that no operation is checked or owned twice.
            if read.operation_count == 0 || read.first_operation != next_operation {
                return Err(reference());
            }
            next_operation += u32::from(read.operation_count);
            if next_operation as usize > operations {
                return Err(reference());
            }
            let mut names: Vec<_> = read
                .operations()
                .filter_map(|index| self.operation(index))
                .map(|operation| operation.name)
                .collect();
            names.sort_unstable();
            if !names.is_sorted_by(|left, right| left < right) {
                return Err(InvalidSnapshot::OperationName { document });
            }
            match self.text(&read).ok_or_else(reference)? {
                Text::Embedded(text) if TextHash::of(text.as_bytes()) != read.hash => {
                    return Err(InvalidSnapshot::TextHash { document });
                }
                Text::Remote { .. } if self.head.texts.is_none() => {
                    return Err(InvalidSnapshot::NoTextStore { document });
                }
                Text::Embedded(_) | Text::Remote { .. } => {}
            }
        }
        match next_operation as usize == operations {
            true => Ok(()),
            false => Err(InvalidSnapshot::Table {
                table: "operation offsets",
            }),
        }
    }

    fn check_aliases(&self) -> Result<(), InvalidSnapshot> {
        let invalid = || InvalidSnapshot::Table { table: "aliases" };
        let aliases = Table::<ALIAS_BYTES>::new(self.sections.aliases.of(&self.bytes))
            .filter(|aliases| aliases.is_strictly_ascending())
            .ok_or_else(invalid)?;
        let documents = self.document_count();
        for entry in aliases.iter() {
            let target = u32_at(entry, 32).ok_or_else(invalid)?;
            if target as usize >= documents {
                return Err(invalid());
            }
        }
        Ok(())
    }

    /// The head.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// SHA-256 of the snapshot's bytes.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Version of its format.
    pub fn version(&self) -> u16 {
        self.sections.version
    }

    /// The serialised policy program.
    pub fn program(&self) -> &[u8] {
        self.sections.program.of(&self.bytes)
    }

    /// Number of documents.
    pub fn document_count(&self) -> usize {
        self.documents().map_or(0, Table::len)
    }

    /// Number of operations.
    pub fn operation_count(&self) -> usize {
        (self.sections.operation_offsets.of(&self.bytes).len() / 4).saturating_sub(1)
    }

    /// Size of the snapshot, in bytes.
    pub fn byte_count(&self) -> usize {
        self.bytes.len()
    }

    /// Every document, ascending by hash.
    pub fn iter(&self) -> impl Iterator<Item = Document> {
        self.documents()
            .into_iter()
            .flat_map(Table::iter)
            .filter_map(Document::read)
    }

    fn documents(&self) -> Option<Table<'_, DOCUMENT_BYTES>> {
        Table::new(self.sections.documents.of(&self.bytes))
    }

    /// Looks a document up by what a client calls it.
    pub fn find(&self, id: &DocumentId) -> Option<Document> {
        let documents = self.documents()?;
        let index = match id {
            DocumentId::Sha256(hash) => documents.find(&hash.0)?,
            DocumentId::Alias(alias) => {
                let aliases = Table::<ALIAS_BYTES>::new(self.sections.aliases.of(&self.bytes))?;
                let key = TextHash::of(alias.as_bytes());
                u32_at(aliases.get(aliases.find(&key.0)?)?, 32)?
            }
        };
        Document::read(documents.get(index)?)
    }

    /// Decodes an operation record.
    pub fn operation(&self, OperationIndex(index): OperationIndex) -> Option<Operation> {
        let offsets = self.sections.operation_offsets.of(&self.bytes);
        let at = (index as usize).checked_mul(4)?;
        let range = u32_at(offsets, at)? as usize..u32_at(offsets, at.checked_add(4)?)? as usize;
        let record = self.sections.operations.of(&self.bytes).get(range)?;
        let widened;
        let record = match self.sections.version {
            FORMAT_VERSION => record,
            _ => {
                widened = format::widened(record)?;
                &widened
            }
        };
        let (operation, rest) = postcard::take_from_bytes(record).ok()?;
        rest.is_empty().then_some(operation)
    }

    /// Where the text of `document` is.
    pub fn text(&self, document: &Document) -> Option<Text<'_>> {
        if document.text_offset == TEXT_IS_REMOTE {
            return Some(Text::Remote {
                bytes: document.text_bytes,
            });
        }
        let start = document.text_offset as usize;
        let end = start.checked_add(document.text_bytes as usize)?;
        let text = self.sections.texts.of(&self.bytes).get(start..end)?;
        // Checked at load for the whole snapshot; cheap to check again here.
        std::str::from_utf8(text).ok().map(Text::Embedded)
    }
}

#[cfg(test)]
mod tests;
