//! Reading what the command line names.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ig_signing::{Bundle, PublicKey, bundle, key};

use crate::report::{Kind, Problem};

/// Whose signature counts. What a transparency log adds belongs here too.
#[derive(clap::Args)]
pub(crate) struct Trust {
    /// The signer's public key: PEM, ECDSA P-256.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

impl Trust {
    /// Reads the key. A file that is no key is a wrong command line: what to
    /// believe is not for the export to say.
    pub(crate) fn public_key(&self) -> Result<PublicKey> {
        let file = read(&self.key, key::MAX_BYTES)?;
        PublicKey::from_pem(&file)
            .with_context(|| format!("{} is not a public key", self.key.display()))
    }
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: usize) -> Result<Vec<u8>> {
    let context = || format!("cannot read {}", path.display());
    let file = File::open(path).with_context(context)?;
    let most = u64::try_from(limit)?.saturating_add(1);
    let mut bytes = Vec::new();
    file.take(most)
        .read_to_end(&mut bytes)
        .with_context(context)?;
    ensure!(
        bytes.len() <= limit,
        "{} is longer than {limit} bytes",
        path.display()
    );
    Ok(bytes)
}

/// Reads a bundle. One that is none does not verify.
pub(crate) fn bundle(path: &Path) -> Result<Result<Bundle, Problem>> {
    let file = read(path, bundle::MAX_BYTES)?;
    let name = path.display().to_string();
    Ok(Bundle::parse(&file).map_err(|error| Problem::new(Kind::Malformed, name, error)))
}
