//! `ig token`: an issuer for development.
//!
//! Not for production: whoever can read the key can be anybody.

mod claims;
mod issue;
mod key;
mod keys;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;

/// Issue an access token for development.
#[derive(clap::Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  ig token --user a@alpha.io
  ig token --user a@alpha.io --purposes audit --ttl 5m
  ig token --user c@alpha.io --tenant alpha --groups analyst --purposes investigation
  ig token keys --dir target/dev/keys
  curl -H \"authorization: Bearer $(ig token --user a@alpha.io)\" …

Users of the demo: a@alpha.io (investigation, audit, export) and b@bravo.io (investigation)."
)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    issue: Option<issue::Issue>,
}

#[derive(Subcommand)]
enum Command {
    /// Make or change the issuer's key, and write its public keys.
    Keys(keys::Args),
}

pub(crate) fn run(args: Args) -> Result<Outcome> {
    match (args.command, args.issue) {
        (Some(Command::Keys(args)), _) => keys::run(&args),
        (None, Some(args)) => issue::run(args),
        (None, None) => anyhow::bail!("say for whom: ig token --user a@alpha.io"),
    }
}
