//! Annotations of a pull request.

use anyhow::Result;
use ig_schema_diff::{JudgedChange, Level, Place, Report, SchemaSide};

use super::text;
use crate::github::{self, Annotation, MOST};
use crate::output;

/// Annotations, at the new schema where it is in the repository, and then
/// what is printed as text.
pub(super) fn print(report: &Report, names: text::Names<'_>, verbose: bool) -> Result<()> {
    let file = names.new.path();
    let file = file.as_deref();
    for failure in report.verdict.failures.iter().take(MOST) {
        let title = format!("Schema: {}", failure.path);
        let annotation = Annotation::new(github::Level::Error, &title, &failure.message);
        output::annotation(&placed(annotation, file, report.place_of(failure)))?;
    }
    let is_dangerous = |one: &&JudgedChange| one.change.criticality.level == Level::Dangerous;
    for one in report.changes.iter().filter(is_dangerous).take(MOST) {
        let path = one.change.path.as_deref().unwrap_or_default();
        let title = format!("Schema: {path}");
        let annotation = Annotation::new(github::Level::Warning, &title, &one.change.message);
        output::annotation(&placed(annotation, file, one.location))?;
    }
    for one in report.verdict.expired.iter().take(MOST) {
        let message = format!("the exception for {} has expired", one.path);
        let title = "Schema: exceptions";
        output::annotation(&Annotation::new(github::Level::Warning, title, &message))?;
    }
    let verdict = text::verdict(report);
    output::annotation(&Annotation::new(github::Level::Notice, "Schema", &verdict))?;
    text::print(report, names, verbose)
}

fn placed<'a>(
    annotation: Annotation<'a>,
    file: Option<&'a str>,
    place: Option<Place>,
) -> Annotation<'a> {
    let Some(file) = file else { return annotation };
    let annotation = annotation.file(file);
    // A line of the old schema is none of the file's.
    match place.filter(|place| place.schema == SchemaSide::New) {
        Some(place) => annotation.at(place.position.line, place.position.column),
        None => annotation,
    }
}
