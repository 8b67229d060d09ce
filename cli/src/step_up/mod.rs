//! `ig step-up`

use anyhow::Result;
use clap::Subcommand;
use serde_json::json;

use crate::Outcome;
use crate::control_plane::{Client, Connection};
use crate::output::{self, text, time};

const KEYS: &str = "/step-up/keys";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Change the key that signs step-up tokens.
    Rotate(RotateArgs),
    /// List the keys that step-up tokens may be signed with.
    Keys(KeysArgs),
}

/// Change the key that signs step-up tokens. Proxies learn of the next one before
/// it signs, and know the one before until its last token is over; nothing else
/// is published.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig step-up rotate
  ig step-up rotate --force    # a key is compromised: all tokens end at once
  ig step-up rotate --overlap 60")]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    connection: Connection,
    /// After how many seconds the next key signs; 600, if not given.
    #[arg(
        long,
        value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(..=86_400),
        conflicts_with = "force"
    )]
    overlap: Option<u32>,
    /// End all keys at once, and what they signed: one is compromised.
    #[arg(long)]
    force: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// List the keys that step-up tokens may be signed with.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig step-up keys
  ig step-up keys --json")]
pub(crate) struct KeysArgs {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Rotate(args) => rotate(&args),
        Command::Keys(args) => keys(&args),
    }
}

fn rotate(args: &RotateArgs) -> Result<Outcome> {
    let body = json!({"overlapSeconds": args.overlap, "force": args.force});
    let made = Client::new(&args.connection)?.post_json(KEYS, &body)?;
    match args.json {
        true => output::json(&made)?,
        false => output::line(format!(
            "{} signs from {} on",
            text(&made["kid"]),
            time(&made["signsFrom"])
        ))?,
    }
    let pending = made["pending"].as_array().into_iter().flatten();
    let pending: Vec<_> = pending.map(text).collect();
    if !pending.is_empty() {
        output::remark(format_args!(
            "warning: these graphs have the old keys still, and are tried again: {}",
            pending.join(", ")
        ));
    }
    Ok(Outcome::Clean)
}

fn keys(args: &KeysArgs) -> Result<Outcome> {
    let keys = Client::new(&args.connection)?.get_json(KEYS)?;
    if args.json {
        output::json(&keys)?;
        return Ok(Outcome::Clean);
    }
    let rows = keys.as_array().into_iter().flatten().map(|one| {
        [
            text(&one["kid"]),
            text(&one["state"]),
            time(&one["madeAt"]),
            time(&one["signsFrom"]),
            time(&one["endsAt"]),
        ]
    });
    output::table(["KEY", "STATE", "MADE", "SIGNS FROM", "ENDS"], rows)?;
    Ok(Outcome::Clean)
}
