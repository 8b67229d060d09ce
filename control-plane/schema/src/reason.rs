use std::fmt;

use apollo_compiler::diagnostic::{Diagnostic, ToCliReport as _};
use apollo_compiler::parser::{FileId, SourceMap, SourceSpan};
use apollo_compiler::validation::{DiagnosticData, DiagnosticList};
use serde::Serialize;

/// A place in a source: both count from 1, columns in characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Position {
    pub(crate) const START: Self = Self { line: 1, column: 1 };

    /// The position behind `text`, which starts here.
    pub(crate) fn behind(self, text: &str) -> Self {
        match text.rsplit_once('\n') {
            None => Self {
                column: self.column + text.chars().count(),
                ..self
            },
            Some((lines, last)) => Self {
                line: self.line + 1 + lines.matches('\n').count(),
                column: 1 + last.chars().count(),
            },
        }
    }
}

/// One reason why a source is not accepted.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Reason {
    /// What is wrong.
    pub message: String,
    /// In which file, if there are several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Where, if it is somewhere in particular.
    #[serde(flatten)]
    pub position: Option<Position>,
}

impl Reason {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Self {
            message: message.to_string(),
            file: None,
            position: None,
        }
    }

    pub(crate) fn at(
        message: impl fmt::Display,
        span: Option<SourceSpan>,
        sources: &SourceMap,
    ) -> Self {
        Locator::new(sources).reason(message, span)
    }

    pub(crate) fn list(diagnostics: &DiagnosticList) -> Vec<Self> {
        let mut reasons = Vec::with_capacity(diagnostics.len());
        let mut locator = None;
        for Diagnostic { error, sources } in diagnostics.iter() {
            let error: &DiagnosticData = error;
            let locator = locator.get_or_insert_with(|| Locator::new(sources));
            reasons.push(locator.reason(error, error.location()));
        }
        reasons
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        if let Some(Position { line, column }) = self.position {
            write!(f, "{line}:{column}: ")?;
        }
        f.write_str(&self.message)
    }
}

/// Turns spans into positions. Spans mostly come in the order of the source,
/// so it goes on from the last one: many errors in one long line would else
/// take quadratic time.
pub(crate) struct Locator<'a> {
    sources: &'a SourceMap,
    last: Option<(FileId, usize, Position)>,
}

impl<'a> Locator<'a> {
    pub(crate) fn new(sources: &'a SourceMap) -> Self {
        Self {
            sources,
            last: None,
        }
    }

    pub(crate) fn reason(
        &mut self,
        message: impl fmt::Display,
        span: Option<SourceSpan>,
    ) -> Reason {
        Reason {
            position: span.and_then(|span| self.position(span)),
            ..Reason::new(message)
        }
    }

    pub(crate) fn position(&mut self, span: SourceSpan) -> Option<Position> {
        let (file, offset) = (span.file_id(), span.offset());
        let text = self.sources.get(&file)?.source_text();
        let (from, position) = match self.last {
            Some((last, from, position)) if last == file && from <= offset => (from, position),
            _ => (0, Position::START),
        };
        let position = position.behind(text.get(from..offset)?);
        self.last = Some((file, offset, position));
        Some(position)
    }
}

/// All reasons, one a line.
pub(crate) fn lines(reasons: &[Reason]) -> impl fmt::Display {
    fmt::from_fn(|f| {
        reasons.iter().enumerate().try_for_each(|(number, reason)| {
            if number > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(reason, f)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::Position;

    #[test]
    fn positions() {
        let start = Position { line: 3, column: 5 };
        let cases = [
            ("", (3, 5)),
            ("é", (3, 6)),
            ("a\n", (4, 1)),
            ("\r\n\nab", (5, 3)),
        ];
        for (text, (line, column)) in cases {
            assert_eq!(start.behind(text), Position { line, column }, "{text:?}");
        }
    }
}
