//! `ig schema check`

use std::path::PathBuf;

use anyhow::Result;
use clap::ValueEnum;
use ig_schema::{Date, Finding, InvalidSchema, Limits, Reason, Rule, Schema, lint};
use serde::Serialize;

use crate::github::{self, Annotation, Level};
use crate::output::{self, ReportArgs};
use crate::{Outcome, files};

/// Check that a schema is valid, that its directives are used as they must be,
/// and what one wants of it besides.
#[derive(clap::Args)]
#[command(after_help = "Rules, each switched off by --allow:
  reserved-name     no type is called as a root type that it is not, or `ig_…`
  mutation-authz    `@authz` applies to every mutation
  pii-retention     personal data has a retention class
  deprecation-date  a deprecation says until when, and the day has not come

Exit codes: 0 nothing is found; 1 something is; 2 the schema cannot be read or is not valid.

Examples:
  ig schema check schema.graphql
  ig schema check schema.graphql --allow deprecation-date,pii-retention --json
  ig schema check schema.graphql --format github -o reports/schema-check.json")]
pub(crate) struct Args {
    /// SDL.
    schema: PathBuf,
    /// Rules that do not matter.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "RULE")]
    allow: Vec<RuleName>,
    /// The day it is; without it, today in UTC.
    #[arg(long, value_name = "DATE")]
    today: Option<Date>,
    #[command(flatten)]
    report: ReportArgs,
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
    let today = args.today.map_or_else(super::today, Ok)?;
    let schema = match Schema::parse(&sdl, Limits::SCHEMA) {
        Ok(schema) => schema,
        Err(invalid) => {
            let report = Report {
                schema: &name,
                valid: false,
                error: Some(invalid.to_string()),
                findings: Vec::new(),
            };
            let report_args = &args.report;
            report_args.report(&report, || Ok(()), || annotate_invalid(&name, &invalid))?;
            return Err(files::invalid_schema(&name, &invalid));
        }
    };
    let mut findings = lint(&schema, today);
    findings.retain(|finding| !args.allow.contains(&RuleName(finding.rule)));
    let outcome = Outcome::clean_if(findings.is_empty());
    let report = Report {
        schema: &name,
        valid: true,
        error: None,
        findings,
    };
    args.report.report(
        &report,
        || text(&report),
        || {
            annotate(&report)?;
            text(&report)
        },
    )?;
    Ok(outcome)
}

fn text(report: &Report<'_>) -> Result<()> {
    let Report {
        schema, findings, ..
    } = report;
    for finding in findings {
        output::remark(format_args!(
            "{schema}:{} [{}]",
            finding.reason,
            finding.rule.as_str()
        ));
    }
    match findings.len() {
        0 => output::line(format!("{schema}: valid")),
        many => output::line(format!(
            "{schema}: valid, with {}",
            output::count(many, "finding")
        )),
    }
}

fn annotate(report: &Report<'_>) -> Result<()> {
    for finding in report.findings.iter().take(github::MOST) {
        let title = format!("Schema: {} [{}]", finding.place, finding.rule.as_str());
        annotation(report.schema, &title, &finding.reason)?;
    }
    Ok(())
}

fn annotate_invalid(schema: &str, invalid: &InvalidSchema) -> Result<()> {
    let title = "Schema: not valid";
    match invalid {
        InvalidSchema::Invalid { reasons } => {
            let mut reasons = reasons.iter().take(github::MOST);
            reasons.try_for_each(|reason| annotation(schema, title, reason))
        }
        other => {
            let message = other.to_string();
            output::annotation(&Annotation::new(Level::Error, title, &message).file(schema))
        }
    }
}

fn annotation(schema: &str, title: &str, reason: &Reason) -> Result<()> {
    let annotation = Annotation::new(Level::Error, title, &reason.message).file(schema);
    output::annotation(&match reason.position {
        Some(place) => annotation.at(place.line, place.column),
        None => annotation,
    })
}
