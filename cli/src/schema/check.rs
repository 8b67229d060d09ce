//! `ig schema check`

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use ig_schema::{Date, Finding, Limits, Rule, Schema, lint};
use serde::Serialize;

use crate::output;
use crate::{Outcome, files};

/// Check that a schema is valid, that its directives are used as they must be,
/// and what one wants of it besides.
#[derive(clap::Args)]
#[command(after_help = "Rules, each switched off by --allow:
  reserved-name     no type is called as a root type that it is not, or `ig_…`
  mutation-authz    `@authz` applies to every mutation
  pii-retention     personal data has a retention class
  deprecation-date  a deprecation says until when, and the day has not come

Examples:
  ig schema check schema.graphql
  ig schema check schema.graphql --allow deprecation-date,pii-retention --json")]
pub(crate) struct Args {
    /// SDL.
    schema: PathBuf,
    /// Rules that do not matter.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "RULE")]
    allow: Vec<RuleName>,
    /// The day it is; without it, today in UTC.
    #[arg(long, value_name = "DATE")]
    today: Option<Date>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// A rule, as the command line names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct RuleName(Rule);

impl ValueEnum for RuleName {
    fn value_variants<'a>() -> &'a [Self] {
        const ALL: [RuleName; Rule::ALL.len()] = {
            let mut all = [RuleName(Rule::ReservedName); Rule::ALL.len()];
            let mut at = 0;
            while at < all.len() {
                all[at] = RuleName(Rule::ALL[at]);
                at += 1;
            }
            all
        };
        &ALL
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        Some(clap::builder::PossibleValue::new(self.0.as_str()))
    }
}

#[derive(Serialize)]
struct Report<'a> {
    schema: &'a str,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    findings: Vec<Finding>,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let sdl = files::read_text(&args.schema)?;
    let name = args.schema.display().to_string();
    let (schema, error) = match Schema::parse(&sdl, Limits::SCHEMA) {
        Ok(schema) => (Some(schema), None),
        Err(problems) => (None, Some(problems.to_string())),
    };
    let today = args.today.map_or_else(super::today, Ok)?;
    let mut findings = schema.map_or(Vec::new(), |schema| lint(&schema, today));
    findings.retain(|finding| !args.allow.contains(&RuleName(finding.rule)));
    let outcome = Outcome::clean_if(error.is_none() && findings.is_empty());
    if args.json {
        output::json(&Report {
            schema: &name,
            valid: error.is_none(),
            error,
            findings,
        })?;
        return Ok(outcome);
    }
    if let Some(problems) = error {
        eprintln!("{name}: not valid\n{problems}");
        return Ok(outcome);
    }
    for finding in &findings {
        eprintln!("{name}:{} [{}]", finding.reason, finding.rule.as_str());
    }
    match findings.len() {
        0 => output::line(format!("{name}: valid"))?,
        many => output::line(format!(
            "{name}: valid, with {}",
            output::count(many, "finding")
        ))?,
    }
    Ok(outcome)
}
