//! Changes that may be made although a rule says no: each reviewed, and for a
//! while.

use ig_schema::{Date, InvalidDate};
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Serialize};

use crate::change::ChangeKind;
use crate::gate::FailOn;

/// Largest file, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// Most exceptions of a file.
const MAX_EXCEPTIONS: usize = 1_000;

/// What an exception is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(untagged)]
pub enum ExceptionKind {
    /// A change of the schema.
    Change(ChangeKind),
    /// A change for callers.
    Authz(AuthzKind),
}

/// A change for callers, in the words of an exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AuthzKind {
    /// Callers need less.
    AuthzWeakened,
}

/// One exception: a change by its kind and its whole path.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exception {
    /// Kind of the change.
    #[serde(rename = "type")]
    pub kind: ExceptionKind,
    /// Path of the change; empty for one that has none.
    pub path: String,
    /// Rules that let the change pass.
    pub allows: Vec<FailOn>,
    /// Why.
    pub reason: String,
    /// Who asked for it.
    pub author: String,
    /// Who agreed, somebody else.
    pub reviewer: String,
    /// The last day on which it counts.
    pub expires: Date,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, rename = "exception")]
    exceptions: Vec<Raw>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    path: String,
    allows: Vec<FailOn>,
    reason: String,
    author: String,
    reviewer: String,
    expires: toml::Value,
}

/// Why a file of exceptions is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum InvalidExceptions {
    /// Too long to be read.
    #[error("the exceptions have {bytes} bytes; the limit is {MAX_BYTES}")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not TOML, or not of this shape.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// More than anybody reviews.
    #[error("{0} exceptions are too many; the limit is {MAX_EXCEPTIONS}")]
    TooMany(usize),
    /// One of them says what it must not.
    #[error("exception {number} (`{path}`): {fault}")]
    Fault {
        /// Which, from 1.
        number: usize,
        /// Its path.
        path: String,
        /// What is wrong with it.
        fault: Fault,
    },
}

/// What is wrong with an exception.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// Something that people need is not there.
    #[error("`{0}` must not be empty")]
    Empty(&'static str),
    /// There is no change of that kind.
    #[error(
        "`{0}` is no kind of change: `type` is that of a change in the report, or AUTHZ_WEAKENED"
    )]
    Kind(String),
    /// Nobody else agreed.
    #[error("`reviewer` must be somebody else than `author`")]
    NotReviewed,
    /// It would count for too long.
    #[error("`expires` is more than a year ahead: review it again before that")]
    TooLong,
    /// `expires` is no day.
    #[error("`expires`: {0}")]
    Date(#[from] InvalidDate),
}

/// Exceptions, read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Exceptions {
    pub(crate) all: Vec<Exception>,
}

impl Exceptions {
    /// Reads a file: TOML, with one table `[[exception]]` for each. One that
    /// has expired is read, and does not count.
    ///
    /// # Errors
    /// See [`InvalidExceptions`].
    pub fn parse(text: &str, today: Date) -> Result<Self, InvalidExceptions> {
        if text.len() > MAX_BYTES {
            return Err(InvalidExceptions::TooLarge { bytes: text.len() });
        }
        let File { exceptions } = toml::from_str(text)?;
        if exceptions.len() > MAX_EXCEPTIONS {
            return Err(InvalidExceptions::TooMany(exceptions.len()));
        }
        let numbered = exceptions.into_iter().enumerate();
        let all = numbered.map(|(at, raw)| {
            let path = raw.path.clone();
            raw.check(today).map_err(|fault| InvalidExceptions::Fault {
                number: at + 1,
                path,
                fault,
            })
        });
        Ok(Self {
            all: all.collect::<Result<_, _>>()?,
        })
    }
}

impl Raw {
    fn check(self, today: Date) -> Result<Exception, Fault> {
        for (name, value) in [
            ("reason", &self.reason),
            ("author", &self.author),
            ("reviewer", &self.reviewer),
        ] {
            if value.trim().is_empty() {
                return Err(Fault::Empty(name));
            }
        }
        if self.allows.is_empty() {
            return Err(Fault::Empty("allows"));
        }
        let same = |text: &str| text.trim().to_lowercase();
        if same(&self.author) == same(&self.reviewer) {
            return Err(Fault::NotReviewed);
        }
        let expires = match &self.expires {
            toml::Value::String(text) => text.parse()?,
            // A day of TOML's own, or something else, which is no day.
            other => other.to_string().parse::<Date>()?,
        };
        if expires > today.in_a_year() {
            return Err(Fault::TooLong);
        }
        Ok(Exception {
            kind: kind(&self.kind)?,
            path: self.path,
            allows: self.allows,
            reason: self.reason,
            author: self.author,
            reviewer: self.reviewer,
            expires,
        })
    }
}

fn kind(name: &str) -> Result<ExceptionKind, Fault> {
    if name == "AUTHZ_WEAKENED" {
        return Ok(ExceptionKind::Authz(AuthzKind::AuthzWeakened));
    }
    ChangeKind::deserialize(name.into_deserializer())
        .map(ExceptionKind::Change)
        .map_err(|_: serde::de::value::Error| Fault::Kind(name.to_owned()))
}
