//! `ig catalogue check`

use anyhow::Result;

use super::lint::Options;
use super::read::{Sources, report_rejects};
use crate::Outcome;
use crate::output::{self, count};

/// Check that every operation of catalogues is valid for a schema, and what
/// one wants of it besides.
#[derive(clap::Args)]
#[command(after_help = "Rules, each switched off by --allow:
  one-operation    a document has one operation
  max-cost         no operation costs more than --max-cost
  unused-document  each document was used within --unused-days, as --usage tells
  unused-fragment  each fragment of a folder is needed by an operation

Examples:
  ig catalogue check --schema schema.graphql --catalogue manifest.json
  ig catalogue check --schema schema.graphql --catalogue operations/ --max-cost 500
  ig catalogue check --schema schema.graphql --catalogue operations/ --json")]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    #[command(flatten)]
    options: Options,
    /// Print a report as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let imported = args.sources.import()?;
    let rejects: usize = imported.iter().map(|one| one.import.rejected.len()).sum();
    let findings = imported.iter().map(|one| args.options.look(one));
    let findings: Vec<_> = findings.collect::<Result<_>>()?;
    let outcome = Outcome::clean_if(rejects == 0 && findings.iter().all(Vec::is_empty));
    if args.json {
        let reports = imported.iter().zip(findings);
        let reports: Vec<_> = reports
            .map(|(one, findings)| one.report(findings))
            .collect();
        output::json(&reports)?;
        return Ok(outcome);
    }
    report_rejects(&imported);
    for (one, findings) in imported.iter().zip(&findings) {
        for finding in findings {
            eprintln!("{}: {finding}", one.path.display());
        }
        let accepted = count(one.import.accepted.len(), "document");
        let rejected = one.import.rejected.len();
        let path = one.path.display();
        output::line(match findings.len() {
            0 => format!("{path}: {accepted} accepted, {rejected} rejected"),
            many => format!(
                "{path}: {accepted} accepted, {rejected} rejected, {}",
                count(many, "finding")
            ),
        })?;
    }
    Ok(outcome)
}
