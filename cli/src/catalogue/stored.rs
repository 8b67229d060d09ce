//! `ig catalogue push`, `list` and `retire`

use std::path::PathBuf;

use anyhow::{Result, ensure};
use ureq::http::Method;

use crate::control_plane::{Client, Connection, encode, query};
use crate::output::{self, count, text, time};
use crate::{Outcome, files};

/// Push a catalogue to the control plane: all of it, or nothing.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig catalogue push manifest.json --graph demo --tag dev
  ig catalogue push manifest.json --graph demo --tag dev --client portal --replace")]
pub(crate) struct PushArgs {
    #[command(flatten)]
    connection: Connection,
    /// A catalogue of any format, as a file. `ig catalogue build` makes one of
    /// a folder.
    catalogue: PathBuf,
    /// The graph.
    #[arg(long)]
    graph: String,
    /// Tag of the schema that every operation has to be valid for.
    #[arg(long)]
    tag: String,
    /// The only client that may use the operations; other pushes may add some.
    #[arg(long)]
    client: Option<String>,
    /// Retire what is not in this push; with --client, of that client.
    #[arg(long)]
    replace: bool,
    /// Retire what was used lately, and more than a fifth of all.
    #[arg(long)]
    force: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// List a graph's documents: ids, clients, and when each was last used.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig catalogue list --graph demo
  ig catalogue list --graph demo --retired --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
    /// The graph.
    #[arg(long)]
    graph: String,
    /// Retired ones too.
    #[arg(long)]
    retired: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Retire a document, by any of its ids, under all of them. From the next
/// publication on it is not let through, and no id will mean another one.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig catalogue retire ID --graph demo --force")]
pub(crate) struct RetireArgs {
    #[command(flatten)]
    connection: Connection,
    /// An id, or the hash of the text.
    id: String,
    /// The graph.
    #[arg(long)]
    graph: String,
    /// Also when it was used lately.
    #[arg(long)]
    force: bool,
}

pub(super) fn push(args: &PushArgs) -> Result<Outcome> {
    ensure!(
        args.catalogue.is_file(),
        "{} is not a file; `ig catalogue build` makes one of a folder",
        args.catalogue.display()
    );
    let body = files::read(&args.catalogue)?;
    let flag = |is_set: bool| is_set.then(|| "true".to_owned());
    let query = query(&[
        ("tag", Some(args.tag.clone())),
        ("client", args.client.clone()),
        ("replace", flag(args.replace)),
        ("force", flag(args.force)),
    ]);
    let path = format!("/catalogue/{}{query}", encode(&args.graph));
    let answer = Client::new(&args.connection)?.send(Method::POST, &path, "text/plain", &body)?;
    let answer: serde_json::Value = serde_json::from_slice(&answer)?;
    if args.json {
        output::json(&answer)?;
        return Ok(Outcome::Clean);
    }
    let long = |name: &str| answer[name].as_array().map_or(0, Vec::len);
    output::line(format!(
        "{} valid, {} added, {} for more clients than before, {} retired",
        text(&answer["accepted"]),
        text(&answer["added"]),
        text(&answer["widened"]),
        long("replaced"),
    ))?;
    if long("retired") > 0 {
        output::remark(format_args!(
            "retired before, and not let through: {}",
            text(&answer["retired"])
        ));
    }
    Ok(Outcome::Clean)
}

pub(super) fn list(args: &ListArgs) -> Result<Outcome> {
    let query = query(&[("retired", args.retired.then(|| "true".to_owned()))]);
    let path = format!("/catalogue/{}{query}", encode(&args.graph));
    let all = Client::new(&args.connection)?.pages(&path, usize::MAX)?;
    if args.json {
        output::json(&all)?;
        return Ok(Outcome::Clean);
    }
    let rows = all.iter().map(|one| {
        [
            text(&one["hash"]),
            text(&one["text"]).chars().take(40).collect(),
            text(&one["clients"]),
            text(&one["uses"]),
            time(&one["lastUsedAt"]),
            time(&one["retiredAt"]),
        ]
    });
    let head = ["HASH", "TEXT", "CLIENTS", "USES", "LAST USED", "RETIRED"];
    output::table(head, rows)?;
    output::remark(format_args!("{}", count(all.len(), "document")));
    Ok(Outcome::Clean)
}

pub(super) fn retire(args: &RetireArgs) -> Result<Outcome> {
    let query = query(&[("force", args.force.then(|| "true".to_owned()))]);
    let path = format!(
        "/catalogue/{}/{}{query}",
        encode(&args.graph),
        encode(&args.id)
    );
    Client::new(&args.connection)?.delete(&path)?;
    output::line(format!("{} is retired", args.id))?;
    Ok(Outcome::Clean)
}
