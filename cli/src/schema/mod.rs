//! `ig schema`

use std::path::PathBuf;

use anyhow::Result;
use clap::Subcommand;
use ig_schema::{Limits, Schema};
use ureq::http::Method;

use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, text, time};
use crate::{Outcome, files};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Check that a schema is valid, and its directives are used as they must be.
    Check(CheckArgs),
    /// Push a schema to the control plane, under a tag of its own.
    Push(PushArgs),
    /// List the tags of a graph.
    List(ListArgs),
    /// Get a schema from the control plane.
    Get(GetArgs),
}

/// Check that a schema is valid, and its directives are used as they must be.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig schema check schema.graphql")]
pub(crate) struct CheckArgs {
    /// SDL.
    schema: PathBuf,
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
        Command::Check(args) => check(&args),
        Command::Push(args) => push(&args),
        Command::List(args) => list(&args),
        Command::Get(args) => get(&args),
    }
}

fn check(args: &CheckArgs) -> Result<Outcome> {
    let sdl = files::read_text(&args.schema)?;
    match Schema::parse(&sdl, Limits::SCHEMA) {
        Ok(_) => {
            output::line(format!("{}: valid", args.schema.display()))?;
            Ok(Outcome::Clean)
        }
        Err(problems) => {
            eprintln!("{}: not valid\n{problems}", args.schema.display());
            Ok(Outcome::Findings)
        }
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
