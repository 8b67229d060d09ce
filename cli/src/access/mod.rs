//! `ig access`

mod review;

use anyhow::{Result, bail};
use clap::{Subcommand, ValueEnum};
use serde_json::{Value, json};

use crate::Outcome;
use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, text, time};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Make an admin token.
    Create(CreateArgs),
    /// List admin tokens.
    List(ListArgs),
    /// Revoke an admin token.
    Revoke(RevokeArgs),
    Review(review::Args),
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Role {
    /// Reads everything.
    Viewer,
    /// Pushes schemas, operations and policies, and publishes.
    Publisher,
    /// Tenants, tokens and everything else.
    Owner,
    /// One tenant: its purposes, its decisions.
    TenantAdmin,
    /// One tenant's users and groups, by SCIM: an identity provider.
    Provisioner,
    /// Exports for callers of some tenants whom a guard let through: a service.
    Exporter,
    /// Tells of alerts, and nothing else: an Alertmanager.
    Notifier,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Publisher => "publisher",
            Self::Owner => "owner",
            Self::TenantAdmin => "tenant-admin",
            Self::Provisioner => "provisioner",
            Self::Exporter => "exporter",
            Self::Notifier => "notifier",
        }
    }
}

/// Make an admin token. It is printed this once.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig access create ci --role publisher --expires-in-days 90
  ig access create alpha-admin --role tenant-admin --tenant alpha
  ig access create alpha-entra --role provisioner --tenant alpha --expires-in-days 365
  ig access create alpha-entra-admins --role provisioner --tenant alpha --may-confer
  ig access create alertmanager --role notifier
  ig access create upstream --role exporter --tenant alpha --tenant bravo")]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    connection: Connection,
    /// As the audit trail is to name its owner; never given twice.
    name: String,
    /// What it may do.
    #[arg(long, value_enum)]
    role: Role,
    /// The tenant of a tenant's admin or provisioner; of an exporter, one of those that
    /// it is there for, given once for each.
    #[arg(
        long = "tenant",
        value_name = "TENANT",
        required_if_eq_any([
            ("role", "tenant-admin"), ("role", "provisioner"), ("role", "exporter"),
        ])
    )]
    tenants: Vec<String>,
    /// A provisioner may put users into the tenant's privileged groups, and
    /// rename these and their members.
    #[arg(long)]
    may_confer: bool,
    /// Days until it expires; never, by default.
    #[arg(long, value_name = "DAYS")]
    expires_in_days: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// List admin tokens, revoked ones too.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig access list
  ig access list --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Revoke an admin token. It ends at once.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig access revoke ci")]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    connection: Connection,
    /// Its name or id.
    token: String,
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Create(args) => create(&args),
        Command::List(args) => list(&args),
        Command::Review(args) => review::run(&args),
        Command::Revoke(args) => {
            let client = Client::new(&args.connection)?;
            client.delete(&format!("/tokens/{}", encode(&args.token)))?;
            output::line(format!("{} is revoked", args.token))?;
            Ok(Outcome::Clean)
        }
    }
}

fn create(args: &CreateArgs) -> Result<Outcome> {
    let mut new = json!({
        "name": args.name,
        "role": args.role.as_str(),
        "mayConfer": args.may_confer,
        "expiresInDays": args.expires_in_days,
    });
    match (args.role, args.tenants.as_slice()) {
        (Role::Exporter, tenants) => new["tenants"] = json!(tenants),
        (_, []) => {}
        (_, [tenant]) => new["tenant"] = json!(tenant),
        (_, _) => bail!("--tenant: one, for every role but exporter"),
    }
    let made = Client::new(&args.connection)?.post_json("/tokens", &new)?;
    match args.json {
        true => output::json(&made)?,
        false => output::line(text(&made["token"]))?,
    }
    Ok(Outcome::Clean)
}

fn list(args: &ListArgs) -> Result<Outcome> {
    let tokens = Client::new(&args.connection)?.get_json("/tokens")?;
    if args.json {
        output::json(&tokens)?;
        return Ok(Outcome::Clean);
    }
    let rows = tokens.as_array().into_iter().flatten().map(|one| {
        let may_confer = one["mayConfer"] == 1 || one["mayConfer"] == true;
        [
            text(&one["name"]),
            match may_confer {
                true => format!("{}, may confer", text(&one["role"])),
                false => text(&one["role"]),
            },
            match &one["tenants"] {
                Value::Array(tenants) if !tenants.is_empty() => text(&one["tenants"]),
                _ => text(&one["tenant"]),
            },
            time(&one["createdAt"]),
            time(&one["expiresAt"]),
            time(&one["revokedAt"]),
        ]
    });
    let head = ["NAME", "ROLE", "TENANT", "CREATED", "EXPIRES", "REVOKED"];
    output::table(head, rows)?;
    Ok(Outcome::Clean)
}
