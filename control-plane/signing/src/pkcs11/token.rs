//! A key in a token, as who signs.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use cryptoki::types::RawAuthPin;
use zeroize::Zeroizing;

use super::connection::{Connection, Library};
use super::{Error, Uri};
use crate::Sha256;
use crate::key::{Password, PublicKey, Signature};
use crate::signer::{SignError, Signer};
use crate::source::Access;

/// A key in a token. One thread at a time signs with it; others wait.
///
/// A session that fails is given up, and the next signature begins anew, with the
/// library's start: so a token that was away is found again. Each signature is
/// verified before anybody gets it.
pub struct TokenKey {
    uri: Uri,
    pin: Pin,
    public: PublicKey,
    state: Mutex<State>,
}

struct State {
    library: Library,
    connection: Option<Connection>,
    /// The PIN that the token has refused: never tried again.
    refused: Option<Zeroizing<Vec<u8>>>,
}

/// Where the PIN is.
enum Pin {
    /// In a file, which is read at each login.
    File(PathBuf),
    Given(Password),
    None,
}

impl TokenKey {
    /// Finds a key, and logs in for it.
    ///
    /// Where the key is said that it has to be, a token that is not there now may
    /// come later: [`Error::may_pass`] is no error then.
    ///
    /// # Errors
    /// [`Error`], with what the token or the library says.
    pub fn open(uri: Uri, access: Access) -> Result<Self, Error> {
        let module = uri.0.module_path.clone().or(access.module);
        let module = module.ok_or_else(|| Error::NoModule(uri.clone()))?;
        let pin = match (&uri.0.pin_source, access.password) {
            (Some(file), _) => Pin::File(file.clone()),
            (None, Some(password)) => Pin::Given(password),
            (None, None) => Pin::None,
        };
        let mut state = State {
            library: Library::load(&module)?,
            connection: None,
            refused: None,
        };
        let connected = state.connect(&uri, &pin, access.expected.as_ref());
        let public = match (connected, access.expected) {
            (Ok(public), _) => public,
            (Err(error), Some(expected)) if error.may_pass() => expected,
            (Err(error), _) => return Err(error),
        };
        Ok(Self {
            uri,
            pin,
            public,
            state: Mutex::new(state),
        })
    }

    /// Signs by the session that there is, or by a new one.
    fn attempt(&self, state: &mut State, digest: &Sha256) -> Result<Signature, Error> {
        if state.connection.is_none() {
            state.connect(&self.uri, &self.pin, Some(&self.public))?;
        }
        // It is put back only once it has signed.
        let connection = state.connection.take();
        let connection = connection.ok_or_else(|| Error::NoKey(self.uri.clone()))?;
        let signature = connection.sign(&self.uri, digest)?;
        self.public
            .verify(digest, &signature)
            .map_err(|_| Error::Signature(self.uri.clone()))?;
        state.connection = Some(connection);
        Ok(signature)
    }
}

impl State {
    /// Connects, and says which key it is.
    fn connect(
        &mut self,
        uri: &Uri,
        pin: &Pin,
        expected: Option<&PublicKey>,
    ) -> Result<PublicKey, Error> {
        let refused = self.refused.as_deref();
        let mut tried = None;
        let connected = self.library.connect(uri, || {
            let bytes = pin.read(uri)?;
            if refused.is_some_and(|refused| *refused == *bytes) {
                return Err(Error::Pin(uri.clone()));
            }
            let raw = RawAuthPin::new(Box::new(bytes.to_vec()));
            tried = Some(bytes);
            Ok(raw)
        });
        if matches!(connected, Err(Error::Pin(_))) && tried.is_some() {
            self.refused = tried;
        }
        let connection = connected?;
        let public = match (&connection.public, expected) {
            (Some(found), Some(expected)) if found != expected => {
                return Err(Error::OtherKey {
                    uri: uri.clone(),
                    found: found.key_id(),
                    expected: expected.key_id(),
                });
            }
            (Some(found), _) => found.clone(),
            (None, Some(expected)) => expected.clone(),
            (None, None) => return Err(Error::NoPublicKey(uri.clone())),
        };
        self.connection = Some(connection);
        Ok(public)
    }
}

impl Pin {
    fn read(&self, uri: &Uri) -> Result<Zeroizing<Vec<u8>>, Error> {
        match self {
            Self::File(file) => Ok(Password::read(file).map_err(Error::PinFile)?.into_bytes()),
            Self::Given(password) => Ok(password.to_bytes()),
            Self::None => Err(Error::NoPin(uri.clone())),
        }
    }
}

impl Signer for TokenKey {
    fn public(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, digest: &Sha256) -> Result<Signature, SignError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let was_connected = state.connection.is_some();
        match self.attempt(&mut state, digest) {
            // The session may have ended since it last signed: one of the token's own
            // time limits, or the token was away.
            Err(Error::Call { .. }) if was_connected => {}
            done => return Ok(done?),
        }
        Ok(self.attempt(&mut state, digest)?)
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenKey({})", self.uri)
    }
}
