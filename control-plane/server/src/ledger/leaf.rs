//! What leaves of our own kinds say. None names anybody: leaves cannot be erased.

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Error;
use super::Kind;

/// Bytes of a salt.
const SALT_BYTES: usize = 32;

/// What a leaf commits to, and what opens it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Commitment {
    /// Kept beside the record, in hex: without it nobody can try which record of
    /// few possible ones a leaf is of.
    pub(crate) salt: String,
    /// The leaf.
    pub(crate) body: Vec<u8>,
}

impl Commitment {
    /// Commits to a record, with a new salt.
    ///
    /// # Errors
    /// [`Error::Store`] where there is no randomness.
    pub(crate) fn new(kind: Kind, record: &[u8]) -> Result<Self, Error> {
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt).map_err(|error| sqlx::Error::Protocol(error.to_string()))?;
        Ok(Self {
            body: salted(kind, &salt, record),
            salt: hex::encode(salt),
        })
    }

    /// Commits to a record again; `None` for a salt that is none.
    pub(crate) fn again(kind: Kind, salt: &str, record: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = [0; SALT_BYTES];
        hex::decode_to_slice(salt, &mut bytes).ok()?;
        Some(salted(kind, &bytes, record))
    }
}

fn salted(kind: Kind, salt: &[u8], record: &[u8]) -> Vec<u8> {
    let hash = Sha256::new().chain_update(salt).chain_update(record);
    leaf(kind, &hex::encode(hash.finalize()))
}

/// The leaf of a published snapshot, whose revision is its SHA-256.
pub(crate) fn release(revision: &str) -> Vec<u8> {
    leaf(Kind::Release, revision)
}

/// Whether a leaf is of a record of the audit trail.
pub(super) fn is_audit(body: &[u8]) -> bool {
    [Kind::Audit, Kind::BreakGlass]
        .iter()
        .any(|kind| body.starts_with(format!(r#"{{"kind":"{}/"#, kind.name()).as_bytes()))
}

/// Canonical JSON (RFC 8785): members in the order of their names, no spaces.
fn leaf(kind: Kind, sha256: &str) -> Vec<u8> {
    #[derive(Serialize)]
    struct Leaf<'a> {
        kind: String,
        sha256: &'a str,
    }
    let leaf = Leaf {
        kind: format!("{}/v1", kind.name()),
        sha256,
    };
    // Two texts are JSON.
    serde_json::to_vec(&leaf).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the documentation, by `sha256sum`.
    #[test]
    fn a_leaf_is_the_hash_of_salt_and_record() {
        let salt = "00".repeat(SALT_BYTES);
        let body = Commitment::again(Kind::Audit, &salt, b"{}").unwrap();
        // { head -c 32 /dev/zero; printf "{}"; } | sha256sum
        let expected = "fb1634c4e6cd4b1f1afe3ce2d6ef080f7ac5d1f357d723ad4dfca782733b62db";
        assert_eq!(
            String::from_utf8(body.clone()).unwrap(),
            format!(r#"{{"kind":"audit/v1","sha256":"{expected}"}}"#)
        );
        assert!(is_audit(&body));
        assert!(!is_audit(&release(expected)));
        for wrong in ["", "00", &"0g".repeat(SALT_BYTES), &"00".repeat(33)] {
            assert_eq!(Commitment::again(Kind::Audit, wrong, b"{}"), None);
        }
    }

    #[test]
    fn no_two_leaves_of_one_record_are_alike() {
        let two = [(); 2].map(|()| Commitment::new(Kind::BreakGlass, b"{}").unwrap());
        assert_ne!(two[0], two[1]);
        for one in two {
            let again = Commitment::again(Kind::BreakGlass, &one.salt, b"{}");
            assert_eq!(again, Some(one.body));
        }
    }
}
