//! The report, for people.

use anyhow::Result;
use ig_schema_diff::{AuthzChange, Effect, JudgedChange, Level, Place, Report, SchemaSide};

use crate::output::{self, count};
use crate::schema::source::Source;

/// Operations that a line names.
const NAMED: usize = 5;

/// How it ended, in a line.
pub(super) fn verdict(report: &Report) -> String {
    let summary = &report.summary;
    let verdict = &report.verdict;
    let ended = match (verdict.failures.len(), verdict.undecided) {
        (0, 0) => "passed".to_owned(),
        (0, undecided) => format!("{undecided} undecided"),
        (failures, _) => count(failures, "failure"),
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

/// The two schemas, as places name them.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) old: &'a Source,
    pub(super) new: &'a Source,
}

impl Names<'_> {
    /// ` (schema.graphql:4:3)`, or nothing where there is no place.
    fn place(self, place: Option<Place>) -> String {
        let Some(Place { schema, position }) = place else {
            return String::new();
        };
        let source = match schema {
            SchemaSide::Old => self.old,
            SchemaSide::New => self.new,
        };
        format!(" ({source}:{}:{})", position.line, position.column)
    }
}

pub(super) fn print(report: &Report, names: Names<'_>, verbose: bool) -> Result<()> {
    for level in [Level::Breaking, Level::Dangerous, Level::NonBreaking] {
        for one in &report.changes {
            let shows = level != Level::NonBreaking || verbose || one.authz != Effect::Neutral;
            if one.change.criticality.level == level && shows {
                change(one)?;
            }
        }
    }
    for one in &report.authz {
        authz(one, names)?;
    }
    for one in &report.renames {
        output::line(format!("RENAMED?  {} -> {}", one.from, one.to))?;
    }
    for one in &report.verdict.failures {
        let place = names.place(report.place_of(one));
        output::remark(format_args!(
            "FAIL  {}: {}{place}",
            one.path,
            clean(&one.message)
        ));
    }
    for (exceptions, word) in [
        (&report.verdict.expired, "has expired"),
        (&report.verdict.unused, "is for nothing: take it away"),
    ] {
        for one in exceptions {
            output::remark(format_args!(
                "note: the exception for {} {word}",
                clean(&one.path)
            ));
        }
    }
    if report.summary.invalid_before > 0 {
        let many = count(report.summary.invalid_before, "operation");
        output::remark(format_args!(
            "note: {many} of the catalogue were not valid before either"
        ));
    }
    output::line(verdict(report))
}

/// The place, and what is asked there no more and instead.
fn authz(one: &AuthzChange, names: Names<'_>) -> Result<()> {
    let word = match one.effect {
        Effect::Weakened => "WEAKENED",
        _ => "STRENGTHENED",
    };
    let place = names.place(one.location);
    output::line(format!("{word}  {}{place}", one.path))?;
    for (sign, items) in [('-', &one.removed), ('+', &one.added)] {
        for item in items {
            output::line(format!("  {sign} {}", clean(item)))?;
        }
    }
    Ok(())
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
