//! `ig policy bundle`

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;
use flate2::{Compression, GzBuilder};
use ig_snapshot::{Bundle, TEST_SUFFIX};

use crate::output::{self, count};
use crate::{Outcome, files};

/// Pack a bundle as a .tar.gz, as `opa build` does. The same files give the
/// same bytes.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig policy bundle policies/ -o bundle.tar.gz
  ig policy bundle policies/ --tests -o bundle.tar.gz    as the control plane wants it")]
pub(crate) struct Args {
    /// The folder of the bundle.
    #[arg(value_name = "DIR")]
    bundle: PathBuf,
    /// The packed bundle.
    #[arg(short, long, value_name = "FILE", default_value = "bundle.tar.gz")]
    output: PathBuf,
    /// With its tests, which the control plane runs before it takes a bundle.
    #[arg(long)]
    tests: bool,
}

pub(super) fn run(args: &Args) -> Result<Outcome> {
    let mut files = files::bundle_files(&args.bundle)?;
    files.retain(|path, _| args.tests || !path.ends_with(TEST_SUFFIX));
    let bundle = Bundle::from_files(files.clone()).map_err(|problems| {
        anyhow::anyhow!("{} is not valid:\n{problems}", args.bundle.display())
    })?;
    if let Err(error) = super::compiled(&args.bundle, &bundle)? {
        output::remark(format_args!("{:#}", anyhow::Error::new(error)));
        return Ok(Outcome::Findings);
    }
    let bytes = pack(&files)?;
    crate::files::write(&args.output, &bytes)?;
    output::line(format!(
        "{}: {}",
        args.output.display(),
        count(files.len(), "file")
    ))?;
    Ok(Outcome::Clean)
}

/// The archive: without time stamps, owners or modes of this machine.
pub(super) fn pack(files: &BTreeMap<String, Vec<u8>>) -> Result<Vec<u8>> {
    let packed = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    let mut archive = tar::Builder::new(packed);
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, path, content.as_slice())?;
    }
    Ok(archive.into_inner()?.finish()?)
}
