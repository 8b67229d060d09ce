//! `ig policy diff`

use std::path::PathBuf;

use anyhow::{Result, ensure};
use ig_snapshot::{Replayed, replay};
use serde::Serialize;

use super::explain::words;
use super::inputs::{self, Recorded};
use crate::github::{self, Annotation, Level};
use crate::output::{self, Progress, ReportArgs, count};
use crate::{Outcome, files};

/// List recorded decisions that another bundle would change. Each input is
/// decided by both bundles as the guard does it, and by the interpreter beside.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 nothing changes; 1 a decision does, or the engines do not agree; 2 something
cannot be read, or too few decisions could be replayed to tell.

Examples:
  ig policy diff policies policies --decisions inputs.jsonl
  ig policy diff guard.igsnap bundle.tar.gz --decisions inputs.jsonl --json
  ig policy diff policies policies --decisions inputs.jsonl --min-decisions 2 \\
      -o reports/policy-diff.json
  ig policy diff guard.igsnap policies --decisions decisions.json \\
      --snapshot guard.igsnap --actors actors.jsonl

A line is an input of policies, or a decision record; a list, as `ig decisions --json`
prints it, does too. A record has neither groups, purposes nor variables: see ig policy explain --help. What
cannot be replayed is counted, with its reason, and changes nothing."
)]
pub(crate) struct Args {
    /// What is in force: a folder, a .tar.gz, or the bundle of an .igsnap.
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// What is to be.
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Inputs or decision records, one a line.
    #[arg(long, value_name = "FILE")]
    decisions: PathBuf,
    /// The snapshot that made recorded decisions.
    #[arg(long, value_name = "FILE")]
    snapshot: Option<PathBuf>,
    /// Who the actors of recorded decisions were.
    #[arg(long, value_name = "FILE")]
    actors: Option<PathBuf>,
    /// Exit with 0 where decisions change.
    #[arg(long)]
    allow_changes: bool,
    /// Fail where a decision cannot be replayed.
    #[arg(long)]
    strict: bool,
    /// The least number of decisions that has to be replayed to tell anything.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    min_decisions: usize,
    /// Exit with 0 where nothing was recorded.
    #[arg(long)]
    allow_empty: bool,
    /// List decisions that stay as they are too.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    report: ReportArgs,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    replayed: usize,
    changed: usize,
    disagreeing: usize,
    decisions: Vec<Listed>,
    not_replayed: Vec<NotReplayed>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    place: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_id: Option<String>,
    changed: bool,
    #[serde(flatten)]
    replayed: Replayed,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NotReplayed {
    place: String,
    decision_id: String,
    reason: String,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let snapshot = args.snapshot.as_deref().map(files::snapshot).transpose()?;
    let actors = inputs::actors(args.actors.as_deref())?;
    let (mut old, mut new) = (super::decider(&args.old)?, super::decider(&args.new)?);
    let items = inputs::all(&args.decisions)?;
    let (total, mut progress) = (items.len(), Progress::new());
    let mut report = Report::default();
    for (number, item) in items.into_iter().enumerate() {
        progress.step(number + 1, total);
        let place = item.place.clone();
        let (decision_id, input) = match inputs::recorded(item, snapshot.as_ref(), &actors)? {
            Recorded::Input(input) => (None, input),
            Recorded::Record {
                id,
                input: Ok(input),
            } => (Some(id), input),
            Recorded::Record {
                id,
                input: Err(reason),
            } => {
                report.not_replayed.push(NotReplayed {
                    place,
                    decision_id: id,
                    reason,
                });
                continue;
            }
        };
        let replayed = replay(&mut old, &mut new, &input);
        let (changed, disagrees) = (replayed.is_changed(), !replayed.disagreements.is_empty());
        report.replayed += 1;
        report.changed += usize::from(changed);
        report.disagreeing += usize::from(disagrees);
        if changed || disagrees || args.all {
            report.decisions.push(Listed {
                place,
                decision_id,
                changed,
                replayed,
            });
        }
    }
    args.report.report(
        &report,
        || text(&report),
        || {
            annotate(&report, args)?;
            text(&report)
        },
    )?;
    let is_clean = (report.changed == 0 || args.allow_changes)
        && report.disagreeing == 0
        && (report.not_replayed.is_empty() || !args.strict);
    if !is_clean {
        return Ok(Outcome::Findings);
    }
    // Nothing changes in nothing, and that is no answer.
    ensure!(
        report.replayed >= args.min_decisions || (total == 0 && args.allow_empty),
        "of {} in {}, {} could be replayed, and it takes {} to tell (--min-decisions)",
        count(total, "decision"),
        args.decisions.display(),
        report.replayed,
        args.min_decisions,
    );
    Ok(Outcome::Clean)
}

fn annotate(report: &Report, args: &Args) -> Result<()> {
    let listed = report.decisions.iter();
    let wrong = listed.filter(|one| {
        (one.changed && !args.allow_changes) || !one.replayed.disagreements.is_empty()
    });
    for one in wrong.take(github::MOST) {
        let (before, after) = (words(&one.replayed.before), words(&one.replayed.after));
        let message = match one.changed {
            true => format!("{before} → {after}"),
            false => format!("the engines do not agree on {before}"),
        };
        let title = format!("Policies: {}", one.place);
        output::annotation(&Annotation::new(Level::Error, &title, &message))?;
    }
    Ok(())
}

fn text(report: &Report) -> Result<()> {
    for one in &report.decisions {
        let Listed {
            place, replayed, ..
        } = one;
        let id = one.decision_id.as_deref().unwrap_or_default();
        let (before, after) = (words(&replayed.before), words(&replayed.after));
        match one.changed {
            true => output::line(format!("{place} {id}\n- {before}\n+ {after}"))?,
            false => output::line(format!("{place} {id}\n  {before}"))?,
        }
        for (which, decision) in &replayed.disagreements {
            let words = words(decision);
            output::line(format!("! {which}: the interpreter says {words}"))?;
        }
    }
    for NotReplayed {
        place,
        decision_id,
        reason,
    } in &report.not_replayed
    {
        output::line(format!("{place} {decision_id}\n? not replayed: {reason}"))?;
    }
    output::line(format!(
        "{} replayed, {} changed, {} not replayed",
        count(report.replayed, "decision"),
        report.changed,
        report.not_replayed.len()
    ))
}
