//! `ig proxies`, `ig decisions`, `ig audit`

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::Value;

use super::{Client, Connection, query};
use crate::Outcome;
use crate::output::{self, text, time};

/// List proxies: which revision each should run, and runs.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig proxies
  ig proxies --exit-code             1 if a proxy does not run what it should, or none is there
  ig proxies --exit-code --wait 60   the same, once all do or a minute is over")]
pub(crate) struct ProxiesArgs {
    #[command(flatten)]
    connection: Connection,
    /// Exit with 1 if a proxy does not run what it should, or none is connected.
    #[arg(long)]
    exit_code: bool,
    /// Look again, for as long at most, until every proxy runs what it should.
    #[arg(
        long,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u64).range(1..=3600)
    )]
    wait: Option<u64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// Why not every proxy runs what it should, if that is so.
fn behind(all: &[Value]) -> Option<String> {
    if all.is_empty() {
        return Some("no proxy is connected".to_owned());
    }
    let is_behind = |one: &&Value| {
        one["accepted"].is_null() || one["wanted"] != one["accepted"] || one["named"] == false
    };
    match all.iter().filter(is_behind).count() {
        0 => None,
        1 => Some("1 proxy does not run what it should".to_owned()),
        many => Some(format!("{many} proxies do not run what they should")),
    }
}

pub(crate) fn proxies(args: &ProxiesArgs) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    let until = Instant::now() + Duration::from_secs(args.wait.unwrap_or_default());
    let (proxies, behind) = loop {
        let proxies = client.get_json("/proxies")?;
        let behind = behind(proxies.as_array().map(Vec::as_slice).unwrap_or_default());
        if behind.is_none() || Instant::now() + PAUSE > until {
            break (proxies, behind);
        }
        std::thread::sleep(PAUSE);
    };
    let all = proxies.as_array().cloned().unwrap_or_default();
    if args.exit_code
        && let Some(why) = &behind
    {
        output::remark(why);
    }
    let outcome = Outcome::clean_if(!args.exit_code || behind.is_none());
    if args.json {
        output::json(&proxies)?;
        return Ok(outcome);
    }
    let short = |value: &Value| text(value).chars().take(12).collect();
    let rows = all.iter().map(|one| {
        let refusal = &one["lastRefusal"];
        [
            text(&one["node"]),
            text(&one["identity"]),
            text(&one["resource"]),
            short(&one["wanted"]),
            short(&one["accepted"]),
            time(&one["since"]),
            text(&refusal["reason"]),
        ]
    });
    let head = [
        "PROXY",
        "IDENTITY",
        "RESOURCE",
        "WANTED",
        "ACCEPTED",
        "SINCE",
        "LAST REFUSAL",
    ];
    output::table(head, rows)?;
    Ok(outcome)
}

/// List decisions, the last first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig decisions --limit 20
  ig decisions --tenant alpha --outcome deny
  ig decisions --decision-id 01a2125f-9b6f-74dd-9869-58ad0d024b3c --json")]
pub(crate) struct DecisionsArgs {
    #[command(flatten)]
    connection: Connection,
    /// The value of x-ig-decision-id.
    #[arg(long, value_name = "ID")]
    decision_id: Option<String>,
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Of this graph.
    #[arg(long)]
    graph: Option<String>,
    /// By this rule.
    #[arg(long)]
    rule: Option<String>,
    /// On this operation.
    #[arg(long)]
    operation: Option<String>,
    /// allow, deny or shadow-deny.
    #[arg(long)]
    outcome: Option<String>,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn decisions(args: &DecisionsArgs) -> Result<Outcome> {
    let query = query(&[
        ("decisionId", args.decision_id.clone()),
        ("tenant", args.tenant.clone()),
        ("graph", args.graph.clone()),
        ("rule", args.rule.clone()),
        ("operation", args.operation.clone()),
        ("outcome", args.outcome.clone()),
    ]);
    let client = Client::new(&args.connection)?;
    let all = client.pages(&format!("/decisions{query}"), args.limit)?;
    if args.json {
        output::json(&all)?;
        return Ok(Outcome::Clean);
    }
    let rows = all.iter().map(|one| {
        let record = &one["record"];
        [
            time(&one["at"]),
            text(&record["decisionId"]),
            text(&record["tenantId"]),
            text(&record["actor"]),
            text(&record["operation"]),
            text(&record["outcome"]),
            text(&record["rule"]),
        ]
    });
    let head = [
        "AT",
        "DECISION",
        "TENANT",
        "ACTOR",
        "OPERATION",
        "OUTCOME",
        "RULE",
    ];
    output::table(head, rows)?;
    Ok(Outcome::Clean)
}

/// List changes to what the control plane has, the last first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig audit --limit 20
  ig audit --json")]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    connection: Connection,
    /// How many at most.
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// Print JSON, with what was before and after.
    #[arg(long)]
    json: bool,
}

pub(crate) fn audit(args: &AuditArgs) -> Result<Outcome> {
    let all = Client::new(&args.connection)?.pages("/audit", args.limit)?;
    if args.json {
        output::json(&all)?;
        return Ok(Outcome::Clean);
    }
    let rows = all.iter().map(|one| {
        [
            time(&one["at"]),
            text(&one["actor"]),
            text(&one["action"]),
            text(&one["target"]),
        ]
    });
    output::table(["AT", "ACTOR", "ACTION", "TARGET"], rows)?;
    Ok(Outcome::Clean)
}
