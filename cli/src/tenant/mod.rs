//! `ig tenant`

mod identity;
mod settings;

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use ig_snapshot::Config;
use serde_json::Value;

use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, count, text};
use crate::{Outcome, files};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Put a tenant, all of it: its region, purposes and modes.
    Put(settings::PutArgs),
    /// Change some settings of a tenant, and leave the others.
    Set(settings::SetArgs),
    /// Get a tenant.
    Get(settings::GetArgs),
    /// Put every tenant of a guard.toml.
    Import(ImportArgs),
    /// List tenants.
    List(ListArgs),
    /// Delete a tenant.
    Delete(DeleteArgs),
    /// Put and get what only owners say of a tenant's identities.
    #[command(subcommand)]
    Identity(identity::Command),
}

/// Put every tenant of a guard.toml.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig tenant import guard.toml")]
pub(crate) struct ImportArgs {
    #[command(flatten)]
    connection: Connection,
    /// guard.toml.
    config: PathBuf,
}

/// List tenants.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig tenant list
  ig tenant list --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Delete a tenant, its users, groups and tokens. From the next publication on,
/// its callers are denied; where guards ask the directory, at once.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig tenant delete bravo")]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    connection: Connection,
    /// The tenant.
    tenant: String,
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Put(args) => settings::put(&args),
        Command::Set(args) => settings::set(&args),
        Command::Get(args) => settings::get(&args),
        Command::Import(args) => import(&args),
        Command::List(args) => list(&args),
        Command::Delete(args) => {
            Client::new(&args.connection)?.delete(&path(&args.tenant))?;
            output::line(format!("{} is gone", args.tenant))?;
            Ok(Outcome::Clean)
        }
        Command::Identity(command) => identity::run(command),
    }
}

fn path(tenant: &str) -> String {
    format!("/tenants/{}", encode(tenant))
}

fn import(args: &ImportArgs) -> Result<Outcome> {
    let config = files::read_text(&args.config)?;
    let config = Config::parse(&config)
        .with_context(|| format!("{} is not valid", args.config.display()))?;
    let tenants = config.tenants();
    if tenants.is_empty() {
        bail!("{} has no tenants", args.config.display());
    }
    let client = Client::new(&args.connection)?;
    for (id, tenant) in tenants {
        client.put_json(&path(id), &serde_json::to_value(tenant)?)?;
    }
    output::line(format!("{} are there", count(tenants.len(), "tenant")))?;
    Ok(Outcome::Clean)
}

fn list(args: &ListArgs) -> Result<Outcome> {
    let tenants = Client::new(&args.connection)?.get_json("/tenants")?;
    if args.json {
        output::json(&tenants)?;
        return Ok(Outcome::Clean);
    }
    let rows = tenants
        .as_object()
        .into_iter()
        .flatten()
        .map(|(id, tenant)| {
            let modes = &tenant["modes"];
            [
                id.clone(),
                text(&tenant["region"]),
                text(&tenant["purposes"]),
                issuers(&tenant["issuers"]),
                if modes.is_null() {
                    "-".to_owned()
                } else {
                    modes.to_string()
                },
            ]
        });
    output::table(["TENANT", "REGION", "PURPOSES", "ISSUERS", "MODES"], rows)?;
    Ok(Outcome::Clean)
}

fn issuers(of: &Value) -> String {
    let issuers = of.as_object().into_iter().flatten();
    let issuers: Vec<Value> = issuers.map(|(url, _)| url.as_str().into()).collect();
    match issuers.is_empty() {
        true => "-".to_owned(),
        false => text(&Value::Array(issuers)),
    }
}
