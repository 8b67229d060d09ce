//! Keys in PKCS#11 tokens: hardware security modules, and what speaks as they do.
//!
//! A key is named by a [`Uri`] (RFC 7512). [`TokenKey`] signs with it, where this
//! crate is built with the feature `pkcs11`: the library that speaks to the token is
//! loaded at run time. Without the feature, opening one is [`Error::NotBuilt`].

#[cfg(feature = "pkcs11")]
mod connection;
#[cfg(feature = "pkcs11")]
mod token;
mod uri;

use std::path::PathBuf;

#[cfg(feature = "pkcs11")]
pub use token::TokenKey;
pub use uri::{SCHEME, Uri, UriError};

use crate::file::FileError;

/// Why a key in a token does not sign.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Built without the feature.
    #[error("this program was built without PKCS#11 (the feature `pkcs11`)")]
    NotBuilt,
    /// No library is named.
    #[error(
        "{0}: which library speaks to the token? Add `?module-path=/path/of/module.so` to the URI"
    )]
    NoModule(Uri),
    /// The library is none.
    #[error("{path} is no PKCS#11 module: {why}", path = .path.display())]
    Module {
        /// Of the library.
        path: PathBuf,
        /// What the loader says.
        why: String,
    },
    /// No PIN is given.
    #[error("{0}: the token asks for a PIN; give a file that has it, as `pin-source` of the URI")]
    NoPin(Uri),
    /// The file with the PIN cannot be used.
    #[error("the PIN: {0}")]
    PinFile(FileError),
    /// The token does not take the PIN.
    #[error(
        "{0}: the token refuses the PIN. It is not tried again, since tokens lock themselves after \
         a few wrong ones: correct it"
    )]
    Pin(Uri),
    /// The token takes no PIN any more.
    #[error("{0}: the token has locked its PIN; its security officer has to set it anew")]
    PinLocked(Uri),
    /// One more wrong PIN locks the token.
    #[error(
        "{0}: wrong PINs were tried, and one more locks the token. The last try is not taken here: \
         log in by another program with the right PIN, which sets the count back"
    )]
    PinFinalTry(Uri),
    /// No such token.
    #[error("{uri}: there is no such token; there are {}", listed(.there))]
    NoToken {
        /// What was asked for.
        uri: Uri,
        /// Labels of the tokens that there are.
        there: Vec<String>,
    },
    /// More than one such token.
    #[error("{0}: more than one token is that; name it by its serial or slot-id too")]
    ManyTokens(Uri),
    /// No such key.
    #[error("{0}: the token has no such private key, or not for this PIN")]
    NoKey(Uri),
    /// More than one such key.
    #[error("{0}: the token has more than one such private key; name it by its id and object")]
    ManyKeys(Uri),
    /// A key of another kind.
    #[error("{0}: not a key of ECDSA on P-256")]
    NotP256(Uri),
    /// The public key is not there, and none is given.
    #[error("{0}: the token has no public key of the same id; import it, or give it as a file")]
    NoPublicKey(Uri),
    /// Another key than the one that is expected.
    #[error("{uri}: the token has the key {found}, and the one to sign with is {expected}")]
    OtherKey {
        /// What was asked for.
        uri: Uri,
        /// Id of the token's.
        found: String,
        /// Id of the one that is expected.
        expected: String,
    },
    /// The token signed something else, or with another key.
    #[error("{0}: what the token made is no signature of these bytes by its key")]
    Signature(Uri),
    /// The token, or what leads to it, failed.
    #[error("{uri}: {why}")]
    Call {
        /// What was asked for.
        uri: Uri,
        /// What failed, and how, in the words of PKCS#11.
        why: String,
    },
}

impl Error {
    /// Whether the token may be there later, with nothing changed here.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        matches!(self, Self::NoToken { .. } | Self::Call { .. })
    }
}

fn listed(labels: &[String]) -> String {
    let quoted: Vec<_> = labels.iter().map(|label| format!("{label:?}")).collect();
    match quoted.is_empty() {
        true => "none".to_owned(),
        false => quoted.join(", "),
    }
}
