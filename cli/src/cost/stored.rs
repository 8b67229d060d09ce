//! What owners say of costs: `ig cost prices`, `usage`, `bill` and `budget`.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::{Value, json};

use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, text, time};
use crate::{Outcome, files};

#[derive(Subcommand)]
pub(crate) enum Prices {
    /// Put a price map.
    Put(PutPrices),
    /// List price maps, the last first.
    List(ListPrices),
}

/// Put a price map: JSON, as docs/cost.md has it. A version is one map for ever.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig cost prices put prices.json")]
pub(crate) struct PutPrices {
    #[command(flatten)]
    connection: Connection,
    /// The map.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// List price maps, the last first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig cost prices list
  ig cost prices list --json")]
pub(crate) struct ListPrices {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Report what was used, from a meter: JSON, as docs/cost.md has it. It may be sent again.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig cost usage usage.json")]
pub(crate) struct UsageArgs {
    #[command(flatten)]
    connection: Connection,
    /// Source, and rows of an hour, region and resource.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Subcommand)]
pub(crate) enum Bill {
    /// Put what was billed for a month.
    Put(PutBill),
    /// List bills, the last first.
    List(ListBills),
}

/// Put what was billed for a month, in place of what was put before.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig cost bill put 2026-11 1250.00")]
pub(crate) struct PutBill {
    #[command(flatten)]
    connection: Connection,
    /// As in 2026-11, in UTC.
    month: String,
    /// In the currency of the prices.
    amount: String,
}

/// List bills, the last first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig cost bill list
  ig cost bill list --json")]
pub(crate) struct ListBills {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Subcommand)]
pub(crate) enum Budget {
    /// Put a budget.
    Put(PutBudget),
    /// List budgets, and what this month has used of them.
    List(ListBudgets),
    /// Delete a budget.
    Delete(DeleteBudget),
}

/// Put a budget of each month: of a graph, tenant or route, or of everything. Alerts come
/// at 80 % and 90 % of it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig cost budget put everything 5000
  ig cost budget put alpha 500 --tenant alpha
  ig cost budget put search 100 --graph demo --route searches")]
pub(crate) struct PutBudget {
    #[command(flatten)]
    connection: Connection,
    /// Its name.
    name: String,
    /// In the currency of the prices.
    amount: String,
    /// Of this graph.
    #[arg(long)]
    graph: Option<String>,
    /// Of this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Of this route.
    #[arg(long)]
    route: Option<String>,
}

/// List budgets, and what this month has used of them.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig cost budget list
  ig cost budget list --json")]
pub(crate) struct ListBudgets {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Delete a budget.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig cost budget delete search")]
pub(crate) struct DeleteBudget {
    #[command(flatten)]
    connection: Connection,
    /// Its name.
    name: String,
}

pub(super) fn prices(command: &Prices) -> Result<Outcome> {
    match command {
        Prices::Put(args) => {
            let map = json_of(&args.file)?;
            Client::new(&args.connection)?.put_json("/cost/prices", &map)?;
            output::line(format!("the prices {} are there", text(&map["version"])))?;
            Ok(Outcome::Clean)
        }
        Prices::List(args) => {
            let head = ["VERSION", "CURRENCY", "FROM", "HASH"];
            list(&args.connection, args.json, "/cost/prices", head, |row| {
                let map = &row["map"];
                [
                    text(&map["version"]),
                    text(&map["currency"]),
                    time(&map["effectiveFrom"]),
                    text(&row["hash"]),
                ]
            })
        }
    }
}

pub(super) fn usage(args: &UsageArgs) -> Result<Outcome> {
    let usage = json_of(&args.file)?;
    Client::new(&args.connection)?.post_json("/cost/usage", &usage)?;
    let rows = usage["usage"].as_array().map_or(0, Vec::len);
    output::line(format!("{} of usage are there", output::count(rows, "row")))?;
    Ok(Outcome::Clean)
}

pub(super) fn bill(command: &Bill) -> Result<Outcome> {
    match command {
        Bill::Put(args) => {
            let path = format!("/cost/bills/{}", encode(&args.month));
            let client = Client::new(&args.connection)?;
            client.put_json(&path, &json!({"amount": args.amount}))?;
            output::line(format!("the bill of {} is there", args.month))?;
            Ok(Outcome::Clean)
        }
        Bill::List(args) => {
            let head = ["MONTH", "AMOUNT", "PUT", "BY"];
            list(&args.connection, args.json, "/cost/bills", head, |bill| {
                [
                    text(&bill["month"]),
                    text(&bill["amount"]),
                    time(&bill["putAt"]),
                    text(&bill["putBy"]),
                ]
            })
        }
    }
}

pub(super) fn budget(command: &Budget) -> Result<Outcome> {
    match command {
        Budget::Put(args) => put_budget(args),
        Budget::List(args) => {
            let head = [
                "BUDGET", "GRAPH", "TENANT", "ROUTE", "AMOUNT", "SPENT", "USED",
            ];
            list(&args.connection, args.json, "/cost/budgets", head, |one| {
                let used = one["usedRatio"].as_f64().unwrap_or_default();
                [
                    text(&one["name"]),
                    text(&one["graph"]),
                    text(&one["tenant"]),
                    text(&one["route"]),
                    text(&one["amount"]),
                    text(&one["spent"]),
                    format!("{:.1} %", used * 100.0),
                ]
            })
        }
        Budget::Delete(args) => {
            Client::new(&args.connection)?.delete(&path(&args.name))?;
            output::line(format!("the budget {} is gone", args.name))?;
            Ok(Outcome::Clean)
        }
    }
}

fn put_budget(args: &PutBudget) -> Result<Outcome> {
    let mut budget = json!({"period": "month", "amount": args.amount});
    let narrowed = [
        ("graph", &args.graph),
        ("tenant", &args.tenant),
        ("route", &args.route),
    ];
    for (name, value) in narrowed {
        if let Some(value) = value {
            budget[name] = json!(value);
        }
    }
    Client::new(&args.connection)?.put_json(&path(&args.name), &budget)?;
    output::line(format!("the budget {} is there", args.name))?;
    Ok(Outcome::Clean)
}

fn path(budget: &str) -> String {
    format!("/cost/budgets/{}", encode(budget))
}

fn json_of(file: &Path) -> Result<Value> {
    serde_json::from_str(&files::read_text(file)?)
        .with_context(|| format!("{} is not JSON", file.display()))
}

fn list<const N: usize>(
    connection: &Connection,
    is_json: bool,
    path: &str,
    head: [&str; N],
    row: impl Fn(&Value) -> [String; N],
) -> Result<Outcome> {
    let listed = Client::new(connection)?.get_json(path)?;
    match is_json {
        true => output::json(&listed)?,
        false => output::table(head, listed.as_array().into_iter().flatten().map(row))?,
    }
    Ok(Outcome::Clean)
}
