//! `ig catalogue import`

use std::path::PathBuf;

use anyhow::Result;

use super::manifest;
use super::read::import_all;
use crate::Outcome;

/// Convert a catalogue of any format to an Apollo manifest. Ids stay what
/// clients send; texts stay byte for byte.
#[derive(clap::Args)]
#[command(after_help = "Formats, told apart by their content:
  Apollo manifest v1          {\"format\": \"apollo-persisted-query-manifest\", …}
  Relay, GraphQL Code Gen.    {\"<id>\": \"query …\"}
  GraphQL source              query Q { … }

Example:
  ig catalogue import --schema schema.graphql queries.json -o manifest.json")]
pub(crate) struct Args {
    /// The schema, as SDL.
    #[arg(long, value_name = "FILE")]
    schema: PathBuf,
    /// Catalogues to convert, into one manifest.
    #[arg(value_name = "PATH", required = true)]
    catalogues: Vec<PathBuf>,
    /// The manifest; `-` for standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    manifest::write(import_all(&args.schema, &args.catalogues)?, &args.output)
}
