//! `ig graph`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::json;

use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, text};
use crate::{Outcome, files};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Put a graph: its settings, schema and policy bundle.
    Put(PutArgs),
    /// Get a graph.
    Get(GetArgs),
    /// List graphs.
    List(ListArgs),
}

/// Put a graph: its settings, and the schema and bundle that are in force from
/// the next publication on.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig graph put demo --settings guard.toml --schema-tag dev --bundle r1
  ig graph put demo --settings guard.toml --schema-tag dev --bundle r1 \\
      --proxy 'spiffe://mesh/ns/edge/*'")]
pub(crate) struct PutArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    graph: String,
    /// guard.toml. What the control plane knows itself is left out: version,
    /// graph, schema-tag and tenants (`ig tenant import` puts those).
    #[arg(long, value_name = "FILE")]
    settings: PathBuf,
    /// Tag of the schema.
    #[arg(long, value_name = "TAG")]
    schema_tag: String,
    /// Revision of the policy bundle.
    #[arg(long, value_name = "REVISION")]
    bundle: String,
    /// Identity, of its certificate, of a proxy that may have the graph's
    /// snapshots; `*` at the end stands for anything. May be given several
    /// times; every proxy by default.
    #[arg(long = "proxy", value_name = "IDENTITY")]
    proxies: Vec<String>,
}

/// Get a graph: its settings, and what is in force.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig graph get demo")]
pub(crate) struct GetArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    graph: String,
}

/// List graphs.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig graph list")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Put(args) => put(&args),
        Command::Get(args) => {
            let client = Client::new(&args.connection)?;
            output::json(&client.get_json(&format!("/graphs/{}", encode(&args.graph)))?)?;
            Ok(Outcome::Clean)
        }
        Command::List(args) => {
            let graphs = Client::new(&args.connection)?.get_json("/graphs")?;
            for graph in graphs.as_array().into_iter().flatten() {
                output::line(text(graph))?;
            }
            Ok(Outcome::Clean)
        }
    }
}

fn put(args: &PutArgs) -> Result<Outcome> {
    let settings = files::read_text(&args.settings)?;
    let named = || format!("{} is not TOML", args.settings.display());
    let mut settings: toml::Table = settings.parse().with_context(named)?;
    for known in ["version", "graph", "schema-tag", "tenants"] {
        settings.remove(known);
    }
    let graph = json!({
        "settings": toml::to_string(&settings)?,
        "schemaTag": args.schema_tag,
        "bundle": args.bundle,
        "proxies": args.proxies,
    });
    let client = Client::new(&args.connection)?;
    client.put_json(&format!("/graphs/{}", encode(&args.graph)), &graph)?;
    output::line(format!(
        "{} is there; `ig snapshot publish {}` brings it to proxies",
        args.graph, args.graph
    ))?;
    Ok(Outcome::Clean)
}
