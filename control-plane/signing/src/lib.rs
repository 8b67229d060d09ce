//! What an export is signed with: manifests, ECDSA P-256 keys, Sigstore bundles,
//! and attestations.
//!
//! A [`Manifest`] names the assets of an export by their hashes. A [`Bundle`]
//! has the signature over its exact bytes, in the form that `cosign
//! verify-blob` and the libraries of Sigstore verify; an attestation is a
//! [`Statement`] in a DSSE [`Envelope`], in a bundle as well.
//!
//! Signatures are over bytes, never over what was parsed from them: canonical
//! JSON (RFC 8785) only makes what we write reproducible.
//!
//! A [`Signer`] is a key in memory, or, with the feature `pkcs11`, one in a token. Of
//! all of this only [`mod@file`], [`source`] and [`pkcs11`] have I/O: they open what keys
//! are in.
//!
//! Nothing that is read here is trusted: every parser has a limit, refuses what
//! it does not know, and says where that is.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        reason = "that is how tests fail"
    )
)]

pub mod bundle;
mod digest;
pub mod dsse;
pub mod file;
pub mod json;
pub mod key;
pub mod manifest;
pub mod pkcs11;
pub mod rekord;
pub mod signer;
pub mod source;
pub mod statement;
pub mod trusted_root;

pub use bundle::Bundle;
pub use digest::Sha256;
pub use dsse::Envelope;
pub use key::{Password, PrivateKey, PublicKey, Signature};
pub use manifest::Manifest;
pub use signer::{SignError, Signer};
pub use source::KeySource;
pub use statement::Statement;
pub use trusted_root::TrustedRoot;
