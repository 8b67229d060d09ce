//! `ig schema`

mod check;
mod diff;
mod source;

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use ig_schema::Date;
use ureq::http::Method;

use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, text, time};
use crate::{Outcome, files};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check that a schema is valid, and what one wants besides.
    Check(check::Args),
    /// Compare two schemas: what breaks, whom, and whether it may.
    Diff(Box<diff::Args>),
    /// Push a schema to the control plane, under a tag of its own.
    Push(PushArgs),
    /// List the tags of a graph.
    List(ListArgs),
    /// Get a schema from the control plane.
    Get(GetArgs),
}

/// Push a schema to the control plane. A tag means one schema for ever.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig schema push schema.graphql --graph demo --tag dev")]
pub(crate) struct PushArgs {
    #[command(flatten)]
    connection: Connection,
    /// SDL.
    schema: PathBuf,
    /// The graph.
    #[arg(long)]
    graph: String,
    /// A tag that is new, or has this schema already.
    #[arg(long)]
    tag: String,
}

/// List the tags of a graph, the last first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig schema list --graph demo
  ig schema list --graph demo --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    #[arg(long)]
    graph: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Get a schema from the control plane.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig schema get --graph demo --tag dev -o dev.graphql")]
pub(crate) struct GetArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    #[arg(long)]
    graph: String,
    /// The tag.
    #[arg(long)]
    tag: String,
    /// The SDL; `-` for standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Check(args) => check::run(&args),
        Command::Diff(args) => diff::run(&args),
        Command::Push(args) => push(&args),
        Command::List(args) => list(&args),
        Command::Get(args) => get(&args),
    }
}

fn path(graph: &str, tag: &str) -> String {
    format!("/schemas/{}/{}", encode(graph), encode(tag))
}

fn push(args: &PushArgs) -> Result<Outcome> {
    let sdl = files::read(&args.schema)?;
    let client = Client::new(&args.connection)?;
    client.send(
        Method::PUT,
        &path(&args.graph, &args.tag),
        "text/plain",
        &sdl,
    )?;
    output::line(format!("{}/{} is there", args.graph, args.tag))?;
    Ok(Outcome::Clean)
}

fn list(args: &ListArgs) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    let tags = client.get_json(&format!("/schemas/{}", encode(&args.graph)))?;
    if args.json {
        output::json(&tags)?;
        return Ok(Outcome::Clean);
    }
    let tags = tags.as_array().into_iter().flatten();
    let rows = tags.map(|one| {
        [
            text(&one["tag"]),
            time(&one["createdAt"]),
            text(&one["createdBy"]),
        ]
    });
    output::table(["TAG", "PUSHED", "BY"], rows)?;
    Ok(Outcome::Clean)
}

fn get(args: &GetArgs) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    files::write(&args.output, &client.get(&path(&args.graph, &args.tag))?)?;
    Ok(Outcome::Clean)
}

/// The day it is, in UTC.
fn today() -> Result<Date> {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let day = now.get(..10).unwrap_or_default();
    day.parse().context("the clock is wrong")
}
