//! Who signs.

use crate::key::{PrivateKey, PublicKey, Signature, SignatureError};
use crate::{Sha256, pkcs11};

/// Why nothing is signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key in memory does not sign.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// The key in a token does not sign.
    #[error(transparent)]
    Token(#[from] pkcs11::Error),
}

/// A private key on P-256, wherever it is: in memory, or in a token.
///
/// Signatures have one form: of the two that verify, the one with the lower *s*.
pub trait Signer: Send + Sync {
    /// Its public key.
    fn public(&self) -> &PublicKey;

    /// Signs bytes with this digest. It may wait for a device: not for a thread
    /// that others wait for.
    ///
    /// # Errors
    /// [`SignError`]. What is returned verifies by [`Signer::public`].
    fn sign(&self, digest: &Sha256) -> Result<Signature, SignError>;
}

impl Signer for PrivateKey {
    fn public(&self) -> &PublicKey {
        Self::public(self)
    }

    fn sign(&self, digest: &Sha256) -> Result<Signature, SignError> {
        Ok(Self::sign(self, digest)?)
    }
}
