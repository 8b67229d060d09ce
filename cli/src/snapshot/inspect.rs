//! `ig snapshot inspect`

use std::path::PathBuf;

use anyhow::Result;
use ig_contract::snapshot::{Document, Operation, Text};
use ig_contract::{DocumentId, Snapshot};
use serde_json::{Value, json};

use crate::output;
use crate::{Outcome, files};

/// Show what a snapshot has. It is decoded as the guard does it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig snapshot inspect guard.igsnap
  ig snapshot inspect guard.igsnap --operation CaseById
  ig snapshot inspect guard.igsnap --operations --json")]
pub(crate) struct Args {
    /// The snapshot.
    #[arg(value_name = "FILE")]
    snapshot: PathBuf,
    /// Show one operation, by its name or the id of its document.
    #[arg(long, value_name = "ID|NAME", conflicts_with = "operations")]
    operation: Option<String>,
    /// List all operations.
    #[arg(long)]
    operations: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let snapshot = files::snapshot(&args.snapshot)?;
    if let Some(wanted) = &args.operation {
        return one(args, &snapshot, wanted);
    }
    if args.operations {
        list(args, &snapshot)?;
        return Ok(Outcome::Clean);
    }
    let head = snapshot.head();
    let facts = [
        ("revision", json!(snapshot.revision())),
        ("bytes", json!(snapshot.byte_count())),
        ("documents", json!(snapshot.document_count())),
        ("operations", json!(snapshot.operation_count())),
        ("programBytes", json!(snapshot.program().len())),
    ];
    if args.json {
        let mut value = Value::Object(facts.into_iter().map(|(k, v)| (k.into(), v)).collect());
        value["head"] = serde_json::to_value(head)?;
        output::json(&value)?;
        return Ok(Outcome::Clean);
    }
    for (name, value) in facts {
        output::line(format!("{name:13} {}", plain(&value)))?;
    }
    output::line("head")?;
    output::json(head)?;
    Ok(Outcome::Clean)
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), ToOwned::to_owned)
}

fn operations(snapshot: &Snapshot) -> impl Iterator<Item = (Document, Operation)> {
    snapshot.iter().flat_map(move |document| {
        let indices = document.operations();
        indices.filter_map(move |index| Some((document, snapshot.operation(index)?)))
    })
}

fn list(args: &Args, snapshot: &Snapshot) -> Result<()> {
    let mut all: Vec<_> = operations(snapshot).collect();
    all.sort_by(|left, right| left.1.name.cmp(&right.1.name));
    if args.json {
        let all: Vec<_> = all
            .iter()
            .map(|(document, operation)| json!({"document": document.hash, "operation": operation}))
            .collect();
        return output::json(&all);
    }
    for (document, operation) in all {
        let kind = operation.kind.as_str();
        output::line(format!("{} {kind:12} {}", document.hash, operation.name))?;
    }
    Ok(())
}

fn one(args: &Args, snapshot: &Snapshot, wanted: &str) -> Result<Outcome> {
    let by_id = DocumentId::parse(wanted)
        .ok()
        .and_then(|id| snapshot.find(&id));
    let found: Vec<_> = operations(snapshot)
        .filter(|(document, operation)| Some(*document) == by_id || operation.name == wanted)
        .collect();
    if found.is_empty() {
        output::remark(format_args!(
            "no operation has the name or id `{wanted}`; list them with --operations"
        ));
        return Ok(Outcome::Findings);
    }
    for (document, operation) in found {
        let text = match snapshot.text(&document) {
            Some(Text::Embedded(text)) => Some(text),
            _ => None,
        };
        if args.json {
            output::json(&json!({
                "document": document.hash, "operation": operation, "text": text,
            }))?;
        } else {
            output::line(format!("document {}", document.hash))?;
            output::json(&operation)?;
            output::line(text.unwrap_or("(the text is in the store)"))?;
        }
    }
    Ok(Outcome::Clean)
}
