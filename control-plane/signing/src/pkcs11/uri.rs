//! PKCS#11 URIs (RFC 7512): which key of which token.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use crate::json::shown;

/// The most bytes of a URI.
const MAX_BYTES: usize = 4096;
/// What a URI begins with.
pub const SCHEME: &str = "pkcs11:";

/// A private key in a token. It has no PIN, so it may be shown; errors have it, so it
/// is small.
#[derive(Clone, PartialEq, Eq)]
pub struct Uri(pub(super) Arc<Named>);

/// What a URI says.
#[derive(PartialEq, Eq)]
#[cfg_attr(
    not(feature = "pkcs11"),
    allow(dead_code, reason = "there is nothing that looks for keys")
)]
pub(super) struct Named {
    /// As it was written, without the query.
    text: String,
    /// What the token has to say of itself.
    pub(super) token: TokenIs,
    /// The slot, where tokens cannot be told apart.
    pub(super) slot_id: Option<u64>,
    /// The key's label (`CKA_LABEL`).
    pub(super) object: Option<String>,
    /// The key's id (`CKA_ID`).
    pub(super) id: Option<Vec<u8>>,
    /// The library that speaks to the token.
    pub(super) module_path: Option<PathBuf>,
    /// The file with the PIN.
    pub(super) pin_source: Option<PathBuf>,
}

/// What a token says of itself: what is `None` is not compared.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct TokenIs {
    pub(super) label: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) model: Option<String>,
    pub(super) serial: Option<String>,
}

/// Why a text is no URI of a key.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UriError {
    /// Longer than it may be.
    #[error("longer than {MAX_BYTES} bytes")]
    TooLong,
    /// Another scheme.
    #[error("it does not begin with `{SCHEME}`")]
    Scheme,
    /// Not `name=value`, or with a character that has to be escaped.
    #[error("`{0}` is not name=value with `%` escapes (RFC 7512)")]
    Attribute(String),
    /// A name that is not known here.
    #[error(
        "the attribute `{0}` is not known here; there are token, manufacturer, model, serial, \
         slot-id, object, id, type, and after `?` module-path and pin-source"
    )]
    Unknown(String),
    /// A name twice.
    #[error("the attribute `{0}` is there twice")]
    Twice(&'static str),
    /// A value that is not one of its attribute.
    #[error("`{name}` has to be {expected}")]
    Value {
        /// Of the attribute.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// The PIN itself.
    #[error(
        "`pin-value` would show the PIN to everybody who sees the command line or the \
         configuration: put it into a file, and say `pin-source=file:/path`; and change the PIN"
    )]
    PinValue,
    /// Nothing that names a token.
    #[error("it names no token: give token, serial or slot-id")]
    NoToken,
    /// Nothing that names a key.
    #[error("it names no key: give object, id or both")]
    NoObject,
}

impl Uri {
    /// The library that the URI names.
    #[must_use]
    pub fn module_path(&self) -> Option<&Path> {
        self.0.module_path.as_deref()
    }

    /// The file with the PIN that the URI names.
    #[must_use]
    pub fn pin_source(&self) -> Option<&Path> {
        self.0.pin_source.as_deref()
    }
}

impl Named {
    fn path_attribute(&mut self, name: &str, value: Vec<u8>) -> Result<(), UriError> {
        match name {
            "token" => put(&mut self.token.label, "token", text("token", value)?),
            "manufacturer" => {
                let value = text("manufacturer", value)?;
                put(&mut self.token.manufacturer, "manufacturer", value)
            }
            "model" => put(&mut self.token.model, "model", text("model", value)?),
            "serial" => put(&mut self.token.serial, "serial", text("serial", value)?),
            "object" => put(&mut self.object, "object", text("object", value)?),
            "id" => match value.is_empty() {
                true => Err(wrong("id", "bytes, such as %01%02")),
                false => put(&mut self.id, "id", value),
            },
            "slot-id" => {
                let number = text("slot-id", value)?.parse();
                let number = number.map_err(|_| wrong("slot-id", "a number"))?;
                put(&mut self.slot_id, "slot-id", number)
            }
            "type" if value == b"private" => Ok(()),
            "type" => Err(wrong("type", "private: the key that signs")),
            "pin-value" => Err(UriError::PinValue),
            other => Err(UriError::Unknown(shown(other))),
        }
    }

    fn query_attribute(&mut self, name: &str, value: Vec<u8>) -> Result<(), UriError> {
        match name {
            "module-path" => {
                let path = absolute("module-path", &text("module-path", value)?)?;
                put(&mut self.module_path, "module-path", path)
            }
            "pin-source" => {
                let value = text("pin-source", value)?;
                let path = value.strip_prefix("file://").unwrap_or(&value);
                let path = path.strip_prefix("file:").unwrap_or(path);
                put(
                    &mut self.pin_source,
                    "pin-source",
                    absolute("pin-source", path)?,
                )
            }
            "pin-value" => Err(UriError::PinValue),
            other => Err(UriError::Unknown(shown(other))),
        }
    }
}

fn wrong(name: &'static str, expected: &'static str) -> UriError {
    UriError::Value { name, expected }
}

fn put<T>(place: &mut Option<T>, name: &'static str, value: T) -> Result<(), UriError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(UriError::Twice(name)),
    }
}

fn text(name: &'static str, value: Vec<u8>) -> Result<String, UriError> {
    let value = String::from_utf8(value).ok();
    let value = value.filter(|value| !value.is_empty() && !value.chars().any(char::is_control));
    value.ok_or(wrong(name, "text in UTF-8, and not empty"))
}

/// A path that does not depend on where the program was started.
fn absolute(name: &'static str, path: &str) -> Result<PathBuf, UriError> {
    match path.starts_with('/') {
        true => Ok(path.into()),
        false => Err(wrong(name, "an absolute path of a file")),
    }
}

/// `name=value`, with its escapes undone.
fn attribute(part: &str) -> Result<(&str, Vec<u8>), UriError> {
    let malformed = || {
        // Its value may be a PIN that was to be given in another way.
        let name = part.split('=').next().unwrap_or_default();
        UriError::Attribute(shown(name))
    };
    let (name, value) = part.split_once('=').ok_or_else(malformed)?;
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let digits = [rest.next(), rest.next()];
                let digit = |at: Option<u8>| char::from(at?).to_digit(16);
                let [high, low] = digits.map(digit);
                let byte = high.zip(low).map(|(high, low)| (high << 4) | low);
                let byte = byte.and_then(|byte| u8::try_from(byte).ok());
                byte.ok_or_else(malformed)?
            }
            // Not to be told from what stands between attributes, or of no URI.
            b'#' | b'"' | b'<' | b'>' => return Err(malformed()),
            _ if byte.is_ascii_graphic() => byte,
            _ => return Err(malformed()),
        };
        bytes.push(byte);
    }
    Ok((name, bytes))
}

impl FromStr for Uri {
    type Err = UriError;

    fn from_str(uri: &str) -> Result<Self, UriError> {
        if uri.len() > MAX_BYTES {
            return Err(UriError::TooLong);
        }
        let rest = uri.strip_prefix(SCHEME).ok_or(UriError::Scheme)?;
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        let mut this = Named {
            text: format!("{SCHEME}{path}"),
            token: TokenIs::default(),
            slot_id: None,
            object: None,
            id: None,
            module_path: None,
            pin_source: None,
        };
        for part in path.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = attribute(part)?;
            this.path_attribute(name, value)?;
        }
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = attribute(part)?;
            this.query_attribute(name, value)?;
        }
        if this.token.label.is_none() && this.token.serial.is_none() && this.slot_id.is_none() {
            return Err(UriError::NoToken);
        }
        if this.object.is_none() && this.id.is_none() {
            return Err(UriError::NoObject);
        }
        Ok(Self(Arc::new(this)))
    }
}

/// The token and the key, without the query.
impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Uri({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_names_a_key_of_a_token() {
        let uri: Uri = "pkcs11:token=The%20Token;serial=0a;object=export%3Bkey;id=%01%ff;\
                        type=private?pin-source=file:/etc/ig/pin&module-path=/usr/lib/m.so"
            .parse()
            .unwrap();
        assert_eq!(uri.0.token.label.as_deref(), Some("The Token"));
        assert_eq!(uri.0.token.serial.as_deref(), Some("0a"));
        assert_eq!(uri.0.object.as_deref(), Some("export;key"));
        assert_eq!(uri.0.id.as_deref(), Some(&[1, 255][..]));
        assert_eq!(uri.pin_source(), Some(Path::new("/etc/ig/pin")));
        assert_eq!(uri.module_path(), Some(Path::new("/usr/lib/m.so")));
        assert!(!uri.to_string().contains("pin"), "{uri}");
        let other: Uri = "pkcs11:slot-id=3;id=%00?pin-source=file:///p"
            .parse()
            .unwrap();
        assert_eq!((other.0.slot_id, other.0.object.clone()), (Some(3), None));
        assert_eq!(other.pin_source(), Some(Path::new("/p")));
    }

    #[test]
    fn what_is_no_uri_is_said() {
        let long = format!("pkcs11:token={};object=a", "a".repeat(MAX_BYTES));
        for (uri, says) in [
            ("", "does not begin"),
            ("PKCS11:token=a;object=b", "does not begin"),
            (&*long, "longer than"),
            ("pkcs11:", "names no token"),
            ("pkcs11:object=b", "names no token"),
            ("pkcs11:token=a", "names no key"),
            ("pkcs11:token=a;object", "`object` is not name=value"),
            ("pkcs11:token=a;object=%4", "`object` is not name=value"),
            ("pkcs11:token=a;object=%zz", "`object` is not name=value"),
            ("pkcs11:token=a b;object=c", "`token` is not name=value"),
            ("pkcs11:token=é;object=c", "`token` is not name=value"),
            ("pkcs11:token=%ff;object=c", "`token` has to be text"),
            ("pkcs11:token=%00;object=c", "`token` has to be text"),
            ("pkcs11:token=a;token=b;object=c", "`token` is there twice"),
            ("pkcs11:token=a;object=", "`object` has to be"),
            ("pkcs11:token=a;id=", "`id` has to be"),
            ("pkcs11:slot-id=x;id=%01", "`slot-id` has to be a number"),
            ("pkcs11:token=a;object=b;type=public", "`type` has to be"),
            ("pkcs11:token=a;object=b;colour=c", "`colour` is not known"),
            ("pkcs11:token=a;object=b?module-name=c", "`module-name` is"),
            ("pkcs11:token=a;object=b?module-path=c", "an absolute path"),
            ("pkcs11:token=a;object=b?pin-source=|c", "an absolute path"),
            ("pkcs11:token=a;object=b?pin-value=83951", "pin-source"),
            ("pkcs11:token=a;object=b;pin-value=83951", "pin-source"),
            (
                "pkcs11:token=a;object=b?pin-value=83%3",
                "`pin-value` is not",
            ),
        ] {
            let error = uri.parse::<Uri>().unwrap_err().to_string();
            assert!(error.contains(says), "{uri}: {error}");
            assert!(!error.contains("83"), "{uri}: {error}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_uri_or_refused(text in ".{0,80}", escaped in "pkcs11:(token|object|id|serial)=[%0-9a-f;=?&]{0,40}") {
            for text in [text, escaped] {
                if let Ok(uri) = text.parse::<Uri>() {
                    let again: Uri = uri.to_string().parse().unwrap();
                    proptest::prop_assert_eq!(again.to_string(), uri.to_string());
                }
            }
        }
    }
}
