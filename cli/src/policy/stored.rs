//! `ig policy push`, `list`, `activate` and `rollback`

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};
use ureq::http::Method;

use super::bundle::pack;
use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, text, time};
use crate::{Outcome, files};

/// Push a bundle to the control plane, tests included: it is compiled, and its
/// tests have to pass. A revision means one bundle for ever.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig policy push policies
  ig policy push bundle.tar.gz --json")]
pub(crate) struct PushArgs {
    #[command(flatten)]
    connection: Connection,
    /// A folder, or a .tar.gz.
    bundle: PathBuf,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// List bundles, the last first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig policy list
  ig policy list --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Put a bundle in force for a graph, from the next publication on.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig policy activate r1 --graph demo")]
pub(crate) struct ActivateArgs {
    #[command(flatten)]
    connection: Connection,
    /// Its revision.
    revision: String,
    /// The graph.
    #[arg(long)]
    graph: String,
}

/// Put the bundle in force again that was before, from the next publication on.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig policy rollback --graph demo")]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    #[arg(long)]
    graph: String,
}

pub(super) fn push(args: &PushArgs) -> Result<Outcome> {
    let archive = match args.bundle.is_dir() {
        true => pack(&files::bundle_files(&args.bundle)?)?,
        false => files::read(&args.bundle)?,
    };
    let client = Client::new(&args.connection)?;
    let path = "/policies/bundles";
    let answer = client.send(Method::POST, path, "application/gzip", &archive)?;
    let answer: Value = serde_json::from_slice(&answer)?;
    match args.json {
        true => output::json(&answer)?,
        false => output::line(format!(
            "bundle {} is there, {} tests passed",
            text(&answer["revision"]),
            text(&answer["tests"])
        ))?,
    }
    Ok(Outcome::Clean)
}

pub(super) fn list(args: &ListArgs) -> Result<Outcome> {
    let bundles = Client::new(&args.connection)?.get_json("/policies/bundles")?;
    if args.json {
        output::json(&bundles)?;
        return Ok(Outcome::Clean);
    }
    let rows = bundles.as_array().into_iter().flatten().map(|one| {
        [
            text(&one["revision"]),
            text(&one["tests"]),
            time(&one["createdAt"]),
            text(&one["createdBy"]),
        ]
    });
    output::table(["REVISION", "TESTS", "PUSHED", "BY"], rows)?;
    Ok(Outcome::Clean)
}

pub(super) fn activate(args: &ActivateArgs) -> Result<Outcome> {
    put(
        &args.connection,
        &args.graph,
        &json!({"revision": args.revision}),
    )
}

pub(super) fn rollback(args: &RollbackArgs) -> Result<Outcome> {
    put(&args.connection, &args.graph, &json!({}))
}

fn put(connection: &Connection, graph: &str, body: &Value) -> Result<Outcome> {
    let client = Client::new(connection)?;
    let answer = client.put_json(&format!("/graphs/{}/bundle", encode(graph)), body)?;
    output::line(format!(
        "bundle {} is in force for {graph}, {} before; `ig snapshot publish {graph}` brings it \
         to proxies",
        text(&answer["revision"]),
        text(&answer["before"])
    ))?;
    Ok(Outcome::Clean)
}
