//! `ig tenant`

mod identity;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use clap::{Subcommand, ValueEnum};
use ig_contract::snapshot::{Link, LinkAttribute};
use ig_snapshot::Config;
use serde_json::{Map, Value, json};

use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, count, text};
use crate::{Outcome, files};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Put a tenant: its region, purposes and modes.
    Put(PutArgs),
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

/// Put a tenant. What is not given is not: this replaces what was there.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig tenant put alpha --region eu-west-1 --purpose investigation --purpose audit
  ig tenant put alpha --purpose audit --group-purpose analyst=audit --policy-mode shadow
  ig tenant put alpha --purpose audit --rate-percent 200 --priority high
  ig tenant put alpha --purpose audit --issuer https://login.example,oid,externalId")]
pub(crate) struct PutArgs {
    #[command(flatten)]
    connection: Connection,
    /// The tenant.
    tenant: String,
    /// Region its data lives in.
    #[arg(long)]
    region: Option<String>,
    /// A purpose that exists for it; may be given several times.
    #[arg(long = "purpose", value_name = "PURPOSE")]
    purposes: Vec<String>,
    /// A purpose that a group has, beside those of the token.
    #[arg(long = "group-purpose", value_name = "GROUP=PURPOSE")]
    by_group: Vec<Pair>,
    /// An issuer whose tokens may name this tenant, and how its subjects are
    /// linked to the tenant's users: the claim, by default `sub`, has the value
    /// of `externalId`, the default, or `userName`. May be given several times;
    /// every trusted issuer's tokens may, by default.
    #[arg(long = "issuer", value_name = "URL[,CLAIM[,ATTRIBUTE]]")]
    issuers: Vec<Issuer>,
    /// Mode of the allow-list for this tenant.
    #[arg(long, value_enum)]
    persisted_query_mode: Option<Mode>,
    /// Mode of policy for this tenant.
    #[arg(long, value_enum)]
    policy_mode: Option<Mode>,
    /// Mode of proofs of presence for this tenant.
    #[arg(long, value_enum)]
    step_up_mode: Option<Mode>,
    /// Mode of rate limits for this tenant.
    #[arg(long, value_enum)]
    rate_limit_mode: Option<Mode>,
    /// Mode of regions for this tenant.
    #[arg(long, value_enum)]
    residency_mode: Option<Mode>,
    /// What the tenant and its subjects may ask for, in percent of the limits;
    /// 100 by default.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rate_percent: Option<u32>,
    /// Whose circuit breakers count for its requests.
    #[arg(long, value_enum)]
    priority: Option<Priority>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Priority {
    Default,
    High,
}

impl Priority {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::High => "high",
        }
    }
}

#[derive(Clone)]
struct Pair(String, String);

impl FromStr for Pair {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (group, purpose) = text.split_once('=').ok_or("write GROUP=PURPOSE")?;
        Ok(Self(group.to_owned(), purpose.to_owned()))
    }
}

#[derive(Clone)]
struct Issuer(String, Link);

impl FromStr for Issuer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts: Vec<_> = text.split(',').collect();
        let (url, claim, attribute) = match parts.as_slice() {
            [url] => (url, None, None),
            [url, claim] => (url, Some(claim), None),
            [url, claim, attribute] => (url, Some(claim), Some(attribute)),
            _ => return Err("write URL, URL,CLAIM or URL,CLAIM,ATTRIBUTE".into()),
        };
        let mut link = Link::default();
        if let Some(claim) = claim {
            link.claim = (*claim).to_owned();
        }
        link.attribute = match attribute.copied() {
            None => link.attribute,
            Some("externalId") => LinkAttribute::ExternalId,
            Some("userName") => LinkAttribute::UserName,
            Some(_) => return Err("the attribute is externalId or userName".into()),
        };
        match link.problem() {
            None => Ok(Self((*url).to_owned(), link)),
            Some(problem) => Err(format!("the claim {problem}")),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Mode {
    Enforce,
    Shadow,
}

impl Mode {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Shadow => "shadow",
        }
    }
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
        Command::Put(args) => put(&args),
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

fn put(args: &PutArgs) -> Result<Outcome> {
    let mut by_group = BTreeMap::<_, BTreeSet<_>>::new();
    for Pair(group, purpose) in &args.by_group {
        by_group.entry(group).or_default().insert(purpose);
    }
    let mut tenant = json!({
        "region": args.region, "purposes": args.purposes, "purposesByGroup": by_group,
    });
    let modes = [
        ("persistedQuery", args.persisted_query_mode),
        ("policy", args.policy_mode),
        ("stepUp", args.step_up_mode),
        ("rateLimit", args.rate_limit_mode),
        ("residency", args.residency_mode),
    ];
    let modes = modes
        .into_iter()
        .filter_map(|(name, mode)| Some((name.to_owned(), json!(mode?.as_str()))));
    let modes: Map<String, Value> = modes.collect();
    if !args.issuers.is_empty() {
        let issuers = args.issuers.iter().map(|Issuer(url, link)| (url, link));
        tenant["issuers"] = json!(BTreeMap::from_iter(issuers));
    }
    if let Some(percent) = args.rate_percent {
        tenant["ratePercent"] = json!(percent);
    }
    if let Some(priority) = args.priority {
        tenant["priority"] = json!(priority.as_str());
    }
    if !modes.is_empty() {
        tenant["modes"] = Value::Object(modes);
    }
    Client::new(&args.connection)?.put_json(&path(&args.tenant), &tenant)?;
    output::line(format!("{} is there", args.tenant))?;
    Ok(Outcome::Clean)
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
