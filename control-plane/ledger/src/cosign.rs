//! Witnesses' lines on a checkpoint.

use crate::error::Error;
use crate::verify::Policy;
use crate::verify::note::{Note, Signature};

/// A log's checkpoint with the lines of those witnesses that `witnesses` knows. A
/// later line of a witness replaces the one before.
///
/// # Errors
/// [`Error::Cosignature`] when a known witness has signed something else, or the
/// log's own keys did not sign this; [`Error::Checkpoint`] for what is no note.
pub fn cosign(
    log: &Policy,
    witnesses: &Policy,
    checkpoint: &str,
    lines: &str,
) -> Result<String, Error> {
    let wrong = Error::Cosignature;
    let note = Note::parse(checkpoint.as_bytes());
    let note = note.map_err(|error| Error::Checkpoint(error.into()))?;
    let lines = Signature::parse_lines(lines).map_err(|error| wrong(error.into()))?;
    let lines = witnesses.cosignatures(note.text, lines).map_err(wrong)?;
    let is_replaced = |old: &Signature<'_>| {
        let of = |line: &Signature<'_>| (line.name, line.id) == (old.name, old.id);
        lines.iter().any(of)
    };
    let kept = note.signatures.iter().filter(|old| !is_replaced(old));
    let mut cosigned = format!("{}\n", note.text);
    for line in kept.chain(&lines) {
        cosigned += &line.line();
    }
    log.checkpoint(cosigned.as_bytes()).map_err(wrong)?;
    Ok(cosigned)
}
