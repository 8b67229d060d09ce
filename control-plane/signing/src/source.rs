//! Where a key is: in a file, or in a token.

use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::file::{self, FileError};
use crate::key::{self, Password, PrivateKey, PublicKey};
use crate::pkcs11::{self, Uri, UriError};
use crate::signer::Signer;

/// Where a key is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeySource {
    /// A file in PEM, as [`PrivateKey::from_pem`] reads it.
    File(PathBuf),
    /// A key in a token.
    Token(Uri),
    /// What begins as a URI does, and is none. It is kept until it is asked for, so
    /// that a configuration with it can say all that is wrong.
    Malformed(UriError),
}

/// Why a key cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file has no private key.
    #[error("{path}: {why}", path = .path.display())]
    Key {
        /// Of the file.
        path: PathBuf,
        /// Why.
        why: key::Error,
    },
    /// The URI is none.
    #[error("the PKCS#11 URI: {0}")]
    Uri(#[from] UriError),
    /// The token does not give it.
    #[error(transparent)]
    Token(#[from] pkcs11::Error),
}

/// What is needed beside the place.
#[derive(Default)]
pub struct Access {
    /// The password of a file, or the PIN of a token whose URI has no `pin-source`.
    pub password: Option<Password>,
    /// The library that speaks to the token, where the URI names none.
    pub module: Option<PathBuf>,
    /// The key that it has to be. With it, a token need not have its public key.
    pub expected: Option<PublicKey>,
}

impl KeySource {
    /// Gets the key.
    ///
    /// # Errors
    /// [`OpenError`], also where it is another key than the one that is expected.
    pub fn open(&self, access: Access) -> Result<Box<dyn Signer>, OpenError> {
        match self {
            Self::File(path) => open_file(path, &access),
            Self::Token(uri) => Ok(open_token(uri, access)?),
            Self::Malformed(error) => Err(error.clone().into()),
        }
    }
}

fn open_file(path: &Path, access: &Access) -> Result<Box<dyn Signer>, OpenError> {
    let wrong = |why| OpenError::Key {
        path: path.to_owned(),
        why,
    };
    let pem = file::read_secret(path, key::MAX_BYTES)?;
    let key = PrivateKey::from_pem(&pem, access.password.as_ref()).map_err(wrong)?;
    match &access.expected {
        Some(expected) if expected != key.public() => Err(wrong(key::Error::Other {
            found: key.public().key_id(),
            expected: expected.key_id(),
        })),
        _ => Ok(Box::new(key)),
    }
}

#[cfg(feature = "pkcs11")]
fn open_token(uri: &Uri, access: Access) -> Result<Box<dyn Signer>, pkcs11::Error> {
    Ok(Box::new(pkcs11::TokenKey::open(uri.clone(), access)?))
}

#[cfg(not(feature = "pkcs11"))]
fn open_token(_: &Uri, _: Access) -> Result<Box<dyn Signer>, pkcs11::Error> {
    Err(pkcs11::Error::NotBuilt)
}

/// What begins with `pkcs11:` is a URI, anything else a file.
impl FromStr for KeySource {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text.starts_with(pkcs11::SCHEME) {
            true => text.parse().map_or_else(Self::Malformed, Self::Token),
            false => Self::File(text.into()),
        })
    }
}

impl From<PathBuf> for KeySource {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

/// The file's path, or the URI without its query.
impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Token(uri) => uri.fmt(f),
            Self::Malformed(_) => f.write_str(pkcs11::SCHEME),
        }
    }
}
