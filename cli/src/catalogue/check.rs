//! `ig catalogue check`

use std::path::Path;

use anyhow::Result;
use ig_schema::Reason;

use super::lint::{Finding, Options, Usage};
use super::read::{Imported, Sources, report_rejects};
use crate::Outcome;
use crate::github::{self, Annotation, Level};
use crate::output::{self, ReportArgs, count};

/// Check that every operation of catalogues is valid for a schema, and what
/// one wants of it besides.
#[derive(clap::Args)]
#[command(after_help = "Rules, each switched off by --allow:
  one-operation    a document has one operation
  max-cost         no operation costs more than --max-cost
  unused-document  each document that --usage lists was used, or pushed, within --unused-days
  unused-fragment  each fragment of a folder is needed by an operation

Exit codes: 0 nothing is found; 1 something is, or an operation is not valid; 2 schema or
catalogue cannot be read.

Examples:
  ig catalogue check --schema schema.graphql --catalogue manifest.json
  ig catalogue check --schema schema.graphql --catalogue operations/ --max-cost 500
  ig catalogue check --schema schema.graphql --catalogue operations/ --json
  ig catalogue check --schema schema.graphql --catalogue operations --format github \\
    -o reports/catalogue-check.json")]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let imported = args.sources.import()?;
    let usage = args.options.usage()?;
    let looked = imported.iter().map(|one| {
        let findings = args.options.look(one, usage.as_ref())?;
        Ok((one, findings))
    });
    let looked: Vec<_> = looked.collect::<Result<_>>()?;
    let is_clean = |(one, findings): &(&Imported, Vec<Finding>)| {
        one.import.rejected.is_empty() && findings.is_empty()
    };
    let reports = looked.iter().map(|(one, findings)| one.report(findings));
    let reports: Vec<_> = reports.collect();
    let text = || {
        report_rejects(&imported);
        note_unlisted(&imported, usage.as_ref());
        looked.iter().try_for_each(|(one, all)| text(one, all))
    };
    args.report.report(&reports, text, || {
        looked
            .iter()
            .try_for_each(|(one, all)| annotate(one, all))?;
        text()
    })?;
    Ok(Outcome::clean_if(looked.iter().all(is_clean)))
}

/// A list that has nothing of the catalogue would be one of another graph.
fn note_unlisted(imported: &[Imported], usage: Option<&Usage>) {
    let Some(usage) = usage else { return };
    let documents = imported.iter().flat_map(|one| &one.import.accepted);
    let (listed, new): (Vec<_>, Vec<_>) = documents.partition(|one| usage.lists(one));
    if !new.is_empty() {
        output::remark(format_args!(
            "note: --usage lists {} of the catalogue; {} not there yet, so new",
            count(listed.len(), "document"),
            new.len()
        ));
    }
}

fn text(one: &Imported, findings: &[Finding]) -> Result<()> {
    let path = one.path.display();
    for finding in findings {
        output::remark(format_args!("{path}: {finding}"));
    }
    let accepted = count(one.import.accepted.len(), "document");
    let rejected = one.import.rejected.len();
    output::line(match findings.len() {
        0 => format!("{path}: {accepted} accepted, {rejected} rejected"),
        many => format!(
            "{path}: {accepted} accepted, {rejected} rejected, {}",
            count(many, "finding")
        ),
    })
}

fn annotate(one: &Imported, findings: &[Finding]) -> Result<()> {
    let rejected = one.import.rejected.iter().flat_map(|reject| {
        let name = reject.name.as_ref().or(reject.ids.first());
        let name = name.map_or("(anonymous)", String::as_str);
        let title = format!("Operations: {name}");
        reject.reasons.iter().map(move |it| (title.clone(), it))
    });
    let found = findings
        .iter()
        .map(|it| (format!("Operations: {}", it.title()), &it.reason));
    for (title, reason) in rejected.chain(found).take(github::MOST) {
        annotation(&one.path, &title, reason)?;
    }
    Ok(())
}

fn annotation(catalogue: &Path, title: &str, reason: &Reason) -> Result<()> {
    let annotation = Annotation::new(Level::Error, title, &reason.message);
    let is_source = catalogue
        .extension()
        .is_some_and(|it| it == "graphql" || it == "gql");
    let file = match &reason.file {
        Some(file) if catalogue.is_dir() => Some(catalogue.join(file)),
        _ if catalogue.is_dir() => None,
        _ => Some(catalogue.to_owned()),
    };
    let Some(file) = file.map(|file| file.display().to_string()) else {
        return output::annotation(&annotation);
    };
    let annotation = annotation.file(&file);
    // Places in a text of a manifest are none in the manifest.
    output::annotation(&match reason.position {
        Some(place) if is_source || reason.file.is_some() => {
            annotation.at(place.line, place.column)
        }
        _ => annotation,
    })
}
