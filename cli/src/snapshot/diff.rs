//! `ig snapshot diff`

use std::path::PathBuf;

use anyhow::Result;
use ig_snapshot::{Change, OperationId, diff};
use serde_json::Value;

use crate::output;
use crate::{Outcome, files};

/// Compare two snapshots: operations, head and policy.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig snapshot diff before.igsnap after.igsnap
  ig snapshot diff before.igsnap after.igsnap --exit-code --json")]
pub(crate) struct Args {
    /// The snapshot before.
    before: PathBuf,
    /// The snapshot after.
    after: PathBuf,
    /// Exit with 1 if they differ.
    #[arg(long)]
    exit_code: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let diff = diff(
        &files::snapshot(&args.before)?,
        &files::snapshot(&args.after)?,
    );
    let outcome = Outcome::clean_if(diff.is_empty() || !args.exit_code);
    if args.json {
        output::json(&diff)?;
        return Ok(outcome);
    }
    if diff.is_empty() {
        output::line(format!("both are revision {}", diff.after))?;
        return Ok(outcome);
    }
    output::line(format!("- {}\n+ {}", diff.before, diff.after))?;
    for one in &diff.head {
        output::line(format!("head: {}", change(one)))?;
    }
    if diff.policy_changed {
        output::line("policy: the program differs")?;
    }
    for (sign, ids) in [("added", &diff.added), ("removed", &diff.removed)] {
        for id in ids {
            output::line(format!("{sign}: {}", title(id)))?;
        }
    }
    for one in &diff.changed {
        output::line(format!("changed: {}", title(&one.operation)))?;
        for member in &one.changes {
            output::line(format!("  {}", change(member)))?;
        }
    }
    Ok(outcome)
}

fn title(id: &OperationId) -> String {
    let name = if id.name.is_empty() {
        "(anonymous)"
    } else {
        &id.name
    };
    format!("{name} {}", id.document)
}

fn change(change: &Change) -> String {
    let show = |value: &Option<Value>| value.as_ref().map_or("none".to_owned(), Value::to_string);
    format!(
        "{}: {} -> {}",
        change.path,
        show(&change.before),
        show(&change.after)
    )
}
