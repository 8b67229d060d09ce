//! `ig token keys`

use std::path::PathBuf;

use anyhow::Result;

use super::key::{DEFAULT_FOLDER, KeyFolder};
use crate::{Outcome, output};

/// Make the issuer's key if there is none, and write its public keys to
/// jwks.json beside it.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig token keys --dir target/dev/keys
  ig token keys --dir target/dev/keys --rotate")]
pub(crate) struct Args {
    /// Folder of the keys.
    #[arg(long, value_name = "DIR", default_value = DEFAULT_FOLDER)]
    dir: PathBuf,
    /// Make a new key. The one before stays in jwks.json until the next time.
    #[arg(long)]
    rotate: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let folder = KeyFolder(&args.dir);
    let key = match args.rotate {
        true => folder.rotate()?,
        false => folder.key()?,
    };
    if !folder.public_path().exists() {
        folder.publish(&[key.public()])?;
    }
    output::line(folder.public_path().display())?;
    Ok(Outcome::Clean)
}
