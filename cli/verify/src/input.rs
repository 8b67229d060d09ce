//! Reading what the command line names.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use ig_signing::{Bundle, PublicKey, TrustedRoot, bundle, key, trusted_root};

use crate::report::{Kind, Problem};

/// Whose signature counts.
#[derive(clap::Args)]
pub(crate) struct Signer {
    /// The signer's public key: PEM, ECDSA P-256.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
}

impl Signer {
    /// Reads the key. A file that is no key is a wrong command line: what to
    /// believe is not for the export to say.
    pub(crate) fn public_key(&self) -> Result<PublicKey> {
        let file = read(&self.key, key::MAX_BYTES)?;
        PublicKey::from_pem(&file)
            .with_context(|| format!("{} is not a public key", self.key.display()))
    }
}

/// Which logs have to have the signature.
#[derive(clap::Args)]
pub(crate) struct Logs {
    /// The logs to believe (Sigstore's TrustedRoot, JSON): each tlogEntry of the
    /// bundle has to verify, and there has to be one.
    #[arg(long, value_name = "FILE")]
    pub(crate) trusted_root: Option<PathBuf>,
    /// A checkpoint of the log that you kept: the entry's has to be of the same log.
    #[arg(long, value_name = "FILE", requires = "trusted_root")]
    pub(crate) checkpoint: Option<PathBuf>,
    /// Where the log's tiles are: they show that one checkpoint grew to the other.
    #[arg(long, value_name = "URL_OR_DIR", requires = "checkpoint")]
    pub(crate) ledger: Option<String>,
    #[command(flatten)]
    pub(crate) authorities: Authorities,
}

impl Logs {
    pub(crate) fn trusted_root(&self) -> Result<Option<TrustedRoot>> {
        let Some(path) = &self.trusted_root else {
            return Ok(None);
        };
        let file = read(path, trusted_root::MAX_BYTES)?;
        let root = TrustedRoot::parse(&file);
        root.map(Some)
            .with_context(|| format!("{} is not a trusted root", path.display()))
    }

    /// Files of the command line, which an export may bring along.
    pub(crate) fn files(&self) -> impl Iterator<Item = &PathBuf> {
        self.trusted_root.iter().chain(&self.checkpoint)
    }
}

/// Whom to believe that a host is the one of its name. Nothing else depends on it:
/// a log is believed by its own keys.
#[derive(clap::Args)]
pub(crate) struct Authorities {
    /// Authorities to trust for https URLs.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    pub(crate) ca: PathBuf,
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
