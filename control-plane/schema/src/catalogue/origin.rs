use std::sync::Arc;

use super::strip::Stripped;
use crate::{Position, Reason};

/// A definition and the file it is from.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Part {
    pub(super) file: Option<Arc<str>>,
    pub(super) stripped: Stripped,
}

/// Where the text of an assembled document is from.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Origin {
    /// Definitions, by the byte they start at.
    parts: Vec<(usize, Arc<Part>)>,
}

impl Origin {
    pub(super) fn push(&mut self, start: usize, part: Arc<Part>) {
        self.parts.push((start, part));
    }

    /// Makes a reason found in `text` point at the source.
    pub(super) fn resolve(&self, text: &str, reason: &mut Reason) {
        let Some(offset) = reason.position.and_then(|position| offset(text, position)) else {
            return;
        };
        let behind = self.parts.partition_point(|(start, _)| *start <= offset);
        let part = behind.checked_sub(1).and_then(|at| self.parts.get(at));
        if let Some((start, part)) = part {
            reason.position = part.stripped.position(offset - start);
            reason.file = part.file.as_deref().map(str::to_owned);
        }
    }
}

/// The byte that `position` is at.
fn offset(text: &str, position: Position) -> Option<usize> {
    let line = position.line.checked_sub(1)?;
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let mut columns = text.get(start..)?.char_indices();
    let (column, _) = columns.nth(position.column.checked_sub(1)?)?;
    Some(start + column)
}
