//! The report, for people.

use anyhow::Result;
use ig_schema_diff::{Effect, JudgedChange, Level, Report};

use crate::output::{self, count};

/// Operations that a line names.
const NAMED: usize = 5;

/// How it ended, in a line.
pub(super) fn verdict(report: &Report) -> String {
    let summary = &report.summary;
    let ended = match report.verdict.passed {
        true => "passed".to_owned(),
        false => count(report.verdict.failures.len(), "failure"),
    };
    let operations = match summary.operations {
        0 => String::new(),
        all => format!(
            "; of {}, {} invalid, {} changed",
            count(all, "operation"),
            summary.invalid_operations,
            summary.changed_operations
        ),
    };
    format!(
        "{ended}: {} ({} breaking, {} dangerous){operations}; callers need less at {}",
        count(summary.changes, "change"),
        summary.breaking,
        summary.dangerous,
        count(summary.weakened, "place")
    )
}

/// What a schema says must not steer the terminal.
pub(super) fn clean(text: &str) -> String {
    let chars = text.chars();
    chars
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

pub(super) fn print(report: &Report, verbose: bool) -> Result<()> {
    for level in [Level::Breaking, Level::Dangerous, Level::NonBreaking] {
        for one in &report.changes {
            let shows = level != Level::NonBreaking || verbose || one.authz != Effect::Neutral;
            if one.change.criticality.level == level && shows {
                change(one)?;
            }
        }
    }
    for one in &report.authz {
        let word = match one.effect {
            Effect::Weakened => "WEAKENED",
            _ => "STRENGTHENED",
        };
        output::line(format!("{word}  {}", one.path))?;
    }
    for one in &report.renames {
        output::line(format!("RENAMED?  {} -> {}", one.from, one.to))?;
    }
    for one in &report.verdict.failures {
        eprintln!("FAIL  {}: {}", one.path, clean(&one.message));
    }
    for (exceptions, word) in [
        (&report.verdict.expired, "has expired"),
        (&report.verdict.unused, "is for nothing: take it away"),
    ] {
        for one in exceptions {
            eprintln!("note: the exception for {} {word}", clean(&one.path));
        }
    }
    if report.summary.invalid_before > 0 {
        let many = count(report.summary.invalid_before, "operation");
        eprintln!("note: {many} of the catalogue were not valid before either");
    }
    output::line(verdict(report))
}

fn change(one: &JudgedChange) -> Result<()> {
    let level = match one.change.criticality.level {
        Level::Breaking => "BREAKING",
        Level::Dangerous => "DANGEROUS",
        Level::NonBreaking => "NON_BREAKING",
    };
    output::line(format!("{level}  {}", clean(&one.change.message)))?;
    let affected = one
        .affected_operations
        .iter()
        .map(|one| &one.operation.name);
    named("affects", affected.map(String::as_str).collect())?;
    let exposed = one.exposed_operations.iter().map(|one| one.name.as_str());
    named("is used by", exposed.collect())
}

fn named(words: &str, names: Vec<&str>) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let shown: Vec<_> = names.iter().take(NAMED).copied().collect();
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    output::line(format!("  {words} {}{more}", shown.join(", ")))
}
