//! Verification: what a log says is believed only as far as public keys and
//! hashes carry it.
//!
//! A [`Policy`] has the keys that somebody trusts. It makes a verified
//! [`Checkpoint`] of a signed note, and [`Proof::verify`] makes of one file and
//! one entry the certainty that the log has the entry. Whether a log only grew is
//! for [`merkle::consistency`].

mod checkpoint;
mod hash;
mod key;
pub mod merkle;
pub mod note;
mod policy;
mod policy_file;
mod proof;
mod request;

pub use checkpoint::{Checkpoint, CheckpointError, Origin, TreeHead};
pub use hash::{Hash, NotAHash};
pub(crate) use key::cosigned;
pub use key::{KeyError, KeyId, KeyType, VerifierKey};
pub use policy::{Cosigned, Policy, PolicyError, Verified, VerifyError};
pub use policy_file::{MAX_POLICY_BYTES, PolicyFileError};
pub use proof::{MAX_EXTRA_BYTES, MAX_PROOF_BYTES, Proof, ProofFormatError};
pub use request::{MAX_REQUEST_BYTES, RequestError, WitnessRequest};

/// Decimal without sign or leading zeroes, as all of C2SP's formats have numbers.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
