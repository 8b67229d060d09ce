//! `ig schema diff`

mod github;
mod markdown;
mod text;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;
use ig_schema::Date;
use ig_schema::catalogue::{Catalogue, Reject};
use ig_schema_diff::{Exceptions, FailOn, InvalidOperation, Policy, Report, report};

use super::source::Source;
use crate::control_plane::Connection;
use crate::output::{Progress, ReportArgs};
use crate::{Outcome, catalogue, files, output};

/// Operations that an error names.
const NAMED: usize = 20;

/// Compare two schemas: what breaks, which operations of a catalogue that
/// concerns, whether callers need less than before, and whether it may be.
///
/// A schema is a file, `git:REVISION:PATH`, or `registry:GRAPH/TAG`. Changes
/// are those of graphql-inspector 8, with the same JSON.
#[derive(clap::Args)]
#[command(after_help = "Rules that --fail-on names:
  breaking    no change is breaking
  operations  no operation of the catalogue becomes invalid
  records     no operation of the catalogue gets another record
  weakened    callers need nothing less than before
  nothing     only tell
Without it: operations and weakened where there is a catalogue, else breaking and weakened.

Exit codes: 0 all rules hold; 1 one does not; 2 something cannot be read, or is not valid, and where.

Examples:
  ig schema diff old.graphql schema.graphql
  ig schema diff git:HEAD:schema.graphql schema.graphql --catalogue operations \\
    --exceptions exceptions.toml --format github -o reports/schema-diff.json
  ig schema diff old.graphql schema.graphql --fail-on breaking,weakened --format json")]
pub(crate) struct Args {
    /// The schema before.
    #[arg(value_name = "OLD")]
    old: Source,
    /// The schema after.
    #[arg(value_name = "NEW")]
    new: Source,
    /// A catalogue whose operations must go on to work: a file of any format,
    /// or a folder with GraphQL sources.
    #[arg(long = "catalogue", value_name = "PATH")]
    catalogues: Vec<PathBuf>,
    /// Changes that may be made nevertheless, as TOML: a file, or
    /// `git:REVISION:PATH`. Of a pull request read those of its base, else it
    /// excuses itself.
    #[arg(long, value_name = "FILE")]
    exceptions: Option<Source>,
    /// Rules that must hold.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "RULE")]
    fail_on: Vec<RuleName>,
    /// Let go what was deprecated until a day that has come, and what no
    /// operation of the catalogue uses.
    #[arg(long)]
    allow_announced: bool,
    /// The day it is; without it, today in UTC.
    #[arg(long, value_name = "DATE")]
    today: Option<Date>,
    /// Let go that an operation of the catalogue is valid on neither schema, so
    /// that nothing can be told of it.
    #[arg(long)]
    allow_invalid_before: bool,
    #[command(flatten)]
    report: ReportArgs,
    /// Append a summary in Markdown to this file, such as $GITHUB_STEP_SUMMARY.
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
    /// Show changes that break nothing, too.
    #[arg(short, long)]
    verbose: bool,
    #[command(flatten)]
    connection: Connection,
}

/// A rule, as the command line names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum RuleName {
    Breaking,
    Operations,
    Records,
    Weakened,
    Nothing,
}

impl Args {
    fn fail_on(&self) -> BTreeSet<FailOn> {
        if self.fail_on.is_empty() {
            let first = match self.catalogues.is_empty() {
                true => FailOn::Breaking,
                false => FailOn::Operations,
            };
            return [first, FailOn::Weakened].into();
        }
        let rules = self.fail_on.iter().filter_map(|rule| match rule {
            RuleName::Breaking => Some(FailOn::Breaking),
            RuleName::Operations => Some(FailOn::Operations),
            RuleName::Records => Some(FailOn::Records),
            RuleName::Weakened => Some(FailOn::Weakened),
            RuleName::Nothing => None,
        });
        rules.collect()
    }

    fn policy(&self) -> Result<Policy> {
        let today = self.today.map_or_else(super::today, Ok)?;
        let exceptions = match &self.exceptions {
            None => Exceptions::default(),
            Some(Source::Registry { .. }) => {
                bail!("--exceptions: write a file or git:REVISION:PATH")
            }
            Some(source) => Exceptions::parse(&source.text(&self.connection)?, today)
                .with_context(|| format!("{source} is not valid"))?,
        };
        Ok(Policy {
            fail_on: self.fail_on(),
            exceptions,
            announced: self.allow_announced,
            invalid_before: self.allow_invalid_before,
            today,
        })
    }

    /// All catalogues as one. What cannot be read is an error: nobody would
    /// know what becomes of it.
    fn catalogue(&self) -> Result<Catalogue> {
        let rules = self.fail_on();
        let asks = rules.contains(&FailOn::Operations) || rules.contains(&FailOn::Records);
        if asks && self.catalogues.is_empty() {
            bail!("--fail-on operations and records need --catalogue: name the operations");
        }
        let mut all = Catalogue::default();
        for path in &self.catalogues {
            let one = catalogue::catalogue(path)?;
            if let [first, ..] = one.rejected.as_slice() {
                let lines: Vec<_> = one.rejected.iter().flat_map(lines).collect();
                bail!(
                    "{} has {} that cannot be read ({}):\n{}",
                    path.display(),
                    output::count(one.rejected.len(), "document"),
                    first.name.as_deref().unwrap_or("see below"),
                    lines.join("\n")
                );
            }
            if one.entries.is_empty() {
                bail!(
                    "{} has no operations, so nothing can be judged by it: add them, or leave out \
                     --catalogue",
                    path.display()
                );
            }
            all.entries.extend(one.entries);
        }
        // Of a change's catalogue and its base's, most is the same.
        let mut seen = BTreeSet::new();
        all.entries.retain(|entry| seen.insert(entry.text.clone()));
        Ok(all)
    }
}

fn lines(reject: &Reject) -> Vec<String> {
    let reasons = reject.reasons.iter();
    reasons.map(|reason| format!("  {reason}")).collect()
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    // Whatever is wrong with either is said at once.
    let schemas = (
        args.old.schema(&args.connection),
        args.new.schema(&args.connection),
    );
    let (old, new) = match schemas {
        (Ok(old), Ok(new)) => (old, new),
        (Err(old), Err(new)) => bail!("{old:#}\n{new:#}"),
        (Err(one), Ok(_)) | (Ok(_), Err(one)) => return Err(one),
    };
    let (policy, catalogue) = (args.policy()?, args.catalogue()?);
    let mut progress = Progress::new();
    let mut step = |done, total| progress.step(done, total);
    let report = report(&old, &new, &catalogue, &policy, &mut step);
    write(args, &report)?;
    let verdict = &report.verdict;
    if verdict.failures.is_empty() && verdict.undecided > 0 {
        bail!(undecided(&report.invalid_before));
    }
    Ok(Outcome::clean_if(verdict.passed))
}

/// An operation that no schema is good for is bad input: what becomes of it
/// cannot be told.
fn undecided(invalid: &[InvalidOperation]) -> String {
    let lines: Vec<_> = invalid.iter().flat_map(why).take(NAMED).collect();
    format!(
        "{} of the catalogue valid on neither schema, so nothing can be told; mend it, or \
         --allow-invalid-before:\n{}",
        output::count(invalid.len(), "operation"),
        lines.join("\n")
    )
}

fn why(invalid: &InvalidOperation) -> Vec<String> {
    let name = match invalid.operation.name.as_str() {
        "" => invalid.operation.sha256.to_string(),
        name => name.to_owned(),
    };
    let reasons = invalid.reasons.iter();
    reasons
        .map(|reason| format!("  {name}: {reason}"))
        .collect()
}

fn write(args: &Args, report: &Report) -> Result<()> {
    // Files first: whoever reads what is printed may leave early.
    if let Some(path) = &args.summary {
        files::append(path, &markdown::summary(report, &args.old, &args.new))?;
    }
    let names = text::Names {
        old: &args.old,
        new: &args.new,
    };
    args.report.report(
        report,
        || text::print(report, names, args.verbose),
        || github::print(report, names, args.verbose),
    )
}
