//! C2SP `signed-note`: a text, and lines that say who signed it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::KeyId;

/// The most bytes of a note. Sixteen post-quantum signatures fit twice.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;

/// The most signatures of a note; the specification asks for 16 at least.
pub const MAX_SIGNATURES: usize = 64;

/// The longest key name, in bytes; that of `tlog-cosignature`.
pub const MAX_NAME_BYTES: usize = 255;

/// Why bytes are not a signed note.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`].
    #[error("a note has at most {MAX_NOTE_BYTES} bytes")]
    TooLong,
    /// Not UTF-8, or with control characters.
    #[error("a note is UTF-8 without control characters")]
    Characters,
    /// No empty line before the signatures, or no text before that.
    #[error("a note is a text, an empty line and signatures")]
    Shape,
    /// A line of the signatures is none.
    #[error("a signature is a dash, a key name, and the base64 of key ID and signature")]
    Signature,
    /// More than [`MAX_SIGNATURES`].
    #[error("a note has at most {MAX_SIGNATURES} signatures")]
    TooMany,
}

/// A note as it was read. Nothing is believed of it yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note<'a> {
    /// What was signed, with the last newline.
    pub text: &'a str,
    /// At least one.
    pub signatures: Vec<Signature<'a>>,
}

/// A line of a note.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Signature<'a> {
    /// The key's name.
    pub name: &'a str,
    /// Which of the name's keys.
    pub id: KeyId,
    /// What the key made of the text.
    pub bytes: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Reads a note. There is one way to write each note, and no other is read.
    ///
    /// # Errors
    /// [`NoteError`].
    pub fn parse(note: &'a [u8]) -> Result<Self, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        let note = str::from_utf8(note).map_err(|_| NoteError::Characters)?;
        if note.chars().any(|char| char < ' ' && char != '\n') {
            return Err(NoteError::Characters);
        }
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
        // The first of the two newlines is the text's.
        let text = note.get(..=text.len()).ok_or(NoteError::Shape)?;
        if text == "\n" {
            return Err(NoteError::Shape);
        }
        let signatures = Signature::parse_lines(lines)?;
        Ok(Self { text, signatures })
    }
}

impl<'a> Signature<'a> {
    /// Reads lines of signatures, as a witness answers with them.
    ///
    /// # Errors
    /// [`NoteError`]; for no line at all too.
    pub fn parse_lines(lines: &'a str) -> Result<Vec<Self>, NoteError> {
        if lines.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Signature)?;
        let signatures = lines.split('\n').map(Self::parse);
        let signatures: Vec<_> = signatures
            .take(MAX_SIGNATURES + 1)
            .collect::<Result<_, _>>()?;
        if signatures.len() > MAX_SIGNATURES {
            return Err(NoteError::TooMany);
        }
        Ok(signatures)
    }

    fn parse(line: &'a str) -> Result<Self, NoteError> {
        let parse = || {
            let (name, base64) = line.strip_prefix("— ")?.split_once(' ')?;
            let bytes = STANDARD.decode(base64).ok()?;
            let (id, bytes) = bytes.split_first_chunk()?;
            (is_name(name) && !bytes.is_empty()).then(|| Self {
                name,
                id: KeyId(*id),
                bytes: bytes.to_vec(),
            })
        };
        parse().ok_or(NoteError::Signature)
    }

    /// The line, with its newline.
    #[must_use]
    pub fn line(&self) -> String {
        let signature = [self.id.0.as_slice(), &self.bytes].concat();
        format!("— {} {}\n", self.name, STANDARD.encode(signature))
    }
}

/// Whether a key can have this name.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let is_allowed = |char: char| !char.is_whitespace() && !char.is_control() && char != '+';
    (1..=MAX_NAME_BYTES).contains(&name.len()) && name.chars().all(is_allowed)
}
