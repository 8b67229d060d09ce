//! `ig cost`

mod stored;

use anyhow::{Context as _, Result};
use clap::{Subcommand, ValueEnum};
use serde_json::Value;

use crate::Outcome;
use crate::control_plane::{Client, Connection, query};
use crate::output::{self, text, time};

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Show what requests cost.
    Report(ReportArgs),
    /// Put and list what is paid for what is used.
    #[command(subcommand)]
    Prices(stored::Prices),
    /// Report what was used, from a meter.
    Usage(stored::UsageArgs),
    /// Put and list what was billed for a month.
    #[command(subcommand)]
    Bill(stored::Bill),
    /// Put, list and delete what may be spent in a month.
    #[command(subcommand)]
    Budget(stored::Budget),
}

/// Show what requests cost: by route, operation or tenant, and what is nobody's.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig cost report                                         this month until now
  ig cost report --by tenant --from 2026-11-01 --to 2026-12-01
  ig cost report --graph demo --by operation --format json
  ig cost report --format csv > focus.csv                rows of FOCUS 1.2
  ig cost report --exit-code                             1 if something has no price,
                                                         or a bill says something else")]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    connection: Connection,
    /// Of this graph.
    #[arg(long)]
    graph: Option<String>,
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// From when on: a day, or a time as in 2026-11-01T12:00:00Z; without it, this month.
    #[arg(long, value_name = "TIME", value_parser = millis)]
    from: Option<u64>,
    /// Until before when; without it, until now.
    #[arg(long, value_name = "TIME", value_parser = millis)]
    to: Option<u64>,
    /// What a line is; rows of csv are all of them.
    #[arg(long, value_enum, default_value_t = By::Route)]
    by: By,
    /// What is printed.
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Exit with 1 if something has no price, or a bill says something else.
    #[arg(long)]
    exit_code: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum By {
    /// Routes of a graph.
    Route,
    /// Operations of a graph.
    Operation,
    /// Tenants.
    Tenant,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// The report.
    Json,
    /// Rows of FOCUS 1.2, for tools.
    Csv,
}

/// A day, or a time in RFC 3339, in milliseconds since the epoch.
fn millis(text: &str) -> Result<u64, String> {
    let wrong = |_| "write a day, as in 2026-11-01, or a time, as in 2026-11-01T12:00:00Z";
    let time = match text.len() {
        10 => humantime::parse_rfc3339(&format!("{text}T00:00:00Z")),
        _ => humantime::parse_rfc3339(text),
    };
    let since = time.map_err(wrong)?.duration_since(std::time::UNIX_EPOCH);
    let since = since.map_err(|_| "times begin with 1970")?;
    u64::try_from(since.as_millis()).map_err(|_| "that is too late".to_owned())
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Report(args) => report(&args),
        Command::Prices(command) => stored::prices(&command),
        Command::Usage(args) => stored::usage(&args),
        Command::Bill(command) => stored::bill(&command),
        Command::Budget(command) => stored::budget(&command),
    }
}

fn report(args: &ReportArgs) -> Result<Outcome> {
    let client = Client::new(&args.connection)?;
    let by = match args.by {
        By::Route => "route",
        By::Operation => "operation",
        By::Tenant => "tenant",
    };
    let asked = [
        ("graph", args.graph.clone()),
        ("tenant", args.tenant.clone()),
        ("from", args.from.map(|time| time.to_string())),
        ("to", args.to.map(|time| time.to_string())),
    ];
    let of_report = asked.iter().cloned().chain([("by", Some(by.to_owned()))]);
    let of_report: Vec<_> = of_report.collect();
    let get = || client.get_json(&format!("/cost/report{}", query(&of_report)));
    let report = match args.format {
        Format::Csv => {
            let rows = client.get(&format!("/cost/focus{}", query(&asked)))?;
            let rows = String::from_utf8(rows).context("the rows are not UTF-8")?;
            output::line(rows.trim_end())?;
            // It is asked for only where its answer is.
            if !args.exit_code {
                return Ok(Outcome::Clean);
            }
            get()?
        }
        Format::Json => {
            let report = get()?;
            output::json(&report)?;
            report
        }
        Format::Text => {
            let report = get()?;
            show(&report, by)?;
            report
        }
    };
    Ok(Outcome::clean_if(!args.exit_code || is_whole(&report)))
}

/// Whether all has a price, and bills say the same.
fn is_whole(report: &Value) -> bool {
    let mut bills = report["bills"].as_array().into_iter().flatten();
    let unpriced = report["unpriced"].as_array();
    unpriced.is_none_or(Vec::is_empty) && bills.all(|bill| bill["billed"] == bill["total"])
}

fn show(report: &Value, by: &str) -> Result<()> {
    let lines = report["lines"].as_array().into_iter().flatten();
    let rows = lines.map(|line| {
        let quantity = |name: &str| text(&line["quantities"][name]);
        [
            text(&line["graph"]),
            text(&line["name"]),
            text(&line["requests"]),
            quantity("cpuSecond"),
            quantity("gbEgress"),
            quantity("replicaHour"),
            text(&line["cost"]),
            text(&line["unitCost"]),
        ]
    });
    let name = by.to_uppercase();
    let head = [
        "GRAPH",
        name.as_str(),
        "REQUESTS",
        "CPU S",
        "EGRESS GB",
        "REPLICA H",
        "COST",
        "PER REQUEST",
    ];
    output::table(head, rows)?;
    output::line("")?;
    let currency = text(&report["currency"]);
    let sums = [
        ("attributed", "attributed"),
        ("unattributed", "unattributed"),
    ];
    for (label, member) in sums {
        output::line(format!("{label:<14} {} {currency}", text(&report[member])))?;
    }
    for (reason, amount) in report["remainder"].as_object().into_iter().flatten() {
        output::line(format!("  {reason:<12} {} {currency}", text(amount)))?;
    }
    output::line(format!(
        "{:<14} {} {currency}",
        "total",
        text(&report["total"])
    ))?;
    output::line(format!(
        "from {} to {}",
        time(&report["from"]),
        time(&report["to"])
    ))?;
    for map in report["prices"].as_array().into_iter().flatten() {
        output::line(format!(
            "prices {} {}",
            text(&map["version"]),
            text(&map["hash"])
        ))?;
    }
    for bill in report["bills"].as_array().into_iter().flatten() {
        output::line(format!(
            "billed for {}: {}, which is {} beyond the total",
            text(&bill["month"]),
            text(&bill["billed"]),
            text(&bill["difference"])
        ))?;
    }
    for one in report["unpriced"].as_array().into_iter().flatten() {
        output::remark(format_args!(
            "warning: there is no price for {} {} in {}; no amount has it",
            text(&one["quantity"]),
            text(&one["resource"]),
            text(&one["region"])
        ));
    }
    Ok(())
}
