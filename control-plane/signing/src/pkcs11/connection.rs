//! A session with a token: the library, the slot, the login, the key.

use std::path::{Path, PathBuf};

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::error::{Error as CallError, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, TokenInfo};
use cryptoki::types::RawAuthPin;
use p256::NistP256;
use p256::pkcs8::AssociatedOid as _;
use sec1::der::Decode as _;
use sec1::der::asn1::{ObjectIdentifier, OctetStringRef};

use super::uri::TokenIs;
use super::{Error, Uri};
use crate::Sha256;
use crate::key::{PublicKey, Signature};

/// A library that speaks to tokens.
pub(super) struct Library {
    path: PathBuf,
    functions: Pkcs11,
}

/// A session that is logged in, with its key.
pub(super) struct Connection {
    /// Before the library: it is closed first.
    session: Session,
    key: ObjectHandle,
    /// As the token has it.
    pub(super) public: Option<PublicKey>,
    /// Ends what it began.
    _started: Started,
}

/// A library between `C_Initialize` and `C_Finalize`.
struct Started(Option<Pkcs11>);

impl Drop for Started {
    fn drop(&mut self) {
        // It may be that the token is what is gone; the next start tells.
        if let Some(functions) = self.0.take() {
            drop(functions.finalize());
        }
    }
}

impl Library {
    /// Loads a library.
    pub(super) fn load(path: &Path) -> Result<Self, Error> {
        let functions = Pkcs11::new(path).map_err(|error| Error::Module {
            path: path.to_owned(),
            why: match &error {
                CallError::LibraryLoading(why) => why.to_string(),
                _ => said(&error),
            },
        })?;
        Ok(Self {
            path: path.to_owned(),
            functions,
        })
    }

    /// From the library's start to the key. `pin` is asked for once the token is
    /// found.
    pub(super) fn connect(
        &self,
        uri: &Uri,
        pin: impl FnOnce() -> Result<RawAuthPin, Error>,
    ) -> Result<Connection, Error> {
        let started = self.start(uri)?;
        let (slot, info) = self.slot(uri)?;
        let session = self.functions.open_ro_session(slot);
        let session = session.map_err(|error| call(uri, &error))?;
        if info.login_required() {
            if info.user_pin_locked() {
                return Err(Error::PinLocked(uri.clone()));
            }
            // Somebody may restart this program for ever, with a wrong PIN.
            if info.user_pin_final_try() {
                return Err(Error::PinFinalTry(uri.clone()));
            }
            login(&session, uri, &pin()?)?;
        }
        let key = private_key(&session, uri)?;
        let public = public_key(&session, uri, key)?;
        Ok(Connection {
            session,
            key,
            public,
            _started: started,
        })
    }

    fn start(&self, uri: &Uri) -> Result<Started, Error> {
        let arguments = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        match self.functions.initialize(arguments) {
            Ok(()) => Ok(Started(Some(self.functions.clone()))),
            // Somebody else in this process has it, and will end it.
            Err(CallError::Pkcs11(RvError::CryptokiAlreadyInitialized, _)) => Ok(Started(None)),
            Err(error) => Err(Error::Call {
                uri: uri.clone(),
                why: format!("{}: {}", self.path.display(), said(&error)),
            }),
        }
    }

    /// The only token that is what the URI says.
    fn slot(&self, uri: &Uri) -> Result<(Slot, TokenInfo), Error> {
        let failed = |error| call(uri, &error);
        let mut there = Vec::new();
        let mut found = Vec::new();
        for slot in self.functions.get_slots_with_token().map_err(failed)? {
            // One that goes at this moment is none of those that there are.
            let Ok(info) = self.functions.get_token_info(slot) else {
                continue;
            };
            if !info.token_initialized() {
                continue;
            }
            there.push(info.label().to_owned());
            if uri.0.slot_id.is_none_or(|id| id == slot.id()) && uri.0.token.is(&info) {
                found.push((slot, info));
            }
        }
        let uri = uri.clone();
        match <[_; 1]>::try_from(found) {
            Ok([found]) => Ok(found),
            Err(none) if none.is_empty() => Err(Error::NoToken { uri, there }),
            Err(_) => Err(Error::ManyTokens(uri)),
        }
    }
}

impl TokenIs {
    fn is(&self, info: &TokenInfo) -> bool {
        let is = |wanted: &Option<String>, found: &str| {
            wanted.as_deref().is_none_or(|wanted| wanted == found)
        };
        is(&self.label, info.label())
            && is(&self.manufacturer, info.manufacturer_id())
            && is(&self.model, info.model())
            && is(&self.serial, info.serial_number())
    }
}

impl Connection {
    /// Signs, and does not look at what came.
    pub(super) fn sign(&self, uri: &Uri, digest: &Sha256) -> Result<Signature, Error> {
        let signed = self
            .session
            .sign(&Mechanism::Ecdsa, self.key, digest.as_bytes());
        let signed = signed.map_err(|error| call(uri, &error))?;
        // PKCS#11 has both numbers as they are, one after the other.
        Signature::from_fixed(&signed).map_err(|_| Error::Signature(uri.clone()))
    }
}

fn login(session: &Session, uri: &Uri, pin: &RawAuthPin) -> Result<(), Error> {
    match session.login_with_raw(UserType::User, pin) {
        // The login is one of the process, not of the session.
        Ok(()) | Err(CallError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(()),
        Err(CallError::Pkcs11(RvError::PinLocked, _)) => Err(Error::PinLocked(uri.clone())),
        Err(CallError::Pkcs11(
            RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
            _,
        )) => Err(Error::Pin(uri.clone())),
        Err(error) => Err(call(uri, &error)),
    }
}

/// The only private key that is what the URI says.
fn private_key(session: &Session, uri: &Uri) -> Result<ObjectHandle, Error> {
    let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
    template.extend(uri.0.id.clone().map(Attribute::Id));
    template.extend(
        uri.0
            .object
            .clone()
            .map(|label| Attribute::Label(label.into())),
    );
    let found = session.find_objects(&template);
    let found = found.map_err(|error| call(uri, &error))?;
    let key = match found.as_slice() {
        [key] => *key,
        [] => return Err(Error::NoKey(uri.clone())),
        _ => return Err(Error::ManyKeys(uri.clone())),
    };
    match kind(session, uri, key)? {
        true => Ok(key),
        false => Err(Error::NotP256(uri.clone())),
    }
}

/// Whether a key is of ECDSA on P-256.
fn kind(session: &Session, uri: &Uri, key: ObjectHandle) -> Result<bool, Error> {
    let one = |kind| {
        let found = session.get_attributes(key, &[kind]);
        found.map_err(|error| call(uri, &error))
    };
    if !one(AttributeType::KeyType)?.contains(&Attribute::KeyType(KeyType::EC)) {
        return Ok(false);
    }
    let is_p256 = |attribute: &Attribute| match attribute {
        Attribute::EcParams(der) => ObjectIdentifier::from_der(der) == Ok(NistP256::OID),
        _ => false,
    };
    Ok(one(AttributeType::EcParams)?.iter().any(is_p256))
}

/// The public key of the same id, where the token has it.
fn public_key(
    session: &Session,
    uri: &Uri,
    private: ObjectHandle,
) -> Result<Option<PublicKey>, Error> {
    let failed = |error: CallError| call(uri, &error);
    let names = session.get_attributes(private, &[AttributeType::Id]);
    let mut template: Vec<_> = names.map_err(failed)?;
    // Without an id, any public key of the token would be the one.
    let is_named = |one: &Attribute| matches!(one, Attribute::Id(id) if !id.is_empty());
    if !template.iter().any(is_named) {
        template = uri
            .0
            .object
            .clone()
            .map(|label| Attribute::Label(label.into()))
            .into_iter()
            .collect();
    }
    template.push(Attribute::Class(ObjectClass::PUBLIC_KEY));
    let found = session.find_objects(&template).map_err(failed)?;
    let [public] = found.as_slice() else {
        return Ok(None);
    };
    let point = session.get_attributes(*public, &[AttributeType::EcPoint]);
    let point = point.map_err(failed)?.into_iter().next();
    let Some(Attribute::EcPoint(point)) = point else {
        return Ok(None);
    };
    // PKCS#11 has it as the DER of an octet string; some have the octets alone.
    let inner = OctetStringRef::from_der(&point);
    let key = inner
        .ok()
        .and_then(|octets| PublicKey::from_point(octets.as_bytes()).ok());
    let key = key.or_else(|| PublicKey::from_point(&point).ok());
    key.map(Some).ok_or_else(|| Error::NotP256(uri.clone()))
}

fn call(uri: &Uri, error: &CallError) -> Error {
    Error::Call {
        uri: uri.clone(),
        why: said(error),
    }
}

/// An error in PKCS#11's own names, which manuals of tokens explain.
fn said(error: &CallError) -> String {
    match error {
        CallError::Pkcs11(RvError::VendorDefined(code), function) => {
            format!("C_{function:?}: the vendor's error {code:#x}")
        }
        CallError::Pkcs11(code, function) => format!("C_{function:?}: {code:?}"),
        other => other.to_string(),
    }
}
