//! `ig tenant identity`

use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use super::path;
use crate::control_plane::{Client, Connection};
use crate::output::{self, text};
use crate::{Outcome, files};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Put what only owners say of a tenant's identities.
    Put(PutArgs),
    /// Get what only owners say of a tenant's identities.
    Get(GetArgs),
}

/// Put what only owners say of a tenant's identities. What is not given is not:
/// this replaces what was there.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig tenant identity put alpha --privileged-group exporters
  ig tenant identity put alpha --admin-group alpha-admins --login https://login.example,ig
  ig tenant identity put alpha --file identity.json")]
pub(crate) struct PutArgs {
    #[command(flatten)]
    connection: Connection,
    /// The tenant.
    tenant: String,
    /// A group that only provisioners who may confer put anybody into, beside
    /// `cross-tenant-analyst`; may be given several times.
    #[arg(long = "privileged-group", value_name = "GROUP")]
    privileged_groups: Vec<String>,
    /// A group whose users are admins of the tenant; privileged by that. May be
    /// given several times.
    #[arg(long = "admin-group", value_name = "GROUP")]
    admin_groups: Vec<String>,
    /// An issuer whose access tokens the control plane takes as those of the
    /// tenant's users, and the audience that they must name; where its keys are,
    /// if not where its configuration says. May be given several times.
    #[arg(long = "login", value_name = "URL,AUDIENCE[,JWKS]")]
    logins: Vec<Login>,
    /// All of it in a file, as `ig tenant identity get --json` prints it.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["privileged_groups", "admin_groups", "logins"]
    )]
    file: Option<PathBuf>,
}

#[derive(Clone)]
struct Login(Value);

impl FromStr for Login {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split(',').collect();
        match parts.as_slice() {
            [issuer, audience] => Ok(Self(json!({"issuer": issuer, "audience": audience}))),
            [issuer, audience, jwks] => Ok(Self(
                json!({"issuer": issuer, "audience": audience, "jwks": jwks}),
            )),
            _ => Err("write URL,AUDIENCE or URL,AUDIENCE,JWKS"),
        }
    }
}

/// Get what only owners say of a tenant's identities.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig tenant identity get alpha
  ig tenant identity get alpha --json > identity.json")]
pub(crate) struct GetArgs {
    #[command(flatten)]
    connection: Connection,
    /// The tenant.
    tenant: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Put(args) => put(&args),
        Command::Get(args) => get(&args),
    }
}

fn identity(tenant: &str) -> String {
    format!("{}/identity", path(tenant))
}

fn put(args: &PutArgs) -> Result<Outcome> {
    let body = match &args.file {
        Some(file) => serde_json::from_str(&files::read_text(file)?)
            .with_context(|| format!("{} is not JSON", file.display()))?,
        None => {
            let logins: Vec<_> = args.logins.iter().map(|Login(login)| login).collect();
            json!({
                "privilegedGroups": args.privileged_groups,
                "adminGroups": args.admin_groups,
                "logins": logins,
            })
        }
    };
    Client::new(&args.connection)?.put_json(&identity(&args.tenant), &body)?;
    output::line(format!("the identity of {} is there", args.tenant))?;
    Ok(Outcome::Clean)
}

fn get(args: &GetArgs) -> Result<Outcome> {
    let identity = Client::new(&args.connection)?.get_json(&identity(&args.tenant))?;
    if args.json {
        output::json(&identity)?;
        return Ok(Outcome::Clean);
    }
    let all = |name: &str| identity[name].as_array().cloned().unwrap_or_default();
    let groups = |kind: &str, name: &str| -> Vec<[String; 3]> {
        let groups = all(name).into_iter();
        groups
            .map(|group| [kind.to_owned(), text(&group), "-".to_owned()])
            .collect()
    };
    let logins = all("logins").into_iter().map(|login| {
        let issuer = text(&login["issuer"]);
        ["login".to_owned(), issuer, text(&login["audience"])]
    });
    let privileged = groups("privileged group", "privilegedGroups");
    let admins = groups("admin group", "adminGroups");
    let rows = privileged.into_iter().chain(admins).chain(logins);
    output::table(["WHAT", "NAME", "AUDIENCE"], rows)?;
    Ok(Outcome::Clean)
}
