//! `cargo xtask evidence`: what a release brings along for auditors, made of what was run.
//! What is run is here; `ig evidence build` makes the bundle.

pub mod record;
pub mod runs;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};

use crate::tools;
use runs::Run;

/// Runs what leaves evidence of a release, and has `ig evidence build` make one signed
/// bundle of it, with the verdict of each control.
///
/// A report counts when it is of this commit and this day. One that is missing, or of
/// another commit or day, is a GAP; it is not taken. `--run` makes reports anew.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Examples:\n  \
    cargo xtask evidence                          of the reports and dist that are there\n  \
    cargo xtask evidence --run policy,schema,dist what is short, anew\n  \
    cargo xtask evidence --key release.pem --since last.checkpoint\n\n\
    Exit codes: 0 no control fails, 1 one does, or something cannot be run, 2 no bundle is made.")]
pub struct Args {
    /// What is run first (repeatable, or separated by commas)
    #[arg(long = "run", value_enum, value_delimiter = ',')]
    runs: Vec<Run>,
    /// The revision whose schema this one is compared with; without it, the last tag of a
    /// release, or the schema's first commit
    #[arg(long, value_name = "REVISION")]
    schema_base: Option<String>,
    /// Where reports are
    #[arg(long, value_name = "DIR", default_value = "reports")]
    reports: PathBuf,
    /// Where `cargo xtask dist` has left programs and module
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    dist: PathBuf,
    /// The folder of the bundle; this and what follows as `ig evidence build` takes it, in the
    /// workspace
    #[arg(long, value_name = "DIR")]
    out: Option<OsString>,
    /// The private key that signs; without it, one of `--keys`
    #[arg(long, value_name = "FILE_OR_URI")]
    key: Option<OsString>,
    /// The only line is the password of `--key`
    #[arg(long, value_name = "FILE", requires = "key")]
    password_file: Option<OsString>,
    /// Keys of the ledger, and one to sign with: made where they are not there
    #[arg(long, value_name = "DIR")]
    keys: Option<OsString>,
    /// The project's ledger: begun where it is not there
    #[arg(long, value_name = "DIR")]
    ledger: Option<OsString>,
    /// Its name, a host name
    #[arg(long, value_name = "HOST")]
    origin: Option<OsString>,
    /// The checkpoint of the last release; without it, the ledger's beginning
    #[arg(long, value_name = "FILE")]
    since: Option<OsString>,
}

/// Runs `cargo xtask evidence`.
///
/// # Errors
/// When something cannot be run.
pub fn run(args: &Args) -> Result<ExitCode> {
    let root = tools::root();
    let (reports, dist) = (root.join(&args.reports), root.join(&args.dist));
    for one in runs::ordered(&args.runs) {
        one.run(&root, &reports, &dist, args.schema_base.as_deref())?;
    }
    let mut build = runs::ig(&root, &args.build()).into_command();
    let status = build.status().context("cannot run cargo")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    let code = code.with_context(|| format!("ig evidence build: {status}"))?;
    Ok(ExitCode::from(code))
}

impl Args {
    /// What `ig` is told.
    fn build(&self) -> Vec<OsString> {
        let options = [
            ("--reports", Some(self.reports.as_os_str())),
            ("--dist", Some(self.dist.as_os_str())),
            ("--out", self.out.as_deref()),
            ("--key", self.key.as_deref()),
            ("--password-file", self.password_file.as_deref()),
            ("--keys", self.keys.as_deref()),
            ("--ledger", self.ledger.as_deref()),
            ("--origin", self.origin.as_deref()),
            ("--since", self.since.as_deref()),
        ];
        let mut words: Vec<OsString> = vec!["evidence".into(), "build".into()];
        for (name, value) in options {
            let Some(value) = value else { continue };
            // In one word: a value that begins with `-` is no option.
            let mut word = OsString::from(name);
            word.push("=");
            word.push(value);
            words.push(word);
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }

    #[test]
    fn what_was_said_is_told_to_ig() {
        let told = |words: &str| {
            let words = ["x"].into_iter().chain(words.split_whitespace());
            let cli = Cli::parse_from(words);
            let told = cli.args.build().into_iter();
            let told: Vec<_> = told.map(|word| word.into_string().unwrap()).collect();
            told.join(" ")
        };
        let usual = "evidence build --reports=reports --dist=target/dist";
        assert_eq!(told(""), usual);
        // What is run is not ig's.
        assert_eq!(told("--run policy --schema-base v1"), usual);
        let rest = "--out=o --key=k --password-file=p --keys=ks --ledger=l --origin=o.example \
                    --since=s";
        assert_eq!(told(rest), format!("{usual} {rest}"));
    }
}
