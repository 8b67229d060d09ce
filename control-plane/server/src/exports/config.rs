//! `[exports]` of the control plane's configuration.

use std::path::PathBuf;
use std::str::FromStr;

use ig_signing::file::{self, FileError};
use ig_signing::source::{Access, OpenError};
use ig_signing::{KeySource, Password, PublicKey, Signer, key, pkcs11};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

/// What exports are signed with. Without a key, one is made and kept in the
/// database.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct ExportsConfig {
    /// A file with a key in PEM, PKCS#8 or Cosign's encrypted one; or the PKCS#11 URI
    /// (RFC 7512) of one in a token.
    #[serde(deserialize_with = "key_source")]
    pub key: Option<KeySource>,
    /// A file with the key's password, or the token's PIN, as its only line.
    pub password_file: Option<PathBuf>,
    /// The same, from the environment; it goes before the file.
    #[serde(skip)]
    pub password: Option<KeyPassword>,
    /// The library that speaks to the token, where the URI names none.
    pub pkcs11_module: Option<PathBuf>,
    /// A file with the public key that it has to be. With it, the control plane starts
    /// while the token is away.
    pub public_key: Option<PathBuf>,
}

fn key_source<'de, D: Deserializer<'de>>(from: D) -> Result<Option<KeySource>, D::Error> {
    let text = String::deserialize(from)?;
    let Ok(source) = text.parse();
    Ok(Some(source))
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
    /// The key that is configured cannot be had.
    #[error("exports.key: {0}")]
    Key(OpenError),
    /// The password cannot be read.
    #[error("exports.password-file: {0}")]
    Password(FileError),
    /// The public key cannot be read.
    #[error("exports.public-key: {0}")]
    PublicKey(OpenError),
    /// The key that is configured could not be opened in time.
    #[error("exports.key: nothing was heard of it for {0:?}; does its token, or its disk, answer?")]
    Silent(std::time::Duration),
    /// The key that is configured was retired: it does not come back.
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
    /// The key that is configured, where one is. It may wait for a token.
    pub(super) fn load(&self) -> Result<Option<Box<dyn Signer>>, CannotSign> {
        let Some(source) = &self.key else {
            return Ok(None);
        };
        let key = source.open(self.access()?);
        key.map(Some).map_err(CannotSign::Key)
    }

    fn access(&self) -> Result<Access, CannotSign> {
        let password = match (&self.password, &self.password_file) {
            (Some(password), _) => Some(password.password()),
            (None, Some(file)) => Some(Password::read(file).map_err(CannotSign::Password)?),
            (None, None) => None,
        };
        Ok(Access {
            password,
            module: self.pkcs11_module.clone(),
            expected: self.expected().map_err(CannotSign::PublicKey)?,
        })
    }

    fn expected(&self) -> Result<Option<PublicKey>, OpenError> {
        let Some(path) = &self.public_key else {
            return Ok(None);
        };
        let pem = file::read(path, key::MAX_BYTES)?;
        let key = PublicKey::from_pem(&pem);
        let path = path.clone();
        key.map(Some).map_err(|why| OpenError::Key { path, why })
    }

    /// Everything that is wrong, but for what only a token knows: each look at it
    /// would be a login, and tokens lock themselves after a few wrong ones.
    pub(crate) fn problems(&self) -> Vec<String> {
        let checked = match &self.key {
            Some(KeySource::Token(uri)) => self.access().and_then(|_| {
                let pin = uri.pin_source().map(Password::read).transpose();
                pin.map(drop)
                    .map_err(|error| CannotSign::Key(pkcs11::Error::PinFile(error).into()))
            }),
            _ => self.load().map(drop),
        };
        checked
            .err()
            .map(|error| error.to_string())
            .into_iter()
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use ig_signing::PrivateKey;

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
        std::fs::write(at("right"), "correct\r\n").unwrap();
        std::fs::write(at("two"), "correct\nmore\n").unwrap();
        std::fs::write(at("wrong"), "incorrect\n").unwrap();
        let config = |name: &str, password: Option<&str>| ExportsConfig {
            key: Some(at(name).into()),
            password_file: password.map(at),
            ..ExportsConfig::default()
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
            (config("cosign.key", Some("two")), "more than one line"),
            (config("right", None), "PEM"),
        ] {
            let problems = bad.problems();
            assert!(problems[0].contains(says), "{problems:?}");
            assert!(!problems[0].contains("correct"), "{problems:?}");
        }
    }
    /// Nobody is asked, neither a token nor a library.
    #[test]
    fn what_a_token_needs_is_looked_at() {
        let parse = |toml: &str| toml::from_str::<ExportsConfig>(toml).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let pin = folder.path().join("pin");
        std::fs::write(&pin, "1234\n").unwrap();
        let uri = format!("pkcs11:token=a;object=b?pin-source=file:{}", pin.display());
        let good = parse(&format!("key = \"{uri}\"\npkcs11-module = \"/none.so\"\n"));
        assert!(good.problems().is_empty(), "{:?}", good.problems());
        for (toml, says) in [
            (
                "key = \"pkcs11:token=a\"\n",
                "exports.key: the PKCS#11 URI: it names no key",
            ),
            (
                "key = \"pkcs11:token=a;object=b?pin-value=1234\"\n",
                "`pin-value` would show the PIN",
            ),
            (
                "key = \"pkcs11:token=a;object=b?pin-source=/none\"\n",
                "exports.key: the PIN: cannot read /none",
            ),
            (
                "key = \"pkcs11:token=a;object=b\"\npublic-key = \"/none.pub\"\n",
                "exports.public-key: cannot read /none.pub",
            ),
        ] {
            let problems = parse(toml).problems();
            assert!(problems[0].contains(says), "{problems:?}");
            assert!(!problems[0].contains("1234"), "{problems:?}");
        }
    }
}
