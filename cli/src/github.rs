//! Annotations, as GitHub's runner reads them
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use std::fmt;

/// Annotations of one kind that a command prints: GitHub shows ten of a step.
pub(crate) const MOST: usize = 50;

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    Error,
    Warning,
    Notice,
}

/// A remark at a place of the repository, or at none. What it says is written
/// so that no text of a schema or policy is taken for a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Annotation<'a> {
    level: Level,
    title: &'a str,
    message: &'a str,
    file: Option<&'a str>,
    /// First and last, from 1.
    lines: Option<(usize, usize)>,
    /// From 1.
    column: Option<usize>,
}

impl<'a> Annotation<'a> {
    pub(crate) fn new(level: Level, title: &'a str, message: &'a str) -> Self {
        Self {
            level,
            title,
            message,
            file: None,
            lines: None,
            column: None,
        }
    }

    /// In this file, by its path from the root of the repository.
    pub(crate) fn file(self, file: &'a str) -> Self {
        Self {
            file: Some(file),
            ..self
        }
    }

    /// At this line and column of the file.
    pub(crate) fn at(self, line: usize, column: usize) -> Self {
        Self {
            lines: Some((line, line)),
            column: Some(column),
            ..self
        }
    }

    /// At these lines of the file, both included.
    pub(crate) fn lines(self, first: usize, last: usize) -> Self {
        Self {
            lines: Some((first, last)),
            ..self
        }
    }
}

impl fmt::Display for Annotation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Notice => "notice",
        };
        write!(f, "::{level} ")?;
        if let Some(file) = self.file {
            write!(f, "file={},", property(file))?;
            if let Some((first, last)) = self.lines {
                write!(f, "line={first},")?;
                match self.column {
                    Some(column) => write!(f, "col={column},")?,
                    None => write!(f, "endLine={last},")?,
                }
            }
        }
        write!(f, "title={}::{}", property(self.title), data(self.message))
    }
}

/// As `escapeData` of actions/toolkit.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// As `escapeProperty` of actions/toolkit.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{Annotation, Level};

    #[test]
    fn what_is_quoted_gives_no_commands() {
        let evil = "50%\r\n::error::x";
        let annotation = Annotation::new(Level::Warning, "a:b,c\n", evil);
        let cases = [
            (
                annotation.clone(),
                "::warning title=a%3Ab%2Cc%0A::50%25%0D%0A::error::x",
            ),
            (
                // A place is nothing without a file.
                annotation.clone().at(1, 2),
                "::warning title=a%3Ab%2Cc%0A::50%25%0D%0A::error::x",
            ),
            (
                annotation.clone().file("a,line=9").at(3, 5),
                "::warning file=a%2Cline=9,line=3,col=5,title=a%3Ab%2Cc%0A::50%25%0D%0A::error::x",
            ),
            (
                annotation.file("a").lines(3, 5),
                "::warning file=a,line=3,endLine=5,title=a%3Ab%2Cc%0A::50%25%0D%0A::error::x",
            ),
        ];
        for (annotation, text) in cases {
            assert_eq!(annotation.to_string(), text);
        }
    }
}
