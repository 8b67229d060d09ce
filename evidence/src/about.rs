//! `about.json`: which release the bundle is of.

use serde::{Deserialize, Serialize};

use crate::{json, names, time};

/// The only format that is read.
pub(crate) const FORMAT: &str = "intelgraph.evidence/0.2";

/// Which release a bundle is of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    format: String,
    /// Of the workspace.
    pub version: String,
    /// 40 hexadecimal digits.
    pub commit: String,
    /// Whether the tree had changes that no commit has.
    pub dirty: bool,
    /// When the bundle was made, RFC 3339 in UTC.
    created: String,
}

/// Why something does not say which release it is of.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AboutError {
    /// Not its JSON.
    #[error("{name}: {0}", name = names::ABOUT)]
    Json(String),
    /// Another format.
    #[error(
        "{name}: format is not {FORMAT:?}, the only one that is known",
        name = names::ABOUT
    )]
    Format,
    /// A commit that is none.
    #[error("{name}: commit is not 40 lower-case hexadecimal digits", name = names::ABOUT)]
    Commit,
    /// A version that is none.
    #[error("{name}: version is empty, or longer than 64 bytes", name = names::ABOUT)]
    Version,
    /// A time that is none.
    #[error("{name}: created is not a time of RFC 3339 in UTC", name = names::ABOUT)]
    Created,
}

impl About {
    /// Of a release; `created` is in seconds since 1970.
    ///
    /// # Errors
    /// [`AboutError`].
    pub fn new(version: &str, commit: &str, dirty: bool, created: u64) -> Result<Self, AboutError> {
        let about = Self {
            format: FORMAT.to_owned(),
            version: version.to_owned(),
            commit: commit.to_owned(),
            dirty,
            created: time::rfc3339(created),
        };
        about.checked()
    }

    /// Reads it.
    ///
    /// # Errors
    /// [`AboutError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, AboutError> {
        let value = json::read("JSON", bytes).map_err(AboutError::Json)?;
        let about: Self =
            serde_json::from_value(value).map_err(|error| AboutError::Json(error.to_string()))?;
        about.checked()
    }

    fn checked(self) -> Result<Self, AboutError> {
        if self.format != FORMAT {
            return Err(AboutError::Format);
        }
        if !is_commit(&self.commit) {
            return Err(AboutError::Commit);
        }
        if !(1..=64).contains(&self.version.len()) || self.version.chars().any(char::is_control) {
            return Err(AboutError::Version);
        }
        match time::parse(&self.created) {
            Some(_) => Ok(self),
            None => Err(AboutError::Created),
        }
    }

    /// When the bundle was made, in seconds since 1970.
    #[must_use]
    pub fn created(&self) -> u64 {
        time::parse(&self.created).unwrap_or_default()
    }

    /// As the bundle has it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        json::write(self)
    }
}

/// Whether a text is the name of a commit, in full.
pub(crate) fn is_commit(text: &str) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 40 && text.bytes().all(is_digit)
}
