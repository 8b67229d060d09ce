//! `ig envoy module`

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::{Outcome, files};

/// What every Wasm module begins with.
const MAGIC: &[u8] = b"\0asm";

/// Copy the guard's module of this release to where Envoy reads it.
///
/// `ig`, the module and the snapshot belong together. The image that `ig` is in has
/// the module too, and nothing else that could copy it.
#[derive(clap::Args)]
#[command(after_help = "Example:
  ig envoy module --module ig_guard.wasm -o envoy.wasm    outside of the image")]
pub(crate) struct Args {
    /// The module.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/usr/share/intelgraph/ig_guard.wasm"
    )]
    module: PathBuf,
    /// Where Envoy reads it; it appears as a whole or not at all.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let module = files::read(&args.module)?;
    ensure!(
        module.starts_with(MAGIC),
        "{} is not a Wasm module",
        args.module.display()
    );
    files::write(&args.output, &module)?;
    Ok(Outcome::Clean)
}
