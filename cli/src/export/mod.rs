//! `ig export`: manifests of exports, and their signatures.

mod manifest;
mod sign;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use clap::Subcommand;
use zeroize::Zeroizing;

use crate::Outcome;

#[derive(Subcommand)]
pub(crate) enum Command {
    Manifest(manifest::Args),
    Sign(sign::Args),
}

pub(crate) fn run(command: Command) -> Result<Outcome> {
    match command {
        Command::Manifest(args) => manifest::run(&args),
        Command::Sign(args) => sign::run(&args),
    }
}

/// Reads a file of at most `limit` bytes, which are wiped in the end: it may be a
/// key.
fn read(path: &Path, limit: usize) -> Result<Zeroizing<Vec<u8>>> {
    let context = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(context)?;
    // As long as it may get: a vector that grows leaves copies behind.
    let mut bytes = Zeroizing::new(Vec::new());
    let length = file.metadata().with_context(context)?.len();
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    bytes.reserve_exact(length.min(limit).saturating_add(1));
    file.take(limit as u64 + 1)
        .read_to_end(&mut bytes)
        .with_context(context)?;
    let is_short = bytes.len() <= limit;
    ensure!(is_short, "{} is longer than {limit} bytes", path.display());
    Ok(bytes)
}
