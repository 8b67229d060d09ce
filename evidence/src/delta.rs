//! How the ledger grew since the last release: two signed checkpoints, a proof that one
//! tree grew to the other, and every entry that came, each with its proof.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ig_ledger::storage::Storage;
use ig_ledger::verify::{Hash, Policy, TreeHead, merkle};
use ig_ledger::{Error, Log};
use serde::{Deserialize, Serialize};

use crate::log_entry::Entered;
use crate::{json, names};

/// The most entries between two releases.
pub const MAX_ENTRIES: u64 = 4096;

/// How a ledger grew.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delta {
    /// The last release's checkpoint; none for the first release, whose ledger grew from
    /// nothing.
    since: Option<String>,
    /// This release's, before its manifest.
    checkpoint: String,
    /// From the one to the other, base64.
    consistency: Vec<String>,
    /// Everything that came.
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    index: u64,
    /// Base64.
    body: String,
    /// Base64.
    path: Vec<String>,
}

/// What was shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Growth {
    pub(crate) since: TreeHead,
    pub(crate) head: TreeHead,
    /// By index.
    pub(crate) entries: BTreeMap<u64, Vec<u8>>,
}

/// Why there is no delta.
#[derive(Debug, thiserror::Error)]
pub enum DeltaError {
    /// The checkpoint that was kept is not one of this log.
    #[error("the last release's checkpoint: {0}")]
    Since(String),
    /// Too much came.
    #[error("more than {MAX_ENTRIES} entries since the last release")]
    TooMany,
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] Error),
}

impl Delta {
    /// Of a log, since a checkpoint of it.
    ///
    /// # Errors
    /// [`DeltaError`].
    pub fn of<S: Storage>(log: &Log<S>, since: Option<&str>) -> Result<Self, DeltaError> {
        let wrong = |error: String| DeltaError::Since(error);
        let head = log.head();
        let from = match since {
            None => TreeHead::EMPTY,
            Some(note) => {
                let verified = log.policy().checkpoint(note.as_bytes());
                verified
                    .map_err(|error| wrong(error.to_string()))?
                    .checkpoint
                    .head
            }
        };
        let came = head.size.checked_sub(from.size);
        let came = came.ok_or_else(|| wrong("it has more entries than the log".into()))?;
        if came > MAX_ENTRIES {
            return Err(DeltaError::TooMany);
        }
        let path = match from.size == 0 || from.size == head.size {
            true => Vec::new(),
            false => log.consistency(from.size, head.size)?,
        };
        merkle::consistency(&from, &head, &path).map_err(|error| wrong(error.to_string()))?;
        let entry = |index| {
            let path = log.inclusion(index, head.size)?;
            let body = STANDARD.encode(log.entry(index)?);
            let path = path.iter().map(ToString::to_string).collect();
            Ok::<_, DeltaError>(Entry { index, body, path })
        };
        Ok(Self {
            since: since.map(ToOwned::to_owned),
            checkpoint: log.checkpoint().to_owned(),
            consistency: path.iter().map(ToString::to_string).collect(),
            entries: (from.size..head.size)
                .map(entry)
                .collect::<Result<_, _>>()?,
        })
    }

    /// As the bundle has it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::write(self)
    }

    /// Reads it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let value = json::read(names::DELTA, bytes)?;
        let wrong = |error| format!("{}: {error}", names::DELTA);
        let delta: Self = serde_json::from_value(value).map_err(wrong)?;
        match u64::try_from(delta.entries.len()) {
            Ok(0..=MAX_ENTRIES) => Ok(delta),
            _ => Err(format!("{}: more than {MAX_ENTRIES} entries", names::DELTA)),
        }
    }

    /// Whether the log grew as it says, and with what.
    pub(crate) fn verify(&self, policy: &Policy) -> Result<Growth, String> {
        let signed = |name: &str, note: &str| {
            let verified = policy.checkpoint(note.as_bytes());
            let verified = verified.map_err(|error| format!("its {name}: {error}"))?;
            Ok::<_, String>(verified.checkpoint.head)
        };
        let since = match &self.since {
            None => TreeHead::EMPTY,
            Some(note) => signed("since", note)?,
        };
        let head = signed("checkpoint", &self.checkpoint)?;
        merkle::consistency(&since, &head, &hashes(&self.consistency)?)
            .map_err(|error| format!("that the log grew from since to checkpoint: {error}"))?;
        let mut entries = BTreeMap::new();
        for (entry, index) in self.entries.iter().zip(since.size..) {
            let wrong = |why: &dyn std::fmt::Display| format!("its entry {}: {why}", entry.index);
            if entry.index != index {
                return Err(format!("the entry {index} is missing, or not in its place"));
            }
            let body = STANDARD.decode(&entry.body);
            let body = body.map_err(|_| wrong(&"it is not base64"))?;
            let path = hashes(&entry.path)?;
            merkle::inclusion(Hash::leaf(&body), index, &head, &path)
                .map_err(|error| wrong(&error))?;
            entries.insert(index, body);
        }
        let came = head.size.saturating_sub(since.size);
        match u64::try_from(self.entries.len()) == Ok(came) {
            true => Ok(Growth {
                since,
                head,
                entries,
            }),
            false => Err(format!(
                "{came} entries came, and it has {}",
                self.entries.len()
            )),
        }
    }
}

impl Growth {
    /// Whether a tree is this one with exactly the entry that was proved to be its last:
    /// the path of a last leaf are the roots of the trees that the one before is made of.
    pub(crate) fn is_before(&self, last: &Entered) -> bool {
        let mut path = last.path.iter();
        let first = path.next().copied().unwrap_or(Hash::EMPTY);
        let root = path.fold(first, |root, left| Hash::node(left, &root));
        last.index == self.head.size
            && Some(last.head.size) == self.head.size.checked_add(1)
            && root == self.head.root
    }
}

fn hashes(texts: &[String]) -> Result<Vec<Hash>, String> {
    let hashes = texts.iter().map(|text| text.parse());
    hashes
        .collect::<Result<_, _>>()
        .map_err(|error: ig_ledger::verify::NotAHash| error.to_string())
}
