//! Keys of the project's ledger, and the one that signs the bundle.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use ed25519_dalek::pkcs8::EncodePrivateKey as _;
use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ig_ledger::sign::LogSigner;
use ig_signing::source::Access;
use ig_signing::{KeySource, Password, PrivateKey, Signer, file};

/// The most bytes of a key's file.
const MAX_BYTES: usize = 16 << 10;

/// Keys that are there, or were made.
pub(super) struct Keys {
    log: Arc<LogSigner>,
    signer: Box<dyn Signer>,
}

impl Keys {
    /// Opens keys. Those of the folder are made where they are not there: a ledger goes on
    /// as long as its keys are kept.
    pub(super) fn open(
        folder: &Path,
        origin: &str,
        key: Option<KeySource>,
        password: Option<&Path>,
    ) -> Result<Self> {
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(folder);
        made.with_context(|| format!("cannot make {}", folder.display()))?;
        let p256 = kept(&folder.join("ledger-p256.pem"), new_p256)?;
        let ed25519 = kept(&folder.join("ledger-ed25519.pem"), new_ed25519)?;
        let origin = origin.parse().context("--origin")?;
        let log = LogSigner::from_pem(origin, &ed25519, &p256).context("the ledger's keys")?;
        let key = match key {
            Some(key) => key,
            None => {
                let path = folder.join("evidence.pem");
                kept(&path, new_p256)?;
                KeySource::File(path)
            }
        };
        let signer = key.open(Access {
            password: password.map(Password::read).transpose()?,
            module: None,
            expected: None,
        });
        Ok(Self {
            log: Arc::new(log),
            signer: signer.context("--key")?,
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
fn kept(path: &Path, new: fn() -> Result<String>) -> Result<String> {
    if !path.exists() {
        let mut options = fs::OpenOptions::new();
        let opened = options.write(true).create_new(true).mode(0o600).open(path);
        let mut file = opened.with_context(|| format!("cannot write {}", path.display()))?;
        file.write_all(new()?.as_bytes())?;
        eprintln!("{}: a new key", path.display());
    }
    let bytes = file::read_secret(path, MAX_BYTES)?;
    String::from_utf8(bytes.to_vec()).with_context(|| format!("{}: no PEM", path.display()))
}

fn new_p256() -> Result<String> {
    Ok(PrivateKey::generate()?.to_pem()?.to_string())
}

fn new_ed25519() -> Result<String> {
    // Another key's bytes are as random as any.
    let secret = PrivateKey::generate()?;
    let seed = ig_signing::Sha256::of(secret.to_pem()?.as_bytes());
    let key = ed25519_dalek::SigningKey::from_bytes(seed.as_bytes());
    let pem = key.to_pkcs8_pem(LineEnding::LF);
    Ok(pem.context("an Ed25519 key as PEM")?.to_string())
}
