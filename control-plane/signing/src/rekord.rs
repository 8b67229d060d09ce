//! Rekor's `hashedrekord` 0.0.2: the leaf of a transparency log.
//!
//! Verifiers build it anew from the signature, the key and the digest, and look
//! for the hash of exactly these bytes. A ledger with this leaf is one that
//! they verify.

use serde_json::json;

use crate::Sha256;
use crate::json::{self, base64};
use crate::key::{PublicKey, Signature};

/// The kind of the entry.
pub const KIND: &str = "hashedrekord";
/// The version of the entry.
pub const VERSION: &str = "0.0.2";

/// The canonical body (RFC 8785) of an entry for the signature of bytes with
/// this digest. Of an attestation, these bytes are those that DSSE signs.
#[must_use]
pub fn body(digest: &Sha256, signature: &Signature, key: &PublicKey) -> Vec<u8> {
    json::canonical(&json!({
        "apiVersion": VERSION,
        "kind": KIND,
        "spec": {"hashedRekordV002": {
            "data": {"algorithm": "SHA2_256", "digest": base64(digest.as_bytes())},
            "signature": {
                "content": base64(signature.as_der()),
                "verifier": {
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "publicKey": {"rawBytes": base64(key.as_der())},
                },
            },
        }},
    }))
}
