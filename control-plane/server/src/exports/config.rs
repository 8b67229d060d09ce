//! `[exports]` of the control plane's configuration.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use ig_signing::key::{self, MAX_BYTES};
use ig_signing::{Password, PrivateKey};
use serde::Deserialize;
use zeroize::Zeroizing;

/// What exports are signed with. Without a key, one is made and kept in the
/// database.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ExportsConfig {
    /// A key in PEM: PKCS#8, or Cosign's encrypted one.
    pub key: Option<PathBuf>,
    /// A file with its password, in the first line.
    pub password_file: Option<PathBuf>,
    /// Its password, from the environment; it goes before the file.
    #[serde(skip)]
    pub password: Option<KeyPassword>,
}

/// Password of a key. It shows itself to nobody, and is wiped when dropped.
#[derive(Clone)]
pub struct KeyPassword(Zeroizing<String>);

impl KeyPassword {
    fn password(&self) -> Password {
        Password::new(self.0.as_bytes().to_vec())
    }
}

impl FromStr for KeyPassword {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl std::fmt::Debug for KeyPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyPassword")
    }
}

/// Why exports cannot be signed.
#[derive(Debug, thiserror::Error)]
pub enum CannotSign {
    /// A file cannot be read.
    #[error("{path}: {1}", path = .0.display())]
    Read(PathBuf, #[source] std::io::Error),
    /// A file has no key that signs exports.
    #[error("{path}: {1}", path = .0.display())]
    Key(PathBuf, #[source] key::Error),
    /// The key in the file was retired: it does not come back.
    #[error(
        "the key of `exports.key` ({0}) was retired; put another key there, or none for one that \
         is kept in the database"
    )]
    Retired(String),
    /// A key can be neither made nor sealed.
    #[error("a key for exports can be neither made nor sealed")]
    Sealed,
    /// The database failed.
    #[error("the keys of exports can be neither read nor made")]
    Store(#[from] sqlx::Error),
}

impl ExportsConfig {
    /// The key in the file, where one is configured.
    pub(super) fn load(&self) -> Result<Option<PrivateKey>, CannotSign> {
        let Some(file) = &self.key else {
            return Ok(None);
        };
        let pem = read(file)?;
        let password = match (&self.password, &self.password_file) {
            (Some(password), _) => Some(password.password()),
            (None, Some(file)) => Some(first_line(&read(file)?)),
            (None, None) => None,
        };
        PrivateKey::from_pem(&pem, password.as_ref())
            .map(Some)
            .map_err(|error| CannotSign::Key(file.clone(), error))
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        match self.load() {
            Ok(_) => Vec::new(),
            Err(error) => vec![error.to_string()],
        }
    }
}

/// A file, up to what a key may have.
fn read(file: &Path) -> Result<Zeroizing<Vec<u8>>, CannotSign> {
    let failed = |error| CannotSign::Read(file.to_owned(), error);
    let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_BYTES));
    let opened = std::fs::File::open(file).map_err(failed)?;
    // One more than it may have, so that a longer one is seen to be.
    let most = u64::try_from(MAX_BYTES)
        .unwrap_or(u64::MAX)
        .saturating_add(1);
    opened.take(most).read_to_end(&mut bytes).map_err(failed)?;
    Ok(bytes)
}

fn first_line(bytes: &[u8]) -> Password {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    Password::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_with_its_password_and_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let key = PrivateKey::generate().unwrap();
        let password = Password::new(b"correct".to_vec());
        std::fs::write(at("plain.key"), key.to_pem().unwrap().as_bytes()).unwrap();
        let encrypted = key.to_encrypted_pem(&password).unwrap();
        std::fs::write(at("cosign.key"), encrypted).unwrap();
        std::fs::write(at("right"), "correct\nmore\n").unwrap();
        std::fs::write(at("wrong"), "incorrect\n").unwrap();
        let config = |name: &str, password: Option<&str>| ExportsConfig {
            key: Some(at(name)),
            password_file: password.map(at),
            password: None,
        };
        for good in [
            config("plain.key", None),
            config("cosign.key", Some("right")),
        ] {
            let loaded = good.load().unwrap().unwrap();
            assert_eq!(loaded.public(), key.public());
            assert!(good.problems().is_empty());
        }
        let over = ExportsConfig {
            password: Some("correct".parse().unwrap()),
            ..config("cosign.key", Some("wrong"))
        };
        assert!(over.problems().is_empty());
        assert!(!format!("{over:?}").contains("correct"));
        for (bad, says) in [
            (config("none.key", None), "none.key"),
            (config("cosign.key", None), "give its password"),
            (config("cosign.key", Some("wrong")), "password is wrong"),
            (config("right", None), "PEM"),
        ] {
            let problems = bad.problems();
            assert!(problems[0].contains(says), "{problems:?}");
            assert!(!problems[0].contains("correct"), "{problems:?}");
        }
    }
}
