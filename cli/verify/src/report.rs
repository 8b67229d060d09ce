//! What was verified and what was not, for people and for programs.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use serde::Serialize;

/// What is wrong with something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// It is not what it should be: not a manifest, not a bundle.
    Malformed,
    /// It is not what was signed.
    Signature,
    /// The signed statement is not about it, or not of the type asked for.
    Statement,
    /// A log's entry in the bundle is not of this signature, or of no log that is
    /// trusted.
    LogEntry,
    /// A checkpoint is not signed as it has to be, or of another log.
    Checkpoint,
    /// The log is not known to have the entry.
    Inclusion,
    /// The log is not the one of a checkpoint that was kept: it shrank, or is
    /// another one from some entry on.
    Consistency,
    /// It was asked for, and what is here does not show it. Nothing is known to
    /// be wrong.
    NotShown,
    /// A file that the manifest names, or one of a log, is not there.
    Missing,
    /// A file has other bytes than the manifest says, or than the log's entries
    /// give.
    Changed,
    /// A file that the manifest does not name.
    Extra,
    /// An id that is no name of a file below the folder.
    UnsafeName,
    /// Not a file: a link, a folder, a device.
    NotAFile,
    /// It could not be read, so nothing is known of it.
    Unreadable,
}

/// What is wrong with one thing.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    pub(crate) kind: Kind,
    /// The place in the manifest, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) index: Option<usize>,
    /// The item, or the file.
    pub(crate) item: String,
    pub(crate) why: String,
}

impl Problem {
    pub(crate) fn new(kind: Kind, item: impl Into<String>, why: impl ToString) -> Self {
        Self {
            kind,
            index: None,
            item: item.into(),
            why: why.to_string(),
        }
    }
}

/// What a command found.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    ok: bool,
    /// What verifies, and what was not looked at; in words.
    pub(crate) verified: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_checked: Vec<String>,
    pub(crate) problems: Vec<Problem>,
    /// The log's newest checkpoint, where that was asked for and verifies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) checkpoint: Option<Checkpoint>,
}

/// A log's tree, and who says that it grew to it.
#[derive(Debug, Serialize)]
pub(crate) struct Checkpoint {
    pub(crate) origin: String,
    /// Entries.
    pub(crate) size: u64,
    /// Base64.
    pub(crate) root: String,
    pub(crate) cosigned: Vec<Cosigned>,
}

/// A witness's word.
#[derive(Debug, Serialize)]
pub(crate) struct Cosigned {
    pub(crate) witness: String,
    /// Since 1970, by the witness's clock.
    pub(crate) seconds: u64,
}

impl Report {
    pub(crate) fn verified(&mut self, what: impl Into<String>) {
        self.verified.push(what.into());
    }

    pub(crate) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    /// The last step: whether there is nothing wrong.
    pub(crate) fn finish(mut self) -> Self {
        self.ok = self.problems.is_empty();
        self
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        let unknown = |problem: &Problem| matches!(problem.kind, Kind::Unreadable | Kind::NotShown);
        ExitCode::from(match self.problems.as_slice() {
            [] => 0,
            all if all.iter().all(unknown) => 2,
            _ => 1,
        })
    }

    pub(crate) fn print_json(&self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, self)?;
        Ok(writeln!(out)?)
    }

    pub(crate) fn print(&self) -> Result<()> {
        let mut out = std::io::stdout().lock();
        for what in &self.verified {
            writeln!(out, "ok           {}", shown(what))?;
        }
        for what in &self.not_checked {
            writeln!(out, "not checked  {}", shown(what))?;
        }
        for problem in &self.problems {
            let (item, why) = (shown(&problem.item), shown(&problem.why));
            match problem.index {
                Some(index) => writeln!(out, "FAILED       items[{index}] {item}: {why}")?,
                None => writeln!(out, "FAILED       {item}: {why}")?,
            }
        }
        match self.problems.len() {
            0 => writeln!(out, "verified")?,
            1 => writeln!(out, "NOT VERIFIED: 1 problem")?,
            problems => writeln!(out, "NOT VERIFIED: {problems} problems")?,
        }
        Ok(())
    }
}

/// Whatever was read must not steer the terminal.
fn shown(text: &str) -> String {
    let clean = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(clean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_outweighs_what_is_not_known() {
        for (kinds, code) in [
            (&[][..], 0),
            (&[Kind::Unreadable, Kind::Unreadable], 2),
            (&[Kind::NotShown, Kind::Unreadable], 2),
            (&[Kind::NotShown, Kind::Consistency], 1),
            (&[Kind::Unreadable, Kind::Changed], 1),
            (&[Kind::Extra], 1),
        ] {
            let mut report = Report::default();
            for kind in kinds {
                report.problem(Problem::new(*kind, "a", "b"));
            }
            assert_eq!(
                report.finish().exit_code(),
                ExitCode::from(code),
                "{kinds:?}"
            );
        }
    }

    #[test]
    fn what_was_read_steers_no_terminal() {
        assert_eq!(
            shown("a\u{1b}[2J\u{9b}b\n"),
            "a\u{fffd}[2J\u{fffd}b\u{fffd}"
        );
    }
}
