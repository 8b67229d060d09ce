//! Annotations of a pull request
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use anyhow::Result;
use ig_schema_diff::{JudgedChange, Level, Place, Report, SchemaSide};

use super::text;
use crate::output;

/// Annotations of one kind. GitHub shows ten of a step.
const MOST: usize = 50;

pub(super) fn print(report: &Report, file: Option<&str>) -> Result<()> {
    for failure in report.verdict.failures.iter().take(MOST) {
        let change = failure.change.and_then(|number| report.changes.get(number));
        let title = format!("Schema: {}", failure.path);
        let place = change.and_then(|change| change.location);
        annotation("error", file, place, &title, &failure.message)?;
    }
    let is_dangerous = |one: &&JudgedChange| one.change.criticality.level == Level::Dangerous;
    for one in report.changes.iter().filter(is_dangerous).take(MOST) {
        let path = one.change.path.as_deref().unwrap_or_default();
        let title = format!("Schema: {path}");
        annotation("warning", file, one.location, &title, &one.change.message)?;
    }
    for one in report.verdict.expired.iter().take(MOST) {
        let message = format!("the exception for {} has expired", one.path);
        annotation("warning", None, None, "Schema: exceptions", &message)?;
    }
    let verdict = text::verdict(report);
    annotation("notice", None, None, "Schema", &verdict)?;
    output::line(verdict)
}

fn annotation(
    kind: &str,
    file: Option<&str>,
    place: Option<Place>,
    title: &str,
    message: &str,
) -> Result<()> {
    let mut properties = format!("title={}", property(title));
    if let Some(file) = file {
        properties.push_str(&format!(",file={}", property(file)));
        // A line of the old schema is none of the file's.
        if let Some(place) = place.filter(|place| place.schema == SchemaSide::New) {
            let position = place.position;
            properties.push_str(&format!(",line={},col={}", position.line, position.column));
        }
    }
    output::line(format!("::{kind} {properties}::{}", data(message)))
}

/// As `escapeData` of actions/toolkit: a schema must not give commands.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::{data, property};

    #[test]
    fn a_schema_gives_no_commands() {
        assert_eq!(data("50%\r\n::error::x"), "50%25%0D%0A::error::x");
        assert_eq!(property("a:b,c\n"), "a%3Ab%2Cc%0A");
    }
}
