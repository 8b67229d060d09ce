//! JSON (RFC 8259) as this crate reads it: a name is in an object once,
//! everything in it is known, and an error says where it is.
//!
//! Other readers keep the first or the last of two names; what two programs read
//! differently is nothing to sign.

use std::cell::Cell;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// The most values of a document, and of what is in it.
pub const MAX_VALUES: usize = 1_000_000;

/// Why bytes are not the JSON that they should be. `at` is a path, such as
/// `items[3].sha256`, or `the document`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Error {
    /// Longer than it may be.
    #[error("longer than {0} bytes")]
    TooLong(usize),
    /// Not UTF-8 from this byte on.
    #[error("not UTF-8 from byte {0} on")]
    NotUtf8(usize),
    /// Not JSON.
    #[error("not JSON: {0}")]
    Syntax(String),
    /// More after the value.
    #[error("there is more after the JSON value")]
    Trailing,
    /// More values than may be: each takes more memory than text.
    #[error("more than {MAX_VALUES} values")]
    TooMany,
    /// One name twice in an object.
    #[error("{at} is there twice")]
    Duplicate {
        /// Where.
        at: String,
    },
    /// A name that nothing is known of.
    #[error("{at} is unknown")]
    Unknown {
        /// Where.
        at: String,
    },
    /// A name that has to be there.
    #[error("{at} is missing")]
    Missing {
        /// Where.
        at: String,
    },
    /// Of another type, or not of the form that is asked for.
    #[error("{at} is not {expected}")]
    Wrong {
        /// Where.
        at: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// Reads one JSON value of at most `limit` bytes.
///
/// # Errors
/// For what is not JSON, not UTF-8, too long, more than one value, or has a name
/// twice.
pub(crate) fn read(bytes: &[u8], limit: usize) -> Result<Node, Error> {
    if bytes.len() > limit {
        return Err(Error::TooLong(limit));
    }
    let text = str::from_utf8(bytes).map_err(|error| Error::NotUtf8(error.valid_up_to()))?;
    let mut values = serde_json::Deserializer::from_str(text);
    let reading = Reading {
        fault: Cell::new(None),
        left: Cell::new(MAX_VALUES),
    };
    let seed = Strict {
        at: Path::Root,
        reading: &reading,
    };
    let value = seed.deserialize(&mut values).map_err(|error| {
        let fault = reading.fault.take();
        fault.unwrap_or_else(|| Error::Syntax(error.to_string()))
    })?;
    match values.end() {
        Ok(()) => Ok(Node {
            at: String::new(),
            value,
        }),
        Err(_) => Err(Error::Trailing),
    }
}

/// Reads one JSON value of at most `limit` bytes, for who knows its members: a name is in
/// an object once, as everywhere here.
///
/// # Errors
/// [`Error`], but for those of members.
pub fn read_value(bytes: &[u8], limit: usize) -> Result<Value, Error> {
    Ok(read(bytes, limit)?.value)
}

/// Where a value is, while it is read: text is made of errors only.
#[derive(Clone, Copy)]
enum Path<'a> {
    Root,
    Name(&'a Path<'a>, &'a str),
    Index(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Name(Self::Root, name) => f.write_str(&shown(name)),
            Self::Name(parent, name) => write!(f, "{parent}.{}", shown(name)),
            Self::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// A name of the input in an error: short, and nothing that steers a terminal.
pub(crate) fn shown(name: &str) -> String {
    let mut short: String = name.chars().take(64).flat_map(char::escape_debug).collect();
    if name.is_empty() {
        short.push_str("\"\"");
    }
    if name.chars().nth(64).is_some() {
        short.push('…');
    }
    short
}

/// What all values of a document have in common.
struct Reading {
    /// What serde's own errors, which are texts, cannot say.
    fault: Cell<Option<Error>>,
    /// How many values there may still be.
    left: Cell<usize>,
}

impl Reading {
    fn fail<E: de::Error>(&self, fault: Error) -> E {
        let text = E::custom(&fault);
        self.fault.set(Some(fault));
        text
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    at: Path<'a>,
    reading: &'a Reading,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        let Some(left) = self.reading.left.get().checked_sub(1) else {
            return Err(self.reading.fail(Error::TooMany));
        };
        self.reading.left.set(left);
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(value) = from.next_element_seed(Strict {
            at: Path::Index(&self.at, all.len()),
            reading: self.reading,
        })? {
            all.push(value);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        let mut all = Map::new();
        while let Some(name) = from.next_key::<String>()? {
            let at = Path::Name(&self.at, &name);
            if all.contains_key(&name) {
                let at = at.to_string();
                return Err(self.reading.fail(Error::Duplicate { at }));
            }
            let reading = self.reading;
            let value = from.next_value_seed(Strict { at, reading })?;
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }
}

/// A value, and where it was.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Node {
    at: String,
    value: Value,
}

impl Node {
    /// An error at this value.
    fn wrong(&self, expected: &'static str) -> Error {
        let at = if self.at.is_empty() {
            "the document".to_owned()
        } else {
            self.at.clone()
        };
        Error::Wrong { at, expected }
    }

    pub(crate) fn at(&self) -> &str {
        &self.at
    }

    pub(crate) fn object(self) -> Result<Object, Error> {
        match self.value {
            Value::Object(members) => Ok(Object {
                at: self.at,
                members,
            }),
            _ => Err(self.wrong("an object")),
        }
    }

    pub(crate) fn array(self) -> Result<Vec<Node>, Error> {
        let Value::Array(all) = self.value else {
            return Err(self.wrong("an array"));
        };
        let at = self.at;
        let nodes = all.into_iter().enumerate().map(|(index, value)| Node {
            at: format!("{at}[{index}]"),
            value,
        });
        Ok(nodes.collect())
    }

    pub(crate) fn string(self) -> Result<String, Error> {
        match self.value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong("a string")),
        }
    }

    /// A text of 1 to 1024 bytes without control characters.
    pub(crate) fn name(self) -> Result<String, Error> {
        match &self.value {
            Value::String(text) if is_name(text) => self.string(),
            _ => Err(self.wrong("a string of 1 to 1024 bytes without control characters")),
        }
    }

    /// Exactly this text.
    pub(crate) fn literal(self, text: &'static str) -> Result<(), Error> {
        if self.value == text {
            Ok(())
        } else {
            Err(self.wrong(text))
        }
    }

    /// Base64 with padding and no unused bits (RFC 4648, section 4): bytes have
    /// one text.
    pub(crate) fn base64(self) -> Result<Vec<u8>, Error> {
        let bytes = self.value.as_str().map(|text| STANDARD.decode(text));
        match bytes {
            Some(Ok(bytes)) => Ok(bytes),
            _ => Err(self.wrong("a string of base64")),
        }
    }

    /// Base64 of exactly so many bytes.
    pub(crate) fn bytes<const N: usize>(self) -> Result<[u8; N], Error> {
        let at = self.at.clone();
        let expected = match N {
            24 => "base64 of 24 bytes",
            _ => "base64 of 32 bytes",
        };
        let bytes = self.base64()?;
        bytes.try_into().map_err(|_| Error::Wrong { at, expected })
    }

    /// A number of 64 bits, as protocol buffers write it: as a string.
    pub(crate) fn int64(self) -> Result<u64, Error> {
        let number = match &self.value {
            Value::String(text) if !text.starts_with('+') => text.parse::<u64>().ok(),
            Value::Number(number) => number.as_u64(),
            _ => None,
        };
        let number = number.filter(|number| i64::try_from(*number).is_ok());
        number.ok_or_else(|| self.wrong("a number from 0 to 2^63-1"))
    }
}

/// An object whose members are taken one by one.
pub(crate) struct Object {
    at: String,
    members: Map<String, Value>,
}

impl Object {
    fn path(&self, name: &str) -> String {
        match self.at.as_str() {
            "" => shown(name),
            at => format!("{at}.{}", shown(name)),
        }
    }

    pub(crate) fn optional(&mut self, name: &str) -> Option<Node> {
        let value = self.members.remove(name)?;
        let at = self.path(name);
        Some(Node { at, value })
    }

    pub(crate) fn required(&mut self, name: &str) -> Result<Node, Error> {
        self.optional(name).ok_or_else(|| Error::Missing {
            at: self.path(name),
        })
    }

    /// What nobody took.
    pub(crate) fn into_members(self) -> Map<String, Value> {
        self.members
    }

    /// Refuses what nobody took.
    pub(crate) fn end(self) -> Result<(), Error> {
        match self.members.keys().next() {
            Some(name) => Err(Error::Unknown {
                at: self.path(name),
            }),
            None => Ok(()),
        }
    }
}

/// Whether a text names something: 1 to 1024 bytes, no control characters.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=1024).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Canonical JSON (RFC 8785).
pub(crate) fn canonical(value: &Value) -> Vec<u8> {
    // Of a value, whose names are strings and whose numbers are finite, this
    // has no error.
    serde_json_canonicalizer::to_vec(value).unwrap_or_default()
}

/// Bytes as JSON has them.
pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}
