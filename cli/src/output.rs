//! Standard output, reports, and progress on standard error.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use serde_json::Value;

use crate::files;
use crate::github::Annotation;

/// What a gate prints, and where its report goes: alike for all of them.
#[derive(clap::Args)]
pub(crate) struct ReportArgs {
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Print JSON: --format json.
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// Also write the report here, as JSON, whatever is printed; `-` for
    /// standard output, and nothing else there.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// What is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[value(alias = "pretty")]
    Text,
    /// Annotations of a pull request, as GitHub's runner reads them, and how it
    /// ended.
    Github,
    /// The report.
    Json,
}

impl ReportArgs {
    /// Writes a report, and prints it.
    ///
    /// The file comes first, and a reader that leaves early is no error: what
    /// was found decides, whoever reads on.
    pub(crate) fn report(
        &self,
        report: &impl Serialize,
        text: impl FnOnce() -> Result<()>,
        github: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        let to_stdout = self.output.as_deref() == Some(Path::new("-"));
        if let Some(path) = self.output.as_ref().filter(|_| !to_stdout) {
            let json = serde_json::to_string_pretty(report)? + "\n";
            files::write(path, json.as_bytes())?;
        }
        let printed = match self.format {
            Format::Json => json(report),
            _ if self.json || to_stdout => json(report),
            Format::Text => text(),
            Format::Github => github(),
        };
        match printed {
            Err(error) if is_broken_pipe(&error) => Ok(()),
            printed => printed,
        }
    }
}

/// Prints a line, or some, without whatever steers a terminal or a runner.
pub(crate) fn line(text: impl std::fmt::Display) -> Result<()> {
    writeln!(std::io::stdout(), "{}", harmless(&text.to_string()))?;
    Ok(())
}

/// Says something on standard error, alike.
pub(crate) fn remark(text: impl std::fmt::Display) {
    // Nobody who listens is no reason to end.
    let _ = writeln!(std::io::stderr(), "{}", harmless(&text.to_string()));
}

/// Prints an annotation, which is a command to the runner.
pub(crate) fn annotation(annotation: &Annotation<'_>) -> Result<()> {
    writeln!(std::io::stdout(), "{annotation}")?;
    Ok(())
}

/// Prints a value as JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<()> {
    // Only strings have it, and there it may be written so.
    let json = serde_json::to_string_pretty(value)?.replace("##[", "#\\u0023[");
    writeln!(std::io::stdout(), "{json}")?;
    Ok(())
}

/// Text that schemas, policies and file names are quoted in. GitHub's runner takes a
/// line for a command that begins with `::`, after white space, or has `##[` anywhere
/// (`ActionCommand.cs` of actions/runner); it ends lines as terminals do, at a carriage
/// return too.
fn harmless(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            c if c.is_control() => ' ',
            // Some end lines at these.
            '\u{2028}' | '\u{2029}' => ' ',
            c => c,
        })
        .collect();
    let lines = text.split('\n').map(|line| {
        let line = line.replace("##[", "## [");
        match line.trim_start().starts_with("::") {
            true => line.replacen("::", ": :", 1),
            false => line,
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let is_pipe = |cause: &std::io::Error| cause.kind() == std::io::ErrorKind::BrokenPipe;
    error.downcast_ref::<std::io::Error>().is_some_and(is_pipe)
}

/// `1 document`, `2 documents`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// Work that is worth a progress bar, where somebody watches.
const LONG: usize = 500;

/// Progress of work in steps; shows itself on a terminal, and for long work.
pub(crate) struct Progress(Option<ProgressBar>);

impl Progress {
    pub(crate) fn new() -> Self {
        Self(None)
    }

    pub(crate) fn step(&mut self, done: usize, total: usize) {
        if total < LONG || !std::io::stderr().is_terminal() {
            return;
        }
        let bar = self.0.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} {eta}");
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        bar.set_length(total as u64);
        bar.set_position(done as u64);
        if done == total {
            bar.finish_and_clear();
            self.0 = None;
        }
    }
}

/// Prints columns that stand below each other.
pub(crate) fn table<const N: usize>(
    head: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<()> {
    let head = head.map(ToOwned::to_owned);
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths: [usize; N] = std::array::from_fn(width);
    for row in &rows {
        let cells = row.iter().zip(widths);
        let cells: Vec<_> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// A value of an answer, for people.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        // Whatever was sent must not steer the terminal.
        Value::String(text) => text
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect(),
        Value::Array(all) => all.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// Milliseconds since the epoch, for people.
pub(crate) fn time(value: &Value) -> String {
    let Some(millis) = value.as_u64() else {
        return "-".to_owned();
    };
    let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(millis);
    humantime::format_rfc3339_seconds(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn what_is_quoted_gives_no_commands() {
        for (text, shown) in [
            ("a::b ## [c] # #[d]", "a::b ## [c] # #[d]"),
            ("::stop-commands::x", ": :stop-commands::x"),
            (" \t::error::x", " \t: :error::x"),
            ("\u{a0}\u{2003}::error::x", "\u{a0}\u{2003}: :error::x"),
            ("a\n::error::x\n  ::y", "a\n: :error::x\n  : :y"),
            ("a\r::error::x", "a ::error::x"),
            ("\r::error::x", " : :error::x"),
            ("\u{85}::x", " : :x"),
            ("a\u{2028}::x", "a ::x"),
            ("a##[error]b##[c", "a## [error]b## [c"),
            ("#\u{0}#[error]", "# #[error]"),
            ("\u{1b}[31mred\u{7}", " [31mred "),
        ] {
            assert_eq!(harmless(text), shown, "{text:?}");
        }
    }
}
