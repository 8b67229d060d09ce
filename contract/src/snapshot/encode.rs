//! Writing a snapshot. The same input gives the same bytes everywhere.

use std::collections::BTreeMap;

use super::format::{self, FORMAT_VERSION, Formats};
use super::layout::{MAGIC, TEXT_IS_REMOTE};
use super::{Head, Operation, OperationIndex, Snapshot, VerificationKey};
use crate::TextHash;

/// A document to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DocumentSource {
    /// Its exact text.
    pub text: String,
    /// Whether the snapshot carries the text, or only its hash and length.
    pub embed: bool,
    /// Its operations, at least one.
    pub operations: Vec<Operation>,
}

/// Everything a snapshot is made of.
pub struct SnapshotSource {
    /// The head.
    pub head: Head,
    /// Serialised policy program.
    pub program: Vec<u8>,
    /// Documents by the hash of their text.
    pub documents: BTreeMap<TextHash, DocumentSource>,
    /// Ids beside the hash, to documents of this snapshot.
    pub aliases: BTreeMap<String, TextHash>,
}

/// A snapshot's sections do not fit their length fields.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} does not fit a snapshot: the limit is {limit}")]
pub struct TooLarge {
    what: &'static str,
    limit: u32,
}

impl SnapshotSource {
    /// Writes the snapshot. Aliases of unknown documents are left out.
    ///
    /// # Errors
    /// [`TooLarge`] for more than 4 GiB, or more than 65,535 operations in one
    /// document.
    pub fn encode(&self) -> Result<Vec<u8>, TooLarge> {
        let mut documents = Vec::new();
        let mut offsets = Vec::new();
        let mut operations = Vec::new();
        let mut texts = Vec::new();
        let mut numbers = BTreeMap::new();
        let mut operation_number: usize = 0;
        for (number, (hash, document)) in self.documents.iter().enumerate() {
            numbers.insert(hash, u32_of(number, "the number of documents")?);
            documents.extend_from_slice(&hash.0);
            put(&mut documents, operation_number, "the number of operations")?;
            let count = u16::try_from(document.operations.len()).map_err(|_| TooLarge {
                what: "the number of operations in a document",
                limit: u16::MAX.into(),
            })?;
            put(
                &mut documents,
                count.into(),
                "the number of operations in a document",
            )?;
            if document.embed {
                put(&mut documents, texts.len(), "the size of all texts")?;
                texts.extend_from_slice(document.text.as_bytes());
            } else {
                documents.extend_from_slice(&TEXT_IS_REMOTE.to_le_bytes());
            }
            put(&mut documents, document.text.len(), "the size of a text")?;
            for operation in &document.operations {
                put(&mut offsets, operations.len(), "the size of all operations")?;
                let record = postcard::to_allocvec(operation).map_err(|_| TooLarge {
                    what: "an operation record",
                    limit: u32::MAX,
                })?;
                operations.extend_from_slice(&record);
            }
            operation_number += document.operations.len();
        }
        put(&mut offsets, operations.len(), "the size of all operations")?;
        let aliases = self.encode_aliases(&numbers);
        let head = encoded(&self.head)?;
        let sections = [
            &head[..],
            &self.program,
            &documents,
            &aliases,
            &offsets,
            &operations,
            &texts,
        ];
        join(FORMAT_VERSION, &sections)
    }

    fn encode_aliases(&self, numbers: &BTreeMap<&TextHash, u32>) -> Vec<u8> {
        let by_key: BTreeMap<TextHash, u32> = self
            .aliases
            .iter()
            .filter_map(|(alias, hash)| Some((TextHash::of(alias.as_bytes()), *numbers.get(hash)?)))
            .collect();
        let mut section = Vec::new();
        for (key, number) in by_key {
            section.extend_from_slice(&key.0);
            section.extend_from_slice(&number.to_le_bytes());
        }
        section
    }
}

impl Snapshot {
    /// The bytes of this snapshot with other verification keys, and everything
    /// else as it is. `None` where that changes nothing: the keys are the same, or
    /// nothing is verified here.
    ///
    /// # Errors
    /// [`TooLarge`] where the head grows beyond what a snapshot holds.
    pub fn with_keys(&self, keys: &[VerificationKey]) -> Result<Option<Vec<u8>>, TooLarge> {
        let mut head = self.head.clone();
        match &mut head.step_up {
            Some(step_up) if step_up.keys != keys => keys.clone_into(&mut step_up.keys),
            _ => return Ok(None),
        }
        self.with_head(&head).map(Some)
    }

    /// The bytes of the same snapshot with another head.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn with_head(&self, head: &Head) -> Result<Vec<u8>, TooLarge> {
        let head = encoded(head)?;
        let [_, program, documents, aliases, offsets, operations, texts] = self.parts();
        let sections = [
            &head, program, documents, aliases, offsets, operations, texts,
        ];
        join(self.version(), &sections)
    }

    /// The bytes of the same snapshot for who reads these versions: as they are
    /// where theirs is among them, else in the version before. `None` where no
    /// version that they read says what this one does: costs that grow with
    /// variables are new in version 2, and count where anything is limited.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn for_formats(&self, formats: Formats) -> Result<Option<Vec<u8>>, TooLarge> {
        if formats.contains(self.version()) {
            return Ok(Some(self.bytes.clone()));
        }
        let before = FORMAT_VERSION - 1;
        if self.version() != FORMAT_VERSION || !formats.contains(before) {
            return Ok(None);
        }
        let count = u32_of(self.operation_count(), "the number of operations")?;
        let (mut offsets, mut operations) = (Vec::new(), Vec::new());
        for number in 0..count {
            put(&mut offsets, operations.len(), "the size of all operations")?;
            let Some(record) = self.before(OperationIndex(number)) else {
                return Ok(None);
            };
            operations.extend_from_slice(&record);
        }
        put(&mut offsets, operations.len(), "the size of all operations")?;
        let [head, program, documents, aliases, _, _, texts] = self.parts();
        let without = match &self.head.subscriptions {
            // Who does not read it refuses every upgrade.
            Some(_) => Some(encoded(&Head {
                subscriptions: None,
                ..self.head.clone()
            })?),
            None => None,
        };
        let sections = [
            without.as_deref().unwrap_or(head),
            program,
            documents,
            aliases,
            &offsets,
            &operations,
            texts,
        ];
        join(before, &sections).map(Some)
    }

    /// An operation's record in the version before.
    fn before(&self, index: OperationIndex) -> Option<Vec<u8>> {
        let mut operation = self.operation(index)?;
        if self.head().rate_limit.is_none() {
            // Nobody asks what it costs.
            operation.sizes.clear();
            operation.terms.clear();
        }
        format::narrowed(&postcard::to_allocvec(&operation).ok()?)
    }

    /// Its sections, in their order.
    fn parts(&self) -> [&[u8]; super::layout::SECTIONS] {
        let sections = &self.sections;
        [
            sections.head,
            sections.program,
            sections.documents,
            sections.aliases,
            sections.operation_offsets,
            sections.operations,
            sections.texts,
        ]
        .map(|section| section.of(&self.bytes))
    }
}

fn join(version: u16, sections: &[&[u8]]) -> Result<Vec<u8>, TooLarge> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&version.to_le_bytes());
    for section in sections {
        put(&mut bytes, section.len(), "a section")?;
    }
    for section in sections {
        bytes.extend_from_slice(section);
    }
    u32_of(bytes.len(), "the snapshot")?;
    Ok(bytes)
}

fn put(bytes: &mut Vec<u8>, value: usize, what: &'static str) -> Result<(), TooLarge> {
    bytes.extend_from_slice(&u32_of(value, what)?.to_le_bytes());
    Ok(())
}

fn u32_of(value: usize, what: &'static str) -> Result<u32, TooLarge> {
    // `u32::MAX` itself marks a remote text.
    u32::try_from(value)
        .ok()
        .filter(|value| *value != u32::MAX)
        .ok_or(TooLarge {
            what,
            limit: u32::MAX - 1,
        })
}

fn encoded(head: &Head) -> Result<Vec<u8>, TooLarge> {
    serde_json::to_vec(head).map_err(|_| TooLarge {
        what: "the head",
        limit: u32::MAX,
    })
}
