//! The key that a command signs with.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail, ensure};
use ig_signing::source::{Access, OpenError};
use ig_signing::{KeySource, Password, Signer};
use zeroize::Zeroize as _;

/// Where Cosign looks for a file's password too.
const PASSWORD: &str = "COSIGN_PASSWORD";

#[derive(clap::Args)]
pub(super) struct KeyArgs {
    /// The private key, ECDSA on P-256: a file, PKCS#8 or SEC1 in PEM or Cosign's
    /// encrypted one; or a PKCS#11 URI (RFC 7512) of one in a token, with
    /// `pin-source=` for a file with its PIN.
    #[arg(long, value_name = "FILE_OR_URI")]
    key: KeySource,
    /// The password of an encrypted key, or a token's PIN, as the only line; without
    /// it, a file's password is the variable COSIGN_PASSWORD.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The library that speaks to the token, where the URI has no `module-path=`.
    #[arg(long, env = "IG_PKCS11_MODULE", value_name = "FILE")]
    pkcs11_module: Option<PathBuf>,
}

impl KeyArgs {
    /// Gets the key.
    pub(super) fn open(&self) -> Result<Box<dyn Signer>> {
        let module = self.pkcs11_module.as_deref();
        open(&self.key, self.password_file.as_deref(), module)
    }

    /// Sees to it that nothing that is read is written over: a private key that is
    /// called as a public one would be gone.
    pub(super) fn keep(&self, read: &[&PathBuf], written: &[&PathBuf]) -> Result<()> {
        let key = match &self.key {
            KeySource::File(path) => Some(path),
            KeySource::Token(_) | KeySource::Malformed(_) => None,
        };
        let given = read.iter().copied().chain(key).chain(&self.password_file);
        for given in given {
            for path in written {
                ensure!(
                    !is_same(given, path),
                    "{} would be written over: write to another place",
                    path.display()
                );
            }
        }
        Ok(())
    }
}

/// Gets a key, with the password or PIN of a file, and the library that speaks to a token.
pub(crate) fn open(
    key: &KeySource,
    password_file: Option<&Path>,
    module: Option<&Path>,
) -> Result<Box<dyn Signer>> {
    let password = password(key, password_file)?;
    let has_password = password.is_some();
    let opened = key.open(Access {
        password,
        module: module.map(Path::to_owned),
        expected: None,
    });
    opened.map_err(|error| match error {
        OpenError::Key { path, why } => {
            let name = path.display();
            let what = match has_password {
                true => format!("{name} is no private key, or not with this password"),
                false => format!(
                    "{name} is no private key that can be read without a password; for an \
                     encrypted one give --password-file, or set {PASSWORD}"
                ),
            };
            anyhow::Error::new(why).context(what)
        }
        error => error.into(),
    })
}

fn password(key: &KeySource, file: Option<&Path>) -> Result<Option<Password>> {
    if let Some(path) = file {
        return Ok(Some(Password::read(path)?));
    }
    // A variable for other files is nobody's PIN.
    if !matches!(key, KeySource::File(_)) {
        return Ok(None);
    }
    match std::env::var(PASSWORD) {
        Ok(password) => Ok(Some(Password::new(password.into_bytes()))),
        Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(text)) => {
            text.into_encoded_bytes().zeroize();
            bail!("{PASSWORD} is not UTF-8; give --password-file")
        }
    }
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        // What is not there yet is nobody's.
        _ => false,
    }
}

/// The last part of a path, as text.
pub(super) fn name(path: &Path) -> Result<&str> {
    let name = path.file_name().and_then(|name| name.to_str());
    name.with_context(|| format!("{}: its name is not text", path.display()))
}
