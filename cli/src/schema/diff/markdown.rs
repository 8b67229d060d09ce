//! The report as the summary of a job.

use ig_schema_diff::{Effect, JudgedChange, Level, Report};

use super::text;
use crate::schema::source::Source;

/// Rows of a table.
const MOST: usize = 100;

pub(super) fn summary(report: &Report, old: &Source, new: &Source) -> String {
    let mark = match (report.verdict.passed, report.verdict.failures.is_empty()) {
        (true, _) => "passed",
        (false, true) => "**undecided**",
        (false, false) => "**failed**",
    };
    let mut out = format!(
        "## Schema: {mark}\n\n{} → {}\n\n{}\n",
        code(&old.to_string()),
        code(&new.to_string()),
        text::verdict(report)
    );
    let failures = report.verdict.failures.iter();
    let rows = failures.map(|one| [code(&one.path), cell(&one.message)]);
    table(&mut out, "What fails", ["where", "why"], rows);
    let weakened = report
        .authz
        .iter()
        .filter(|one| one.effect == Effect::Weakened);
    let rows = weakened.map(|one| {
        let list = |items: &[String]| {
            let items: Vec<_> = items.iter().map(|item| code(item)).collect();
            items.join(", ")
        };
        [code(&one.path), list(&one.removed), list(&one.added)]
    });
    table(
        &mut out,
        "Callers need less",
        ["where", "asked no more", "instead"],
        rows,
    );
    let shown = report.changes.iter().filter(|one| {
        one.change.criticality.level != Level::NonBreaking || one.authz != Effect::Neutral
    });
    table(
        &mut out,
        "Changes that matter",
        ["", "change", "operations"],
        shown.map(change),
    );
    out
}

fn change(one: &JudgedChange) -> [String; 3] {
    let level = match one.change.criticality.level {
        Level::Breaking => "breaking",
        Level::Dangerous => "dangerous",
        Level::NonBreaking => "",
    };
    let affected = one.affected_operations.len();
    let exposed = one.exposed_operations.len();
    let operations = match (affected, exposed) {
        (0, 0) => String::new(),
        (0, exposed) => format!("{exposed} use it"),
        (affected, _) => format!("**{affected} affected**"),
    };
    [level.to_owned(), cell(&one.change.message), operations]
}

fn table<const N: usize>(
    out: &mut String,
    title: &str,
    head: [&str; N],
    rows: impl Iterator<Item = [String; N]>,
) {
    let rows: Vec<_> = rows
        .map(|row| format!("| {} |\n", row.join(" | ")))
        .collect();
    if rows.is_empty() {
        return;
    }
    out.push_str(&format!("\n### {title}\n\n| {} |\n", head.join(" | ")));
    out.push_str(&format!("|{}\n", " --- |".repeat(N)));
    out.extend(rows.iter().take(MOST).map(String::as_str));
    if rows.len() > MOST {
        out.push_str(&format!(
            "\nand {} more, in the report\n",
            rows.len() - MOST
        ));
    }
}

/// Text of a cell: a schema must not write Markdown or HTML.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in text::clean(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '!' | '#' | '\\' | '~' | '@' => {
                out.push_str(&format!("&#{};", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out
}

fn code(text: &str) -> String {
    match text.is_empty() {
        true => String::new(),
        false => format!("<code>{}</code>", cell(text)),
    }
}
