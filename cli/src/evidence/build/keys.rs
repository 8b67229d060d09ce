//! Keys of the project's ledger, and the one that signs the bundle.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ig_ledger::sign::LogSigner;
use ig_ledger::verify::Origin;
use ig_signing::{KeySource, PrivateKey, Sha256, Signer, file, key};
use zeroize::Zeroizing;

use crate::{export, output};

/// Keys that are there, or were made.
pub(super) struct Keys {
    log: Arc<LogSigner>,
    signer: Box<dyn Signer>,
}

impl Keys {
    /// Opens keys. Those of the folder are made where they are not there: a ledger goes on
    /// as long as its keys are kept. Without a key that is given, one of the folder signs.
    pub(super) fn open(
        folder: &Path,
        origin: &Origin,
        given: Option<Box<dyn Signer>>,
    ) -> Result<Self> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        let made = builder.create(folder);
        made.with_context(|| format!("cannot make {}", folder.display()))?;
        let p256 = kept(&folder.join("ledger-p256.pem"), new_p256)?;
        let ed25519 = kept(&folder.join("ledger-ed25519.pem"), new_ed25519)?;
        let log = LogSigner::from_pem(origin.clone(), text(&ed25519)?, text(&p256)?);
        let log = log.with_context(|| format!("the ledger's keys in {}", folder.display()))?;
        let signer = match given {
            Some(signer) => signer,
            None => {
                let path = folder.join("evidence.pem");
                kept(&path, new_p256)?;
                export::key::open(&KeySource::File(path), None, None)?
            }
        };
        Ok(Self {
            log: Arc::new(log),
            signer,
        })
    }

    pub(super) fn log(&self) -> Arc<LogSigner> {
        Arc::clone(&self.log)
    }

    pub(super) fn signer(&self) -> &dyn Signer {
        &*self.signer
    }
}

/// What a file has, or gets: only its owner may read it.
fn kept(path: &Path, new: fn() -> Result<Zeroizing<String>>) -> Result<Zeroizing<Vec<u8>>> {
    if !path.exists() {
        let pem = new()?;
        let context = || format!("cannot write {}", path.display());
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).with_context(context)?;
        file.write_all(pem.as_bytes()).with_context(context)?;
        output::remark(format_args!("{}: a new key", path.display()));
    }
    Ok(file::read_secret(path, key::MAX_BYTES)?)
}

fn text(pem: &[u8]) -> Result<&str> {
    str::from_utf8(pem).context("a key of the ledger is no PEM")
}

fn new_p256() -> Result<Zeroizing<String>> {
    Ok(PrivateKey::generate()?.to_pem()?)
}

fn new_ed25519() -> Result<Zeroizing<String>> {
    // Another key's bytes are as random as any.
    let secret = PrivateKey::generate()?;
    let seed = Sha256::of(secret.to_pem()?.as_bytes());
    let key = ed25519_dalek::SigningKey::from_bytes(seed.as_bytes());
    let pem = key.to_pkcs8_pem(LineEnding::LF);
    pem.context("an Ed25519 key as PEM")
}
