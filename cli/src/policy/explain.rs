//! `ig policy explain`

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, bail};
use ig_contract::Snapshot;
use ig_snapshot::{Decider, Decision, ExplainedRule, Explanation, RuleOutcome, UsedInput};
use serde_json::Value;

use super::inputs::{self, Item, Recorded};
use crate::control_plane::{Client, Connection, encode};
use crate::output;
use crate::{Outcome, files};

/// Tell why an input is allowed or denied: which rules hold, and of the others
/// the first condition that does not.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig policy explain --bundle policies --input input.json
  ig policy explain --snapshot guard.igsnap --input input.json --json

A decision that `ig decisions` shows is explained by its id, with the snapshot that made it:
--decision ID --snapshot guard.igsnap --actors actors.jsonl. A record has neither groups, purposes nor variables. Groups and purposes come from --actors: {\"iss\", \"sub\", \"tenant\", \"groups\", \"purposes\"}, one a line.
What is decided by variables can only be explained from its input.")]
pub(crate) struct Args {
    /// The bundle: a folder, or a .tar.gz.
    #[arg(long, value_name = "PATH", required_unless_present = "snapshot")]
    bundle: Option<PathBuf>,
    /// A snapshot, whose policies are explained unless a bundle is given.
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// The input: JSON as in policies/README.md.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "decision",
        conflicts_with = "decision"
    )]
    input: Option<PathBuf>,
    /// A recorded decision, by its id; asks the control plane.
    #[arg(long, value_name = "ID", requires = "snapshot")]
    decision: Option<String>,
    /// Who the actors of recorded decisions were.
    #[arg(long, value_name = "FILE")]
    actors: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let snapshot = args.snapshot.as_deref().map(files::snapshot).transpose()?;
    let input = match (&args.input, &args.decision) {
        (Some(path), _) => inputs::one(path)?,
        (None, Some(id)) => recorded(args, id, snapshot.as_ref())?,
        (None, None) => bail!("give --input or --decision"),
    };
    let mut decider = match (&args.bundle, &snapshot) {
        (Some(path), _) => super::decider(path)?,
        (None, Some(snapshot)) => Decider::of_snapshot(snapshot)?,
        (None, None) => bail!("give --bundle or --snapshot"),
    };
    let explanation = decider.explain(&input)?;
    match args.json {
        true => output::json(&explanation)?,
        false => text(&explanation)?,
    }
    // A disagreement is a fault, and what is explained may not be what happens.
    Ok(Outcome::clean_if(
        explanation.decision.is_as(&explanation.interpreter),
    ))
}

fn recorded(args: &Args, id: &str, snapshot: Option<&Snapshot>) -> Result<Value> {
    let client = Client::new(&args.connection)?;
    let found = client.pages(&format!("/decisions?decisionId={}", encode(id)), 100)?;
    let count = found.len();
    let first = found.into_iter().next();
    let value = first.with_context(|| format!("the control plane has no decision {id}"))?;
    if count > 1 {
        output::remark(format_args!(
            "the request had {count} operations; this is the last of them"
        ));
    }
    let place = format!("decision {id}");
    let actors = inputs::actors(args.actors.as_deref())?;
    match inputs::recorded(Item { place, value }, snapshot, &actors)? {
        Recorded::Record { input, .. } => {
            input.map_err(|why| anyhow!("the input of decision {id} is not known: {why}"))
        }
        Recorded::Input(input) => Ok(input),
    }
}

/// `allow by case-read`
pub(super) fn words(decision: &Decision) -> String {
    match (&decision.undecided, decision.allow) {
        (Some(why), _) => format!("undecided ({why})"),
        (None, true) => format!("allow by {}", decision.rule),
        (None, false) => format!("deny by {}", decision.rule),
    }
}

fn text(explanation: &Explanation) -> Result<()> {
    output::line(words(&explanation.decision))?;
    if !explanation.decision.is_as(&explanation.interpreter) {
        output::line(format!(
            "THE ENGINES DISAGREE: the interpreter says {}; what follows is its view",
            words(&explanation.interpreter)
        ))?;
    }
    let (deciding, others): (Vec<_>, Vec<_>) =
        explanation.rules.iter().partition(|rule| rule.decides);
    output::line("\nrules that name the decision")?;
    if deciding.is_empty() {
        output::line("  none: it is the default")?;
    }
    deciding.into_iter().try_for_each(rule)?;
    output::line("\nother rules that were evaluated")?;
    others.into_iter().try_for_each(rule)?;
    output::line("\ninput that they look at")?;
    explanation
        .inputs
        .iter()
        .try_for_each(|one| output::line(format!("  {}", used(one))))
}

fn rule(rule: &ExplainedRule) -> Result<()> {
    let ExplainedRule { location, head, .. } = rule;
    output::line(format!("  {}:{}  {head}", location.file, location.row))?;
    let lines: Vec<_> = rule.lines.iter().map(ToString::to_string).collect();
    let lines = lines.join(", ");
    match &rule.outcome {
        RuleOutcome::Held => output::line(format!("      holds (lines {lines})")),
        RuleOutcome::Evaluated => output::line(format!("      lines reached: {lines}")),
        RuleOutcome::Failed {
            line,
            condition,
            inputs,
        } => {
            output::line(format!("      line {line} does not hold: {condition}"))?;
            inputs
                .iter()
                .try_for_each(|one| output::line(format!("        {}", used(one))))
        }
    }
}

fn used(UsedInput { path, value }: &UsedInput) -> String {
    match value {
        Some(value) => format!("{path} = {value}"),
        None => format!("{path} is absent"),
    }
}
