//! `ig catalogue build`

use std::path::PathBuf;

use anyhow::Result;

use super::{manifest, read};
use crate::Outcome;

/// Build an Apollo manifest from GraphQL sources: each operation with the
/// fragments it needs, named by the SHA-256 of its text.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig catalogue build --schema schema.graphql operations/ -o manifest.json")]
pub(crate) struct Args {
    /// The schema, as SDL.
    #[arg(long, value_name = "FILE")]
    schema: PathBuf,
    /// A folder with *.graphql and *.gql, or one such file.
    #[arg(value_name = "PATH", required = true)]
    sources: Vec<PathBuf>,
    /// The manifest; `-` for standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    manifest::write(read::import_all(&args.schema, &args.sources)?, &args.output)
}
