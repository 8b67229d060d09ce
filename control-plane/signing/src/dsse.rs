//! DSSE envelopes, version 1.0.2: a payload, its type, and who signed both.

use serde_json::{Value, json};

use crate::Sha256;
use crate::json::{self, Node, base64};
use crate::key::{PublicKey, Signature, SignatureError};
use crate::signer::{SignError, Signer};

/// The most bytes of a payload: base64 of it is a third longer.
pub const MAX_PAYLOAD_BYTES: usize = 16 << 20;

/// An envelope with the one signature that a Sigstore bundle allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Envelope {
    pub(crate) payload_type: String,
    pub(crate) payload: Vec<u8>,
    /// Whose signature: not signed, so only a hint. We write none, as Cosign.
    pub(crate) key_id: Option<String>,
    pub(crate) signature: Signature,
}

/// Why something is no envelope.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// It is not the JSON of one.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// None, or more than one.
    #[error("{0} signatures; a bundle has exactly one")]
    Signatures(usize),
    /// The signature is none.
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// What is signed: the type and the payload with their lengths, so that no two
/// pairs have the same bytes (DSSE's pre-authentication encoding).
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!(
        "DSSEv1 {} {payload_type} {} ",
        payload_type.len(),
        payload.len()
    );
    [head.as_bytes(), payload].concat()
}

impl Envelope {
    /// Signs a payload.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn sign(
        key: &dyn Signer,
        payload_type: impl Into<String>,
        payload: Vec<u8>,
    ) -> Result<Self, SignError> {
        let payload_type = payload_type.into();
        let signature = key.sign(&Sha256::of(&pae(&payload_type, &payload)))?;
        Ok(Self {
            payload_type,
            payload,
            // Bundles should have their hint here, but Cosign refuses any but the
            // key's SSH fingerprint; both take none.
            key_id: None,
            signature,
        })
    }

    /// Verifies the signature, and gives the payload: there is no other way to
    /// it.
    ///
    /// # Errors
    /// When the signature is not of this envelope by this key.
    pub fn verify(&self, key: &PublicKey) -> Result<&[u8], SignatureError> {
        key.verify(&self.signed_digest(), &self.signature)?;
        Ok(&self.payload)
    }

    /// Of what is signed.
    pub(crate) fn signed_digest(&self) -> Sha256 {
        Sha256::of(&pae(&self.payload_type, &self.payload))
    }

    /// Reads an envelope.
    ///
    /// # Errors
    /// For anything that is not exactly one.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        Self::from_node(json::read(bytes, MAX_PAYLOAD_BYTES.saturating_mul(2))?)
    }

    pub(crate) fn from_node(node: Node) -> Result<Self, Error> {
        let mut envelope = node.object()?;
        let payload_type = envelope.required("payloadType")?.name()?;
        let payload = envelope.required("payload")?;
        let at = payload.at().to_owned();
        let payload = payload.base64()?;
        if payload.len() > MAX_PAYLOAD_BYTES {
            let expected = "at most 16 MiB";
            return Err(json::Error::Wrong { at, expected }.into());
        }
        let signatures = envelope.required("signatures")?.array()?;
        envelope.end()?;
        let [signature] = <[Node; 1]>::try_from(signatures)
            .map_err(|signatures| Error::Signatures(signatures.len()))?;
        let mut signature = signature.object()?;
        let der = signature.required("sig")?.base64()?;
        let key_id = signature.optional("keyid").map(Node::string).transpose()?;
        signature.end()?;
        Ok(Self {
            payload_type,
            payload,
            // DSSE: none, and an empty one, are the same.
            key_id: key_id.filter(|id| !id.is_empty()),
            signature: Signature::from_der(der)?,
        })
    }

    /// As JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::canonical(&self.to_value())
    }

    pub(crate) fn to_value(&self) -> Value {
        let sig = base64(self.signature.as_der());
        let signature = match &self.key_id {
            Some(key_id) => json!({"sig": sig, "keyid": key_id}),
            None => json!({"sig": sig}),
        };
        json!({
            "payload": base64(&self.payload),
            "payloadType": self.payload_type,
            "signatures": [signature],
        })
    }
}
