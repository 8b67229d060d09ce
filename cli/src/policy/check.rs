//! `ig policy check`

use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::Outcome;
use crate::github::{Annotation, Level};
use crate::output::{self, ReportArgs, count};

/// Check that a bundle compiles, calls nothing that the guard does not have,
/// and denies an empty input.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 the guard takes it; 1 it does not; 2 a file cannot be read, or is not valid.

Examples:
  ig policy check policies/
  ig policy check bundle.tar.gz --json
  ig policy check policies -o reports/policy-check.json"
)]
pub(crate) struct Args {
    /// The bundle: a folder, or a .tar.gz.
    #[arg(value_name = "PATH")]
    bundle: PathBuf,
    #[command(flatten)]
    report: ReportArgs,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let found = super::read(&args.bundle)
        .and_then(|bundle| Ok((super::compiled(&args.bundle, &bundle)?, bundle)));
    let (compiled, bundle) = match found {
        Ok(found) => found,
        Err(error) => {
            invalid(args, &format!("{error:#}"), false)?;
            return Err(error);
        }
    };
    let program = match compiled {
        Ok(program) => program,
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::new(error));
            invalid(args, &error, true)?;
            return Ok(Outcome::Findings);
        }
    };
    let revision = &bundle.manifest.revision;
    let (files, bytes) = (bundle.policies.len(), program.len());
    let report = json!({
        "valid": true, "revision": revision, "files": files, "programBytes": bytes,
    });
    let text = || {
        let files = count(files, "file");
        output::line(format!(
            "revision {revision}: {files}, a program of {bytes} bytes"
        ))
    };
    args.report.report(&report, text, text)?;
    Ok(Outcome::Clean)
}

/// Reports why it is not valid; `says` it, unless an error will.
fn invalid(args: &Args, error: &str, says: bool) -> Result<()> {
    let text = || {
        if says {
            output::remark(format_args!("{error}"));
        }
        Ok(())
    };
    let annotated = || {
        output::annotation(&Annotation::new(Level::Error, "Policies: not valid", error))?;
        text()
    };
    let report = json!({"valid": false, "error": error});
    args.report.report(&report, text, annotated)
}
