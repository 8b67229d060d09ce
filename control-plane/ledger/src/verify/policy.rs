//! Whom to believe: the keys of a log, and of witnesses.

use super::merkle::ProofError;
use super::note::{Note, NoteError, Signature};
use super::{Checkpoint, CheckpointError, KeyType, Origin, VerifierKey};

/// The most witnesses of a policy: their signatures fit a note beside the log's.
pub(super) const MAX_WITNESSES: usize = 32;
/// The most keys of a log.
const MAX_LOG_KEYS: usize = 4;

/// The keys that somebody trusts, and how many witnesses have to agree.
///
/// A log whose keys change has another policy from then on; who verifies what is
/// older keeps the policy of that time.
#[derive(Clone, Debug)]
pub struct Policy {
    origin: Origin,
    log: Vec<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    quorum: usize,
}

/// Why keys make no policy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PolicyError {
    /// Nothing would be verified, or too much.
    #[error(
        "a policy has 1 to {MAX_LOG_KEYS} keys of the log and at most {MAX_WITNESSES} witnesses"
    )]
    Count,
    /// A log signs, a witness cosigns; and a log's keys have its name.
    #[error("`{0}` is not a key for this")]
    Use(Box<VerifierKey>),
    /// One secret would count twice.
    #[error("`{0}` is there twice")]
    Twice(Box<VerifierKey>),
    /// More witnesses would have to agree than there are.
    #[error("a quorum of {0} is more than there are witnesses")]
    Quorum(usize),
}

/// Why a checkpoint or a proof is not believed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VerifyError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Signed, but no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Of another log.
    #[error("the checkpoint is of `{0}`")]
    Origin(Origin),
    /// A key of the log has not signed.
    #[error("`{0}` has not signed the checkpoint")]
    Unsigned(Box<VerifierKey>),
    /// The line of a known key is not its signature, or is there twice.
    #[error("the signature of `{0}` is wrong")]
    Signature(Box<VerifierKey>),
    /// Fewer witnesses than have to.
    #[error("{found} of {needed} witnesses have cosigned")]
    Quorum {
        /// Who did.
        found: usize,
        /// Who has to.
        needed: usize,
    },
    /// The tree does not have the entry.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// A checkpoint that the log signed, and enough witnesses.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// What they signed.
    pub checkpoint: Checkpoint,
    /// Which of the policy's witnesses did; how old they may be is for the caller
    /// to say, who knows the time.
    pub cosigned: Vec<Cosigned>,
}

/// One witness's word that it saw the log grow to this tree.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cosigned {
    /// The witness's name.
    pub witness: String,
    /// When, in seconds since 1970, by the witness's clock.
    pub seconds: u64,
}

impl Policy {
    /// A policy for which every key of `log` has to sign, and `quorum` of
    /// `witnesses`.
    ///
    /// # Errors
    /// [`PolicyError`].
    pub fn new(
        origin: Origin,
        log: Vec<VerifierKey>,
        witnesses: Vec<VerifierKey>,
        quorum: usize,
    ) -> Result<Self, PolicyError> {
        if !(1..=MAX_LOG_KEYS).contains(&log.len()) || witnesses.len() > MAX_WITNESSES {
            return Err(PolicyError::Count);
        }
        let is_cosigner = |key: &VerifierKey| key.key_type() == KeyType::Cosignature;
        let is_wrong = |key: &&VerifierKey| is_cosigner(key) || key.name() != origin.as_str();
        if let Some(key) = log.iter().find(is_wrong) {
            return Err(PolicyError::Use(key.clone().into()));
        }
        if let Some(key) = witnesses.iter().find(|key| !is_cosigner(key)) {
            return Err(PolicyError::Use(key.clone().into()));
        }
        let mut seen = Vec::new();
        for key in log.iter().chain(&witnesses) {
            let bytes = key.bytes();
            if seen.contains(&bytes) {
                return Err(PolicyError::Twice(key.clone().into()));
            }
            seen.push(bytes);
        }
        if quorum > witnesses.len() {
            return Err(PolicyError::Quorum(quorum));
        }
        Ok(Self {
            origin,
            log,
            witnesses,
            quorum,
        })
    }

    /// Which log.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The same log, without witnesses: for a checkpoint that was believed before,
    /// and kept.
    #[must_use]
    pub fn without_witnesses(&self) -> Self {
        Self {
            witnesses: Vec::new(),
            quorum: 0,
            ..self.clone()
        }
    }

    /// Verifies a signed checkpoint. Lines of keys that the policy does not know
    /// say nothing; one wrong line of a key that it knows spoils the note.
    ///
    /// # Errors
    /// [`VerifyError`], but for [`VerifyError::Proof`].
    pub fn checkpoint(&self, note: &[u8]) -> Result<Verified, VerifyError> {
        let note = Note::parse(note)?;
        for key in &self.log {
            let signed = verify_line(key, note.text, &note.signatures)?;
            signed.ok_or_else(|| VerifyError::Unsigned(key.clone().into()))?;
        }
        // Only what is signed is read.
        let checkpoint = Checkpoint::parse(note.text)?;
        if checkpoint.origin != self.origin {
            return Err(VerifyError::Origin(checkpoint.origin));
        }
        let cosigned = self.cosigned(note.text, &note.signatures)?;
        if cosigned.len() < self.quorum {
            return Err(VerifyError::Quorum {
                found: cosigned.len(),
                needed: self.quorum,
            });
        }
        Ok(Verified {
            checkpoint,
            cosigned,
        })
    }

    /// Which of the policy's witnesses have cosigned a text.
    fn cosigned(
        &self,
        text: &str,
        signatures: &[Signature<'_>],
    ) -> Result<Vec<Cosigned>, VerifyError> {
        let mut cosigned = Vec::new();
        for key in &self.witnesses {
            if let Some(Some(seconds)) = verify_line(key, text, signatures)? {
                let witness = key.name().to_owned();
                cosigned.push(Cosigned { witness, seconds });
            }
        }
        Ok(cosigned)
    }

    /// Those lines that are of this policy's witnesses and right.
    pub(crate) fn cosignatures<'a>(
        &self,
        text: &str,
        lines: Vec<Signature<'a>>,
    ) -> Result<Vec<Signature<'a>>, VerifyError> {
        self.cosigned(text, &lines)?;
        let is_known = |line: &Signature<'_>| self.witnesses.iter().any(|key| is_of(key, line));
        Ok(lines.into_iter().filter(is_known).collect())
    }
}

fn is_of(key: &VerifierKey, line: &Signature<'_>) -> bool {
    line.name == key.name() && line.id == key.id()
}

/// Whether a key has signed, with the time if it says one.
fn verify_line(
    key: &VerifierKey,
    text: &str,
    signatures: &[Signature<'_>],
) -> Result<Option<Option<u64>>, VerifyError> {
    let mut lines = signatures.iter().filter(|line| is_of(key, line));
    match (lines.next(), lines.next()) {
        (None, _) => Ok(None),
        (Some(line), None) => match key.verify(text, &line.bytes) {
            Some(time) => Ok(Some(time)),
            None => Err(VerifyError::Signature(key.clone().into())),
        },
        (Some(_), Some(_)) => Err(VerifyError::Signature(key.clone().into())),
    }
}
