//! Public keys of notes, and the text form (`vkey`) in which they are published.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use p256::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use sha2::{Digest as _, Sha256};

use super::note::is_name;

/// The longest `vkey` that is read, in bytes.
const MAX_VKEY_BYTES: usize = 1024;

/// Which of a name's keys a signature is of. Not a strong hash: it finds a key,
/// and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a key makes of a note's text. The numbers are those of `signed-note`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum KeyType {
    /// Ed25519 over the text.
    Ed25519 = 0x01,
    /// ECDSA on P-256 over SHA-256 of the text, in DER. Sigstore's verifiers know
    /// it.
    EcdsaP256 = 0x02,
    /// `tlog-cosignature`, version 1: Ed25519 over the time and the text.
    Cosignature = 0x04,
}

/// Why a key is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum KeyError {
    /// A `vkey` is `<name>+<key ID in hex>+<base64 of type and key>`.
    #[error("a verifier key is a name, a key ID in hex and a key in base64, joined by `+`")]
    Format,
    /// A key name is empty, too long, or has spaces or `+`.
    #[error("a key name has 1 to 255 bytes without spaces, control characters and `+`")]
    Name,
    /// The type is not one of [`KeyType`].
    #[error("keys of this type are not known here")]
    Type,
    /// The bytes are no key, or one with which others can sign.
    #[error("the bytes are not a good key of their type")]
    Key,
    /// The key ID is not that of name and key.
    #[error("the key ID belongs to another name or key")]
    Id,
}

/// A public key with its name.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: KeyId,
    key: Key,
}

#[derive(Clone, PartialEq, Eq)]
enum Key {
    Ed25519(ed25519_dalek::VerifyingKey),
    EcdsaP256(p256::ecdsa::VerifyingKey),
    Cosignature(ed25519_dalek::VerifyingKey),
}

impl VerifierKey {
    /// Takes a key as its type encodes it: 32 bytes of Ed25519 (RFC 8032), or the
    /// DER of a `SubjectPublicKeyInfo` for P-256.
    ///
    /// # Errors
    /// [`KeyError::Name`] and [`KeyError::Key`].
    pub fn new(name: &str, key_type: KeyType, bytes: &[u8]) -> Result<Self, KeyError> {
        if !is_name(name) {
            return Err(KeyError::Name);
        }
        let key = Key::new(key_type, bytes).ok_or(KeyError::Key)?;
        let id = match key_type {
            KeyType::EcdsaP256 => Sha256::digest(bytes),
            KeyType::Ed25519 | KeyType::Cosignature => Sha256::new()
                .chain_update(name)
                .chain_update([b'\n', key_type as u8])
                .chain_update(bytes)
                .finalize(),
        };
        let id = *id.first_chunk().ok_or(KeyError::Key)?;
        let name = name.to_owned();
        Ok(Self {
            name,
            id: KeyId(id),
            key,
        })
    }

    /// The name in the signature's line.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The ID in the signature's line.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What the key signs.
    #[must_use]
    pub fn key_type(&self) -> KeyType {
        match self.key {
            Key::Ed25519(_) => KeyType::Ed25519,
            Key::EcdsaP256(_) => KeyType::EcdsaP256,
            Key::Cosignature(_) => KeyType::Cosignature,
        }
    }

    /// The key's bytes, encoded as [`VerifierKey::new`] takes them.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        match &self.key {
            Key::Ed25519(key) | Key::Cosignature(key) => key.as_bytes().to_vec(),
            // A point of the curve has an encoding.
            Key::EcdsaP256(key) => key
                .to_public_key_der()
                .map(|der| der.as_bytes().to_vec())
                .unwrap_or_default(),
        }
    }

    /// Whether the bytes are this key's signature of a text; when, for a
    /// cosignature, as seconds since 1970.
    pub(super) fn verify(&self, text: &str, signature: &[u8]) -> Option<Option<u64>> {
        match &self.key {
            Key::Ed25519(key) => {
                let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
                key.verify_strict(text.as_bytes(), &signature).ok()?;
                Some(None)
            }
            Key::EcdsaP256(key) => {
                use p256::ecdsa::signature::Verifier as _;
                let signature = p256::ecdsa::Signature::from_der(signature).ok()?;
                key.verify(text.as_bytes(), &signature).ok()?;
                Some(None)
            }
            Key::Cosignature(key) => {
                let (time, signature) = signature.split_first_chunk()?;
                let time = u64::from_be_bytes(*time);
                // A timestamp is a signed number elsewhere.
                i64::try_from(time).ok()?;
                let signature = ed25519_dalek::Signature::from_slice(signature).ok()?;
                let message = cosigned(time, text);
                key.verify_strict(message.as_bytes(), &signature).ok()?;
                Some(Some(time))
            }
        }
    }
}

impl Key {
    fn new(key_type: KeyType, bytes: &[u8]) -> Option<Self> {
        let ed25519 = || {
            let key = ed25519_dalek::VerifyingKey::from_bytes(bytes.try_into().ok()?).ok()?;
            // With a point of small order a signature fits many texts.
            (!key.is_weak()).then_some(key)
        };
        match key_type {
            KeyType::Ed25519 => ed25519().map(Self::Ed25519),
            KeyType::Cosignature => ed25519().map(Self::Cosignature),
            KeyType::EcdsaP256 => {
                let key = p256::ecdsa::VerifyingKey::from_public_key_der(bytes).ok()?;
                // Its ID is of the bytes, so there is one encoding.
                let der = key.to_public_key_der().ok()?;
                (der.as_bytes() == bytes).then_some(Self::EcdsaP256(key))
            }
        }
    }
}

/// What a witness signs: `tlog-cosignature`, "Ed25519 signed message".
pub(crate) fn cosigned(seconds: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {seconds}\n{text}")
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![self.key_type() as u8];
        key.extend(self.bytes());
        write!(f, "{}+{}+{}", self.name, self.id, STANDARD.encode(key))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for VerifierKey {
    type Err = KeyError;

    /// # Errors
    /// [`KeyError`].
    fn from_str(vkey: &str) -> Result<Self, KeyError> {
        if vkey.len() > MAX_VKEY_BYTES {
            return Err(KeyError::Format);
        }
        // The base64 may have a `+` too.
        let mut parts = vkey.splitn(3, '+');
        let mut part = || parts.next().ok_or(KeyError::Format);
        let (name, id, key) = (part()?, part()?, part()?);
        let key = STANDARD.decode(key).map_err(|_| KeyError::Format)?;
        let (key_type, bytes) = key.split_first().ok_or(KeyError::Format)?;
        let key_type = match key_type {
            0x01 => KeyType::Ed25519,
            0x02 => KeyType::EcdsaP256,
            0x04 => KeyType::Cosignature,
            _ => return Err(KeyError::Type),
        };
        let key = Self::new(name, key_type, bytes)?;
        if key.id.to_string() == id {
            Ok(key)
        } else {
            Err(KeyError::Id)
        }
    }
}
