//! The secrets: a log's two keys, and a witness's one. They are wiped where they
//! were, and show themselves to nobody.

use std::fmt;

use ed25519_dalek::pkcs8::DecodePrivateKey as _;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::EncodePublicKey as _;

use crate::verify::merkle::{self, ProofError};
use crate::verify::note::Signature;
use crate::verify::{
    Checkpoint, Hash, KeyError, KeyType, Origin, Policy, PolicyError, TreeHead, VerifierKey,
};

/// A log's keys: Ed25519, which C2SP's clients and witnesses know, and P-256,
/// which Sigstore's verifiers know. Only a [`Log`](crate::Log) signs with them.
pub struct LogSigner {
    origin: Origin,
    ed25519: ed25519_dalek::SigningKey,
    p256: p256::ecdsa::SigningKey,
    keys: [VerifierKey; 2],
}

impl LogSigner {
    /// Reads two private keys in PKCS#8 PEM, as `openssl genpkey` writes them.
    ///
    /// # Errors
    /// [`KeyError::Key`].
    pub fn from_pem(origin: Origin, ed25519: &str, p256: &str) -> Result<Self, KeyError> {
        let ed25519 = ed25519_dalek::SigningKey::from_pkcs8_pem(ed25519);
        let p256 = p256::ecdsa::SigningKey::from_pkcs8_pem(p256);
        match (ed25519, p256) {
            (Ok(ed25519), Ok(p256)) => Self::new(origin, ed25519, p256),
            _ => Err(KeyError::Key),
        }
    }

    /// Takes the keys as bytes: the seed of Ed25519 and the scalar of P-256.
    ///
    /// # Errors
    /// [`KeyError::Key`] for a scalar that is none.
    pub fn from_bytes(
        origin: Origin,
        ed25519: &[u8; 32],
        p256: &[u8; 32],
    ) -> Result<Self, KeyError> {
        let ed25519 = ed25519_dalek::SigningKey::from_bytes(ed25519);
        let p256 = p256::ecdsa::SigningKey::from_slice(p256).map_err(|_| KeyError::Key)?;
        Self::new(origin, ed25519, p256)
    }

    fn new(
        origin: Origin,
        ed25519: ed25519_dalek::SigningKey,
        p256: p256::ecdsa::SigningKey,
    ) -> Result<Self, KeyError> {
        let der = p256.verifying_key().to_public_key_der();
        let der = der.map_err(|_| KeyError::Key)?;
        let name = origin.as_str();
        let point = ed25519.verifying_key();
        let keys = [
            VerifierKey::new(name, KeyType::Ed25519, point.as_bytes())?,
            VerifierKey::new(name, KeyType::EcdsaP256, der.as_bytes())?,
        ];
        Ok(Self {
            origin,
            ed25519,
            p256,
            keys,
        })
    }

    /// Which log's keys they are.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The public keys.
    #[must_use]
    pub fn keys(&self) -> &[VerifierKey; 2] {
        &self.keys
    }

    /// The policy that believes the log, and needs no witness.
    ///
    /// # Errors
    /// [`PolicyError`] when the keys are none.
    pub fn policy(&self) -> Result<Policy, PolicyError> {
        Policy::new(self.origin.clone(), self.keys.to_vec(), Vec::new(), 0)
    }

    /// The signed note. Both signatures are deterministic, so that one tree has
    /// one checkpoint.
    pub(crate) fn sign(&self, head: TreeHead) -> String {
        let checkpoint = Checkpoint {
            origin: self.origin.clone(),
            head,
        };
        let text = checkpoint.to_string();
        let p256: p256::ecdsa::Signature = self.p256.sign(text.as_bytes());
        let bytes = [
            self.ed25519.sign(text.as_bytes()).to_vec(),
            p256.to_der().as_bytes().to_vec(),
        ];
        let lines = self.keys.iter().zip(bytes);
        let lines = lines.map(|(key, bytes)| line(key, bytes));
        lines.fold(text + "\n", |note, line| note + &line)
    }
}

impl fmt::Debug for LogSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("LogSigner");
        shown.field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// A witness's key.
pub struct WitnessKey {
    ed25519: ed25519_dalek::SigningKey,
    key: VerifierKey,
}

impl WitnessKey {
    /// Reads a private Ed25519 key in PKCS#8 PEM. `name` is a URL without its
    /// scheme; no two witnesses may share a key.
    ///
    /// # Errors
    /// [`KeyError::Key`] and [`KeyError::Name`].
    pub fn from_pem(name: &str, ed25519: &str) -> Result<Self, KeyError> {
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(ed25519);
        Self::new(name, key.map_err(|_| KeyError::Key)?)
    }

    /// Takes the seed of the key.
    ///
    /// # Errors
    /// [`KeyError::Name`].
    pub fn from_bytes(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        Self::new(name, ed25519_dalek::SigningKey::from_bytes(seed))
    }

    fn new(name: &str, ed25519: ed25519_dalek::SigningKey) -> Result<Self, KeyError> {
        let point = ed25519.verifying_key();
        let key = VerifierKey::new(name, KeyType::Cosignature, point.as_bytes())?;
        Ok(Self { ed25519, key })
    }

    /// The public key.
    #[must_use]
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Says, as a line for the note, that at a time (seconds since 1970) this was
    /// the largest tree that the witness had seen of the log, and that it has all
    /// of `seen`: the last tree that the witness cosigned, or
    /// [`TreeHead::EMPTY`].
    ///
    /// The checkpoint is one that a [`Policy`] of the log's keys has verified. The
    /// witness stores it before it hands out the line.
    ///
    /// # Errors
    /// [`ProofError`], when the path does not prove that.
    pub fn cosign(
        &self,
        seen: &TreeHead,
        path: &[Hash],
        checkpoint: &Checkpoint,
        seconds: u32,
    ) -> Result<String, ProofError> {
        merkle::consistency(seen, &checkpoint.head, path)?;
        let seconds = u64::from(seconds);
        let message = crate::verify::cosigned(seconds, &checkpoint.to_string());
        let signature = self.ed25519.sign(message.as_bytes());
        let mut bytes = seconds.to_be_bytes().to_vec();
        bytes.extend(signature.to_bytes());
        Ok(line(&self.key, bytes))
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("WitnessKey");
        shown.field("key", &self.key).finish_non_exhaustive()
    }
}

fn line(key: &VerifierKey, bytes: Vec<u8>) -> String {
    let (name, id) = (key.name(), key.id());
    Signature { name, id, bytes }.line()
}
