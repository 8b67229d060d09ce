//! `ig snapshot publish`, `preview`, `list`, `get` and `rollback`

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, text, time};
use crate::{Outcome, files};

/// Compile what the control plane has for a graph, and publish it to proxies.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig snapshot publish demo
  ig snapshot publish demo --json")]
pub(crate) struct PublishArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    graph: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Compile what the control plane has for a graph without publishing it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig snapshot preview demo -o next.igsnap
  ig snapshot get demo -o now.igsnap && ig snapshot diff now.igsnap next.igsnap")]
pub(crate) struct PreviewArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    graph: String,
    /// The snapshot.
    #[arg(short, long, value_name = "FILE", default_value = "preview.igsnap")]
    output: PathBuf,
}

/// List a graph's publications, the last first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig snapshot list demo
  ig snapshot list demo --limit 5 --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    graph: String,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Get a snapshot that is, or was, published.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig snapshot get demo -o now.igsnap")]
pub(crate) struct GetArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    graph: String,
    /// Its revision; the last publication by default.
    revision: Option<String>,
    /// The snapshot.
    #[arg(short, long, value_name = "FILE", default_value = "guard.igsnap")]
    output: PathBuf,
}

/// Publish an earlier snapshot again. What the control plane has stored does
/// not change; the next publication compiles that.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig snapshot rollback demo")]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    graph: String,
    /// Its revision; the publication before the last by default.
    revision: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn path(graph: &str) -> String {
    format!("/snapshots/{}", encode(graph))
}

pub(super) fn publish(args: &PublishArgs) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    let answer = client.post_json(&path(&args.graph), &json!({}))?;
    told(&answer, args.json)
}

fn told(answer: &Value, as_json: bool) -> Result<Outcome> {
    match (as_json, answer["changed"].as_bool()) {
        (true, _) => output::json(answer)?,
        (false, Some(false)) => {
            output::line(format!("nothing changed: {}", text(&answer["revision"])))?;
        }
        (false, _) => output::line(format!(
            "published {} with {} operations; `ig proxies` shows who runs it",
            text(&answer["revision"]),
            text(&answer["operations"])
        ))?,
    }
    for remark in answer["remarks"].as_array().into_iter().flatten() {
        output::remark(format_args!("warning: {}", text(remark)));
    }
    Ok(Outcome::Clean)
}

pub(super) fn preview(args: &PreviewArgs) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    let bytes = client.get(&format!("/graphs/{}/preview", encode(&args.graph)))?;
    files::write(&args.output, &bytes)?;
    Ok(Outcome::Clean)
}

pub(super) fn list(args: &ListArgs) -> Result<Outcome> {
    let all = Client::new(&args.connection)?.pages(&path(&args.graph), args.limit)?;
    if args.json {
        output::json(&all)?;
        return Ok(Outcome::Clean);
    }
    let rows = all.iter().map(|one| {
        [
            text(&one["number"]),
            text(&one["revision"]),
            time(&one["publishedAt"]),
            text(&one["publishedBy"]),
        ]
    });
    output::table(["NUMBER", "REVISION", "PUBLISHED", "BY"], rows)?;
    Ok(Outcome::Clean)
}

/// The revision that is published.
fn published(client: &Client, graph: &str) -> Result<String> {
    let all = client.pages(&path(graph), 1)?;
    let one = all.first().and_then(|one| one["revision"].as_str());
    one.map(ToOwned::to_owned)
        .ok_or_else(|| anyhow::anyhow!("{graph} has no such publication yet"))
}

/// As publications name whoever gave them new keys of step-up tokens only.
const REKEYED_BY: &str = "system:step-up-keys";

/// The revision before the last that somebody published: what only has other keys
/// is no step back.
fn before(client: &Client, graph: &str) -> Result<String> {
    let all = client.pages(&path(graph), usize::from(u16::MAX))?;
    let is_rekeyed = |one: &&Value| one["publishedBy"] == REKEYED_BY;
    let mut left = all.iter().skip_while(is_rekeyed).skip(1);
    let one = left.next().and_then(|one| one["revision"].as_str());
    one.map(ToOwned::to_owned)
        .ok_or_else(|| anyhow::anyhow!("{graph} has no such publication yet"))
}

pub(super) fn get(args: &GetArgs) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    let revision = match &args.revision {
        Some(revision) => revision.clone(),
        None => published(&client, &args.graph)?,
    };
    let bytes = client.get(&format!("{}/{}", path(&args.graph), encode(&revision)))?;
    files::write(&args.output, &bytes)?;
    Ok(Outcome::Clean)
}

pub(super) fn rollback(args: &RollbackArgs) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    let revision = match &args.revision {
        Some(revision) => revision.clone(),
        None => before(&client, &args.graph)?,
    };
    let path = format!("{}/{}", path(&args.graph), encode(&revision));
    told(&client.post_json(&path, &json!({}))?, args.json)
}
