//! `ig export attest`

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ig_signing::statement::{self, Subject};
use ig_signing::{Bundle, Sha256, Statement, file};
use serde_json::json;

use super::key::{self, KeyArgs};
use crate::output::{self, count};
use crate::{Outcome, files};

/// Say something of files, and sign it: an in-toto statement in a Sigstore bundle.
///
/// A statement names the files by their SHA-256, and has a predicate of a type that
/// says what it means, such as `https://slsa.dev/provenance/v1`. `ig-verify bundle` and
/// `cosign verify-blob-attestation` verify it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig export attest export/people.json --type https://example.com/review/v1 \\
      --predicate review.json --key key.pem -o people.att.sigstore.json
  ig export attest export/people.json export/images/1.png \\
      --type https://example.com/review/v1 --predicate review.json --key cosign.key \\
      --password-file password -o all.att.sigstore.json --json")]
pub(crate) struct Args {
    /// The files that it is about. Each is named by the last part of its path.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The predicate's type: a URI.
    #[arg(long = "type", value_name = "URI")]
    predicate_type: String,
    /// What is said: a file with a JSON object.
    #[arg(long, value_name = "FILE")]
    predicate: PathBuf,
    #[command(flatten)]
    key: KeyArgs,
    /// The bundle.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Print what was done as JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let bytes = file::read(&args.predicate, statement::MAX_BYTES)?;
    let predicate = match Statement::read_predicate(&bytes) {
        Ok(predicate) => predicate,
        Err(error) => {
            output::remark(format_args!(
                "{} is no predicate: {error}",
                args.predicate.display()
            ));
            return Ok(Outcome::Findings);
        }
    };
    let subjects = args.files.iter().map(|path| subject(path));
    let subjects = subjects.collect::<Result<Vec<_>>>()?;
    let about = subjects.len();
    let statement = Statement::new(subjects, &*args.predicate_type, predicate);
    let statement = match statement {
        Ok(statement) => statement,
        Err(error) => {
            output::remark(format_args!("this is no statement: {error}"));
            return Ok(Outcome::Findings);
        }
    };
    let read: Vec<_> = args.files.iter().chain([&args.predicate]).collect();
    args.key.keep(&read, &[&args.output])?;
    let key = args.key.open()?;
    let bundle = Bundle::attest(&*key, &statement)?;
    files::write(&args.output, &bundle.to_bytes())?;
    let bundle = args.output.display();
    if args.json {
        output::json(&json!({
            "bundle": bundle.to_string(),
            "keyId": key.public().key_id(),
            "type": args.predicate_type,
            "files": about,
        }))?;
    } else if args.output != Path::new("-") {
        output::line(format!("{bundle}: of {}", count(about, "file")))?;
    }
    Ok(Outcome::Clean)
}

fn subject(path: &Path) -> Result<Subject> {
    let context = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(context)?;
    let sha256 = Sha256::of_reader(file, |_| {}).with_context(context)?;
    let name = key::name(path)?.to_owned();
    Ok(Subject { name, sha256 })
}
