//! Tokens as bytes: three parts, one algorithm, a signature.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, VerifyingKey};
use ig_contract::snapshot::VerificationKey;
use ig_contract::step_up::{ALGORITHM, Claims, Header, MAX_TOKEN_BYTES, TYPE};

/// A key of the snapshot is none.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the verification key `{0}` is not an Ed25519 public key")]
pub struct InvalidKey(String);

/// Keys by their `kid`.
pub(crate) struct Keys(HashMap<String, VerifyingKey>);

impl Keys {
    /// # Errors
    /// [`InvalidKey`], also for a point that makes signatures ambiguous.
    pub(crate) fn new(keys: &[VerificationKey]) -> Result<Self, InvalidKey> {
        let read = |key: &VerificationKey| {
            let bytes = URL_SAFE_NO_PAD.decode(&key.x).ok()?;
            let point = VerifyingKey::from_bytes(&bytes.try_into().ok()?).ok()?;
            (!point.is_weak()).then(|| (key.kid.clone(), point))
        };
        let keys = keys
            .iter()
            .map(|key| read(key).ok_or_else(|| InvalidKey(key.kid.clone())));
        keys.collect::<Result<_, _>>().map(Self)
    }

    /// Claims of a token that one of the keys has signed; `None` for everything
    /// else.
    pub(crate) fn verify(&self, token: &str) -> Option<Claims> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let header: Header = serde_json::from_slice(&decode(header)?).ok()?;
        if header.alg != ALGORITHM || header.typ != TYPE {
            return None;
        }
        let signature = Signature::from_bytes(&decode(signature)?.try_into().ok()?);
        let key = self.0.get(&header.kid)?;
        key.verify_strict(signed.as_bytes(), &signature).ok()?;
        // Only what is signed is read.
        serde_json::from_slice(&decode(claims)?).ok()
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}
