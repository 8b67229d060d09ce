//! `ig policy check`

use std::path::PathBuf;

use anyhow::Result;
use ig_snapshot::compile_policy;
use serde_json::json;

use crate::Outcome;
use crate::output::{self, count};

/// Check that a bundle compiles, calls nothing that the guard does not have,
/// and denies an empty input.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig policy check policies/
  ig policy check bundle.tar.gz --json")]
pub(crate) struct Args {
    /// The bundle: a folder, or a .tar.gz.
    #[arg(value_name = "PATH")]
    bundle: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let bundle = super::read(&args.bundle)?;
    let program = match compile_policy(&bundle) {
        Ok(program) => program,
        Err(error) => {
            let error = format!("{:#}", anyhow::Error::new(error));
            match args.json {
                true => output::json(&json!({"valid": false, "error": error}))?,
                false => eprintln!("{error}"),
            }
            return Ok(Outcome::Findings);
        }
    };
    let revision = &bundle.manifest.revision;
    let files = bundle.policies.len();
    if args.json {
        output::json(&json!({
            "valid": true, "revision": revision, "files": files, "programBytes": program.len(),
        }))?;
    } else {
        let files = count(files, "file");
        let bytes = program.len();
        output::line(format!(
            "revision {revision}: {files}, a program of {bytes} bytes"
        ))?;
    }
    Ok(Outcome::Clean)
}
