//! C2SP `tlog-proof`: one file that proves, without a network, that a log has an
//! entry.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::merkle::{self, MAX_PATH};
use super::note::{MAX_NOTE_BYTES, Note, NoteError};
use super::{Hash, Policy, Verified, VerifyError, decimal};

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The most bytes that a proof may have with it.
pub const MAX_EXTRA_BYTES: usize = 64 * 1024;

/// The most bytes of a proof.
pub const MAX_PROOF_BYTES: usize = MAX_NOTE_BYTES + 2 * MAX_EXTRA_BYTES;

/// Why bytes are not a proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ProofFormatError {
    /// Longer than [`MAX_PROOF_BYTES`], or one of its parts than it may be.
    #[error("the proof is too long")]
    TooLong,
    /// Not UTF-8.
    #[error("a proof is UTF-8")]
    Characters,
    /// Another format, or another version.
    #[error("a proof begins with `{HEADER}`")]
    Header,
    /// The line of the extra data.
    #[error("extra data are in base64")]
    Extra,
    /// The line of the index.
    #[error("an index is a decimal number of 64 bits without leading zeroes")]
    Index,
    /// A line of the path.
    #[error("a path is hashes in base64, one a line")]
    Path,
    /// What comes after the empty line.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
}

/// A proof as it was read or made. [`Proof::verify`] says what it proves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// Which entry, from 0.
    pub index: u64,
    /// From the leaf's sibling to the root's child.
    pub path: Vec<Hash>,
    /// For the application. Nobody has signed it.
    pub extra: Option<Vec<u8>>,
    /// The signed checkpoint, as the log and its witnesses signed it.
    pub checkpoint: String,
}

impl Proof {
    /// Reads a proof. There is one way to write each proof, and no other is read.
    ///
    /// # Errors
    /// [`ProofFormatError`].
    pub fn parse(proof: &[u8]) -> Result<Self, ProofFormatError> {
        use ProofFormatError as E;
        if proof.len() > MAX_PROOF_BYTES {
            return Err(E::TooLong);
        }
        let proof = str::from_utf8(proof).map_err(|_| E::Characters)?;
        let mut rest = proof;
        let mut line = || {
            let (line, after) = rest.split_once('\n')?;
            rest = after;
            Some(line)
        };
        if line() != Some(HEADER) {
            return Err(E::Header);
        }
        let mut next = line().ok_or(E::Index)?;
        let mut extra = None;
        if let Some(base64) = next.strip_prefix("extra ") {
            let bytes = STANDARD.decode(base64).map_err(|_| E::Extra)?;
            // No data are no line.
            match bytes.len() {
                0 => return Err(E::Extra),
                1..=MAX_EXTRA_BYTES => extra = Some(bytes),
                _ => return Err(E::TooLong),
            }
            next = line().ok_or(E::Index)?;
        }
        let index = next.strip_prefix("index ").and_then(decimal);
        let index = index.ok_or(E::Index)?;
        let mut path = Vec::new();
        loop {
            match line().ok_or(E::Path)? {
                "" => break,
                _ if path.len() == MAX_PATH => return Err(E::TooLong),
                hash => path.push(hash.parse().map_err(|_| E::Path)?),
            }
        }
        Note::parse(rest.as_bytes())?;
        Ok(Self {
            index,
            path,
            extra,
            checkpoint: rest.to_owned(),
        })
    }

    /// Checks that the log of the policy has this entry: the checkpoint is signed
    /// by all whose signature the policy asks for, and its tree has the entry at
    /// the proof's index.
    ///
    /// # Errors
    /// [`VerifyError`]; then nothing is proved.
    pub fn verify(&self, policy: &Policy, entry: &[u8]) -> Result<Verified, VerifyError> {
        let verified = policy.checkpoint(self.checkpoint.as_bytes())?;
        let head = &verified.checkpoint.head;
        merkle::inclusion(Hash::leaf(entry), self.index, head, &self.path)?;
        Ok(verified)
    }
}

/// The file.
impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = self.extra.as_ref().filter(|extra| !extra.is_empty()) {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
