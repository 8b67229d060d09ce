//! Sigstore bundles, version 0.3, signed by a key that verifiers have.
//!
//! `protos/sigstore_bundle.proto` of sigstore/protobuf-specs says what they are.
//! Certificates and time stamps are for signatures without such a key; a bundle
//! with one is refused, not half verified.

mod tlog;

use serde_json::{Value, json};

pub use tlog::{InclusionProof, LogEntry};

use crate::dsse::{self, Envelope};
use crate::json::{self, Node, base64};
use crate::key::{PublicKey, Signature, SignatureError};
use crate::signer::{SignError, Signer};
use crate::statement::{self, Statement};
use crate::{Sha256, rekord};

/// The media type of a bundle.
pub const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The most bytes of a bundle.
pub const MAX_BYTES: usize = 32 << 20;
/// The most entries of logs.
pub const MAX_LOG_ENTRIES: usize = 16;

/// A bundle.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bundle {
    hint: String,
    content: Content,
    /// Where logs have the signature. They are carried, not verified: that is
    /// for who knows the log.
    pub log_entries: Vec<LogEntry>,
}

/// What is signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// Bytes that are elsewhere.
    Message {
        /// Of the bytes; what is signed, and no proof of it.
        digest: Sha256,
        /// Over the bytes.
        signature: Signature,
    },
    /// A payload that is here.
    Dsse(Envelope),
}

/// Why something is no bundle.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// It is not the JSON of one.
    #[error(transparent)]
    Json(#[from] json::Error),
    /// Of another kind or version.
    #[error("mediaType is not {MEDIA_TYPE}")]
    MediaType,
    /// Not a signature by a key.
    #[error("verificationMaterial has no publicKey; certificates are not for exports")]
    NoKey,
    /// Both or neither of a message's signature and an envelope.
    #[error("there has to be either messageSignature or dsseEnvelope")]
    Content,
    /// The signature is none.
    #[error("messageSignature: {0}")]
    Signature(#[from] SignatureError),
    /// The envelope is none.
    #[error("dsseEnvelope: {0}")]
    Envelope(#[from] dsse::Error),
    /// The envelope names another key than the bundle.
    #[error("the envelope's keyid is not the hint of the bundle")]
    KeyId,
    /// Too many entries of logs.
    #[error("{0} tlogEntries, more than {MAX_LOG_ENTRIES}")]
    LogEntries(usize),
}

/// Why a bundle does not verify.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// The hint is of another key.
    #[error("the bundle is of another key: its hint is {found:?}, the key's {expected:?}")]
    OtherKey {
        /// What the bundle says.
        found: String,
        /// The key's.
        expected: String,
    },
    /// The digest is of other bytes.
    #[error("the bundle is of other bytes: of {signed}, and not of {found}")]
    OtherBytes {
        /// What the bundle says.
        signed: Sha256,
        /// What there is.
        found: Sha256,
    },
    /// The signature is wrong.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Signed bytes were asked for, and it is an attestation.
    #[error("the bundle has an attestation, not the signature of a file")]
    NotMessage,
    /// An attestation was asked for, and it is none.
    #[error("the bundle has the signature of a file, not an attestation")]
    NotAttestation,
    /// The payload is of another type.
    #[error("the payload's type is not {}", statement::PAYLOAD_TYPE)]
    PayloadType,
    /// The payload is no statement.
    #[error("the signed statement: {0}")]
    Statement(#[from] statement::Error),
}

impl Bundle {
    /// Signs bytes with this digest.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn sign(key: &dyn Signer, digest: Sha256) -> Result<Self, SignError> {
        let signature = key.sign(&digest)?;
        Ok(Self::of(key, Content::Message { digest, signature }))
    }

    /// Signs a statement.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn attest(key: &dyn Signer, statement: &Statement) -> Result<Self, SignError> {
        let envelope = Envelope::sign(key, statement::PAYLOAD_TYPE, statement.to_bytes())?;
        Ok(Self::of(key, Content::Dsse(envelope)))
    }

    fn of(key: &dyn Signer, content: Content) -> Self {
        Self {
            hint: key.public().key_id(),
            content,
            log_entries: Vec::new(),
        }
    }

    /// What is signed.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The signature.
    #[must_use]
    pub fn signature(&self) -> &Signature {
        match &self.content {
            Content::Message { signature, .. } => signature,
            Content::Dsse(envelope) => &envelope.signature,
        }
    }

    /// Verifies that the key signed bytes with this digest.
    ///
    /// # Errors
    /// When it did not, or not in this bundle.
    pub fn verify(&self, key: &PublicKey, found: &Sha256) -> Result<(), Failure> {
        self.is_of(key)?;
        let Content::Message { digest, signature } = &self.content else {
            return Err(Failure::NotMessage);
        };
        if digest != found {
            return Err(Failure::OtherBytes {
                signed: *digest,
                found: *found,
            });
        }
        Ok(key.verify(found, signature)?)
    }

    /// Verifies that the key signed a statement, and gives it. Whether it is
    /// about a file is for the caller to see.
    ///
    /// # Errors
    /// When it did not, or not in this bundle.
    pub fn verify_statement(&self, key: &PublicKey) -> Result<Statement, Failure> {
        self.is_of(key)?;
        let Content::Dsse(envelope) = &self.content else {
            return Err(Failure::NotAttestation);
        };
        let payload = envelope.verify(key)?;
        if envelope.payload_type != statement::PAYLOAD_TYPE {
            return Err(Failure::PayloadType);
        }
        Ok(Statement::parse(payload)?)
    }

    fn is_of(&self, key: &PublicKey) -> Result<(), Failure> {
        let expected = key.key_id();
        if self.hint == expected {
            return Ok(());
        }
        Err(Failure::OtherKey {
            found: self.hint.clone(),
            expected,
        })
    }

    /// The leaf of this signature in a log ([`rekord::body`]).
    #[must_use]
    pub fn log_body(&self, key: &PublicKey) -> Vec<u8> {
        let digest = match &self.content {
            Content::Message { digest, .. } => *digest,
            Content::Dsse(envelope) => envelope.signed_digest(),
        };
        rekord::body(&digest, self.signature(), key)
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// For anything that is not exactly one, with where it is.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let mut bundle = json::read(bytes, MAX_BYTES)?.object()?;
        if bundle.required("mediaType")?.string()? != MEDIA_TYPE {
            return Err(Error::MediaType);
        }
        let mut material = bundle.required("verificationMaterial")?.object()?;
        let mut key = material
            .optional("publicKey")
            .ok_or(Error::NoKey)?
            .object()?;
        let hint = key.required("hint")?.name()?;
        key.end()?;
        let entries = material.optional("tlogEntries").map(Node::array);
        let entries = entries.transpose()?.unwrap_or_default();
        material.end()?;
        if entries.len() > MAX_LOG_ENTRIES {
            return Err(Error::LogEntries(entries.len()));
        }
        let log_entries = entries.into_iter().map(LogEntry::from_node);
        let log_entries = log_entries.collect::<Result<_, _>>()?;
        let contents = (
            bundle.optional("messageSignature"),
            bundle.optional("dsseEnvelope"),
        );
        bundle.end()?;
        let content = match contents {
            (Some(message), None) => message_signature(message)?,
            (None, Some(envelope)) => Content::Dsse(Envelope::from_node(envelope)?),
            _ => return Err(Error::Content),
        };
        if let Content::Dsse(envelope) = &content
            && envelope.key_id.as_ref().is_some_and(|id| *id != hint)
        {
            return Err(Error::KeyId);
        }
        Ok(Self {
            hint,
            content,
            log_entries,
        })
    }

    /// As JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut material = json!({"publicKey": {"hint": self.hint}});
        if !self.log_entries.is_empty()
            && let Some(material) = material.as_object_mut()
        {
            let entries = self.log_entries.iter().map(LogEntry::to_value);
            material.insert("tlogEntries".into(), entries.collect::<Value>());
        }
        let (name, content) = match &self.content {
            Content::Message { digest, signature } => (
                "messageSignature",
                json!({
                    "messageDigest": {
                        "algorithm": "SHA2_256",
                        "digest": base64(digest.as_bytes()),
                    },
                    "signature": base64(signature.as_der()),
                }),
            ),
            Content::Dsse(envelope) => ("dsseEnvelope", envelope.to_value()),
        };
        json::canonical(&json!({
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": material,
            name: content,
        }))
    }
}

fn message_signature(node: Node) -> Result<Content, Error> {
    let mut message = node.object()?;
    let mut digest = message.required("messageDigest")?.object()?;
    let signature = message.required("signature")?.base64()?;
    message.end()?;
    digest.required("algorithm")?.literal("SHA2_256")?;
    let hash: [u8; 32] = digest.required("digest")?.bytes()?;
    digest.end()?;
    Ok(Content::Message {
        digest: hash.into(),
        signature: Signature::from_der(signature)?,
    })
}
