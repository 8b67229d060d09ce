//! The log's keys and its name, and the witness's key: of files, or made once and
//! kept in the database.

use std::path::{Path, PathBuf};

use axum::http::Uri;
use ig_ledger::sign::{LogSigner, WitnessKey};
use ig_ledger::verify::{CheckpointError, KeyError, Origin, PolicyError};
use zeroize::Zeroizing;

use super::config::{LedgerConfig, LedgerKeys};
use crate::store::{Secret, Store};

/// Why there is no ledger: it cannot be known whose log it is.
#[derive(Debug, thiserror::Error)]
pub enum CannotPrepare {
    /// A file with a key cannot be read.
    #[error("{0}: the key cannot be read")]
    File(PathBuf, #[source] std::io::Error),
    /// A file has no key.
    #[error("{0}: not a private key in PKCS#8, in PEM")]
    Key(PathBuf, #[source] KeyError),
    /// What the database keeps is no key.
    #[error("the ledger's keys in the database are not readable")]
    Stored(#[source] KeyError),
    /// The name is none.
    #[error("ledger.origin: `{0}` can be no log's name")]
    Origin(String, #[source] CheckpointError),
    /// The log has another name already.
    #[error(
        "ledger.origin: the log is `{stored}`, and `{configured}` would be another one: leave it \
         out, or set it back"
    )]
    Renamed {
        /// The log's.
        stored: String,
        /// What the configuration says.
        configured: String,
    },
    /// The keys make no policy.
    #[error("the ledger's keys cannot be used")]
    Policy(#[source] PolicyError),
    /// The configuration.
    #[error("{0}")]
    Config(String),
    /// The database.
    #[error("the ledger cannot be read")]
    Store(#[from] sqlx::Error),
}

/// The log's keys, with its name.
pub(super) async fn signer(
    store: &Store,
    config: &LedgerConfig,
    public_url: Option<&str>,
) -> Result<LogSigner, CannotPrepare> {
    let origin = origin(store, config, public_url).await?;
    if let Some(keys) = &config.keys {
        return of_files(keys, origin);
    }
    let ed25519 = store.secret("ledger-ed25519").await?;
    let p256 = store.secret("ledger-p256").await?;
    LogSigner::from_bytes(origin, seed(&ed25519)?, seed(&p256)?).map_err(CannotPrepare::Stored)
}

/// The name that the log has, or that it is to have.
async fn origin(
    store: &Store,
    config: &LedgerConfig,
    public_url: Option<&str>,
) -> Result<Origin, CannotPrepare> {
    let stored: Option<String> = sqlx::query_scalar("SELECT origin FROM ledger_log WHERE id = 1")
        .fetch_optional(store.pool())
        .await?;
    let name = match (stored, &config.origin) {
        (Some(stored), Some(configured)) if stored != *configured => {
            let configured = configured.clone();
            return Err(CannotPrepare::Renamed { stored, configured });
        }
        (Some(stored), _) => stored,
        (None, Some(configured)) => configured.clone(),
        (None, None) => {
            let url = public_url.and_then(|url| url.parse::<Uri>().ok());
            let host = url.and_then(|url| url.host().map(str::to_owned));
            host.unwrap_or_else(|| "localhost".to_owned())
        }
    };
    name.parse()
        .map_err(|error| CannotPrepare::Origin(name, error))
}

/// Keys in files.
pub(super) fn of_files(keys: &LedgerKeys, origin: Origin) -> Result<LogSigner, CannotPrepare> {
    let (ed25519, p256) = (read(&keys.ed25519)?, read(&keys.p256)?);
    LogSigner::from_pem(origin, &ed25519, &p256).map_err(|error| {
        // Which of both it is, is for who looks.
        let files = format!("{} or {}", keys.ed25519.display(), keys.p256.display());
        CannotPrepare::Key(files.into(), error)
    })
}

/// The witness's key in a file.
pub(super) fn witness_of_file(file: &Path, name: &str) -> Result<WitnessKey, CannotPrepare> {
    let pem = read(file)?;
    WitnessKey::from_pem(name, &pem).map_err(|error| CannotPrepare::Key(file.to_owned(), error))
}

/// The witness's key.
pub(super) async fn witness(
    store: &Store,
    config: &LedgerConfig,
    origin: &Origin,
) -> Result<WitnessKey, CannotPrepare> {
    let name = config.witness.name.clone();
    let name = name.unwrap_or_else(|| format!("{origin}/ledger/witness"));
    if let Some(file) = &config.witness.key {
        return witness_of_file(file, &name);
    }
    let secret = store.secret("ledger-witness").await?;
    WitnessKey::from_bytes(&name, seed(&secret)?).map_err(CannotPrepare::Stored)
}

fn read(file: &Path) -> Result<Zeroizing<String>, CannotPrepare> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| CannotPrepare::File(file.to_owned(), error))?;
    Ok(Zeroizing::new(text))
}

fn seed(secret: &Secret) -> Result<&[u8; 32], CannotPrepare> {
    let seed = secret.bytes().try_into();
    seed.map_err(|_| CannotPrepare::Stored(KeyError::Key))
}
