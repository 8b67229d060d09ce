//! C2SP `tlog-witness`: what a log sends to a witness (`add-checkpoint`).

use std::fmt;

use super::note::{MAX_NOTE_BYTES, Note, NoteError};
use super::{Hash, decimal};

/// The longest path that may be sent.
const MAX_PATH: usize = 63;

/// The most bytes of a request.
pub const MAX_REQUEST_BYTES: usize = MAX_NOTE_BYTES + 64 * 64;

/// Why bytes are not a request to a witness.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RequestError {
    /// Longer than [`MAX_REQUEST_BYTES`], or a path of more than 63 hashes.
    #[error("the request is too long")]
    TooLong,
    /// Not UTF-8.
    #[error("a request is UTF-8")]
    Characters,
    /// The first line.
    #[error("a request begins with `old` and a tree size")]
    Old,
    /// A line of the path.
    #[error("a path is hashes in base64, one a line, and then an empty line")]
    Path,
    /// What comes after the empty line.
    #[error(transparent)]
    Checkpoint(#[from] NoteError),
}

/// Asks for a cosignature. The witness compares `old` with the size it cosigned
/// last, verifies the checkpoint by its policy of the log, and has
/// [`WitnessKey::cosign`](crate::sign::WitnessKey::cosign) check the path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WitnessRequest {
    /// The tree's size that the witness has seen; 0 for none.
    pub old: u64,
    /// The path of consistency from there.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: String,
}

impl WitnessRequest {
    /// Reads a request's body. There is one way to write each, and no other is
    /// read.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        use RequestError as E;
        if body.len() > MAX_REQUEST_BYTES {
            return Err(E::TooLong);
        }
        let body = str::from_utf8(body).map_err(|_| E::Characters)?;
        let (old, mut rest) = body.split_once('\n').ok_or(E::Old)?;
        let old = old.strip_prefix("old ").and_then(decimal).ok_or(E::Old)?;
        let mut path = Vec::new();
        loop {
            let (line, after) = rest.split_once('\n').ok_or(E::Path)?;
            rest = after;
            match line {
                "" => break,
                _ if path.len() == MAX_PATH => return Err(E::TooLong),
                hash => path.push(hash.parse().map_err(|_| E::Path)?),
            }
        }
        Note::parse(rest.as_bytes())?;
        Ok(Self {
            old,
            path,
            checkpoint: rest.to_owned(),
        })
    }
}

/// The body.
impl fmt::Display for WitnessRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.path {
            writeln!(f, "{hash}")?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}
