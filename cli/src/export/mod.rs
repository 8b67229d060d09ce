//! `ig export`: manifests of exports and their signatures; what the control plane
//! has signed, and with which keys.

mod attest;
pub(crate) mod key;
mod keys;
mod manifest;
mod sign;
mod stored;

use anyhow::Result;
use clap::Subcommand;

use crate::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    Manifest(manifest::Args),
    Sign(sign::Args),
    Attest(attest::Args),
    /// List exports, the last first.
    List(stored::ListArgs),
    /// Show an export: who made it, for what, and what was signed.
    Show(stored::ShowArgs),
    /// Get an export's files, as `ig-verify` takes them.
    Get(stored::GetArgs),
    /// List, change, retire and get the keys that exports are signed with.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Get the trusted root, which says what log has to have a signature.
    TrustedRoot(keys::TrustedRootArgs),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Manifest(args) => manifest::run(&args),
        Command::Sign(args) => sign::run(&args),
        Command::Attest(args) => attest::run(&args),
        Command::List(args) => stored::list(&args),
        Command::Show(args) => stored::show(&args),
        Command::Get(args) => stored::get(&args),
        Command::Keys(command) => keys::run(command),
        Command::TrustedRoot(args) => keys::trusted_root(&args),
    }
}
