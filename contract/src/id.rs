//! Identifiers that are hashes, and the ids by which clients name documents.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// SHA-256 of a document's exact UTF-8 bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TextHash(pub [u8; 32]);

impl TextHash {
    /// Hashes `text`, byte for byte.
    pub fn of(text: &[u8]) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Parses exactly 64 lower-case hex digits.
    pub fn from_hex(hex: &str) -> Option<Self> {
        let bytes = hex.as_bytes();
        if bytes.len() != 64 || bytes.iter().any(u8::is_ascii_uppercase) {
            return None;
        }
        let mut hash = [0; 32];
        hex::decode_to_slice(bytes, &mut hash).ok()?;
        Some(Self(hash))
    }
}

impl fmt::Display for TextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        // A 32-byte input always fits a 64-byte output.
        let _ = hex::encode_to_slice(self.0, &mut digits);
        f.write_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

impl fmt::Debug for TextHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for TextHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TextHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let hex = String::deserialize(deserializer)?;
        Self::from_hex(&hex).ok_or_else(|| {
            serde::de::Error::custom("expected 64 lower-case hex digits of a SHA-256")
        })
    }
}

/// Revision of a snapshot: SHA-256 of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub TextHash);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The longest id a client may send, in bytes.
pub const MAX_DOCUMENT_ID_BYTES: usize = 256;

/// What a client calls a document.
///
/// GraphQL over HTTP, appendix "Persisted Documents": `sha256:` and 64
/// lower-case hex digits, or an id without a colon, or one with an `x-` prefix.
/// Apollo sends the bare 64 digits. All hash forms are one value here, so that
/// two carriers compare by what they mean.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum DocumentId {
    /// The document whose text has this hash.
    Sha256(TextHash),
    /// Any other id: Relay's MD5, `x-…`, a name the publisher chose.
    Alias(Box<str>),
}

/// Why a string is not a document id.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidDocumentId {
    /// Empty, or longer than [`MAX_DOCUMENT_ID_BYTES`].
    #[error("an id has 1 to {MAX_DOCUMENT_ID_BYTES} bytes")]
    Length,
    /// Something outside visible ASCII.
    #[error("an id has visible ASCII characters only")]
    Character,
    /// `sha256:` without 64 lower-case hex digits behind it.
    #[error("`sha256:` is followed by 64 lower-case hex digits")]
    Sha256,
    /// A prefix the specification reserves.
    #[error("the prefix before the colon is reserved; custom ones start with `x-`")]
    ReservedPrefix,
}

impl DocumentId {
    /// Parses an id as a client sends it.
    ///
    /// # Errors
    /// See [`InvalidDocumentId`].
    pub fn parse(id: &str) -> Result<Self, InvalidDocumentId> {
        if id.is_empty() || id.len() > MAX_DOCUMENT_ID_BYTES {
            return Err(InvalidDocumentId::Length);
        }
        if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidDocumentId::Character);
        }
        if let Some(digits) = id.strip_prefix("sha256:") {
            return TextHash::from_hex(digits)
                .map(Self::Sha256)
                .ok_or(InvalidDocumentId::Sha256);
        }
        if let Some(hash) = TextHash::from_hex(id) {
            return Ok(Self::Sha256(hash));
        }
        match id.split_once(':') {
            Some((prefix, _)) if !prefix.starts_with("x-") => {
                Err(InvalidDocumentId::ReservedPrefix)
            }
            _ => Ok(Self::Alias(id.into())),
        }
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(hash) => write!(f, "sha256:{hash}"),
            Self::Alias(alias) => f.write_str(alias),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn document_ids() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let hash = DocumentId::Sha256(TextHash::of(b""));
        let long = "a".repeat(257);
        let prefixed = format!("sha256:{hex}");
        let upper = hex.to_uppercase();
        let upper_prefixed = format!("sha256:{upper}");
        let space = format!(" {hex}");
        let cases: &[(&str, Result<DocumentId, InvalidDocumentId>)] = &[
            (hex, Ok(hash.clone())),
            (&prefixed, Ok(hash)),
            // Not lower-case: another name, which no catalogue maps to the hash.
            (&upper, Ok(DocumentId::Alias(upper.as_str().into()))),
            (&upper_prefixed, Err(InvalidDocumentId::Sha256)),
            (&space, Err(InvalidDocumentId::Character)),
            ("sha256:", Err(InvalidDocumentId::Sha256)),
            ("", Err(InvalidDocumentId::Length)),
            (&long, Err(InvalidDocumentId::Length)),
            ("md5:abc", Err(InvalidDocumentId::ReservedPrefix)),
            ("x-app:abc", Ok(DocumentId::Alias("x-app:abc".into()))),
            (
                "../etc/passwd",
                Ok(DocumentId::Alias("../etc/passwd".into())),
            ),
            ("caf\u{e9}", Err(InvalidDocumentId::Character)),
        ];
        for (id, expected) in cases {
            assert_eq!(&DocumentId::parse(id), expected, "{id:?}");
        }
    }
}
