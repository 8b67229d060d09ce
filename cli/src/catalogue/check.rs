//! `ig catalogue check`

use anyhow::Result;

use super::read::{Sources, report_rejects};
use crate::Outcome;
use crate::output::{self, count};

/// Check that every operation of catalogues is valid for a schema.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig catalogue check --schema schema.graphql --catalogue manifest.json
  ig catalogue check --schema schema.graphql --catalogue operations/ --json")]
pub(crate) struct Args {
    #[command(flatten)]
    sources: Sources,
    /// Print a report as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let imported = args.sources.import()?;
    let rejects: usize = imported.iter().map(|one| one.import.rejected.len()).sum();
    if args.json {
        let reports: Vec<_> = imported.iter().map(|one| one.report()).collect();
        output::json(&reports)?;
        return Ok(Outcome::clean_if(rejects == 0));
    }
    report_rejects(&imported);
    for one in &imported {
        let accepted = count(one.import.accepted.len(), "document");
        let rejected = one.import.rejected.len();
        output::line(format!(
            "{}: {accepted} accepted, {rejected} rejected",
            one.path.display()
        ))?;
    }
    Ok(Outcome::clean_if(rejects == 0))
}
