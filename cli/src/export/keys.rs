//! `ig export keys` and `ig export trusted-root`: what verifiers need.

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use ig_signing::{PublicKey, TrustedRoot};
use serde_json::json;

use crate::control_plane::{Client, Connection, encode};
use crate::output::{self, text, time};
use crate::{Outcome, files};

const KEYS: &str = "/exports/keys";

#[derive(Subcommand)]
pub(crate) enum Command {
    /// List the keys that exports are or were signed with.
    List(ListArgs),
    /// Change the key that signs exports.
    Rotate(RotateArgs),
    /// Retire the key that signs exports, without another.
    Retire(RetireArgs),
    /// Get a key as a file.
    Get(GetArgs),
}

/// List the keys that exports are or were signed with, the one that signs first.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig export keys list
  ig export keys list --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON, with the keys.
    #[arg(long)]
    json: bool,
}

/// Change the key that signs exports: a new one is made, and kept in the database.
/// What the one before has signed verifies as it did.
///
/// A key in a file or a token is changed in the control plane's configuration.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig export keys rotate
  ig export keys rotate --json")]
pub(crate) struct RotateArgs {
    #[command(flatten)]
    connection: Connection,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Retire the key that signs exports: somebody else may have it. Nothing is exported
/// until another one signs, which `rotate` makes or an operator configures. A key that
/// was retired never signs again.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig export keys retire KEY_ID")]
pub(crate) struct RetireArgs {
    #[command(flatten)]
    connection: Connection,
    /// Its keyId: it has to be the key that signs.
    #[arg(allow_hyphen_values = true)]
    key_id: String,
}

/// Get a key as a file, as `ig-verify` and `cosign` take it.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig export keys get KEY_ID -o key.pub")]
pub(crate) struct GetArgs {
    #[command(flatten)]
    connection: Connection,
    /// Its keyId, which an export names.
    #[arg(allow_hyphen_values = true)]
    key_id: String,
    /// The public key, in PEM; `-` is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

/// Get the trusted root, which says what log has to have a signature: for
/// `ig-verify --trusted-root`, and `cosign`.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig export trusted-root -o root.json
  ig export trusted-root > root.json")]
pub(crate) struct TrustedRootArgs {
    #[command(flatten)]
    connection: Connection,
    /// The trusted root; `-` is standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

pub(super) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::List(args) => list(&args),
        Command::Rotate(args) => rotate(&args),
        Command::Retire(args) => {
            let client = Client::new(&args.connection)?;
            client.delete(&path(&args.key_id))?;
            output::line(format!("{} is retired", args.key_id))?;
            Ok(Outcome::Clean)
        }
        Command::Get(args) => {
            let pem = Client::new(&args.connection)?.get(&path(&args.key_id))?;
            PublicKey::from_pem(&pem).context("the control plane's answer is no key")?;
            files::write(&args.output, &pem)?;
            Ok(Outcome::Clean)
        }
    }
}

fn path(key_id: &str) -> String {
    format!("{KEYS}/{}", encode(key_id))
}

fn list(args: &ListArgs) -> Result<Outcome> {
    let keys = Client::new(&args.connection)?.get_json(KEYS)?;
    if args.json {
        output::json(&keys)?;
        return Ok(Outcome::Clean);
    }
    let rows = keys.as_array().into_iter().flatten().map(|one| {
        [
            text(&one["keyId"]),
            match one["retiredAt"].is_null() {
                true => "signs".to_owned(),
                false => "retired".to_owned(),
            },
            time(&one["notBefore"]),
            time(&one["retiredAt"]),
        ]
    });
    output::table(["KEY", "STATE", "SINCE", "RETIRED"], rows)?;
    Ok(Outcome::Clean)
}

fn rotate(args: &RotateArgs) -> Result<Outcome> {
    let made = Client::new(&args.connection)?.post_json(KEYS, &json!({}))?;
    match args.json {
        true => output::json(&made)?,
        false => output::line(format!("{} signs", text(&made["keyId"])))?,
    }
    Ok(Outcome::Clean)
}

pub(super) fn trusted_root(args: &TrustedRootArgs) -> Result<Outcome> {
    let root = Client::new(&args.connection)?.get("/exports/trusted-root.json")?;
    TrustedRoot::parse(&root).context("the control plane's answer is no trusted root")?;
    files::write(&args.output, &root)?;
    Ok(Outcome::Clean)
}
