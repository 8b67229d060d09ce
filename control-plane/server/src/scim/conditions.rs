//! If-Match and If-None-Match (RFC 7644 §3.14, RFC 9110 §13).

use axum::http::{HeaderMap, HeaderName, header};
use ig_scim::{Error, ErrorKind};

use super::rows::Stored;

/// What the caller wants the resource to be, or not to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    matches: Option<String>,
    matches_none: Option<String>,
}

impl Conditions {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let all = |name: HeaderName| {
            let values = headers.get_all(name).iter();
            let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
            (!values.is_empty()).then(|| values.join(","))
        };
        Self {
            matches: all(header::IF_MATCH),
            matches_none: all(header::IF_NONE_MATCH),
        }
    }

    /// The version that an operation of a bulk request names.
    pub(super) fn of_version(version: &str) -> Self {
        Self {
            matches: Some(version.to_owned()),
            matches_none: None,
        }
    }

    /// Before a change.
    pub(super) fn check(&self, stored: &Stored) -> Result<(), Error> {
        let is_other = |tags: &String| !names(tags, stored);
        let is_this = |tags: &String| names(tags, stored);
        if self.matches.as_ref().is_some_and(is_other)
            || self.matches_none.as_ref().is_some_and(is_this)
        {
            let detail = format!("the resource is at version {}", stored.version_tag());
            return Err(Error::new(ErrorKind::PreconditionFailed, detail));
        }
        Ok(())
    }

    /// Whether the caller has it already.
    pub(super) fn is_known(&self, stored: &Stored) -> bool {
        let tags = self.matches_none.as_ref();
        tags.is_some_and(|tags| names(tags, stored))
    }
}

/// Whether a list of tags names the resource. Versions of resources are weak,
/// and are compared so.
fn names(tags: &str, stored: &Stored) -> bool {
    let own = stored.version.to_string();
    tags.split(',').map(str::trim).any(|tag| {
        let opaque = tag.strip_prefix("W/").unwrap_or(tag).trim_matches('"');
        tag == "*" || opaque == own
    })
}
