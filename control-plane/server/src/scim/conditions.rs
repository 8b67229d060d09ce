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
            // What cannot be read is no version of anything, and not no condition.
            let values = values.map(|value| value.to_str().unwrap_or_default());
            let values: Vec<&str> = values.collect();
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

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use ig_scim::ResourceType;

    use super::*;

    fn stored() -> Stored {
        Stored {
            number: 1,
            kind: ResourceType::User,
            id: "x".to_owned(),
            is_active: true,
            resource: Default::default(),
            version: 3,
            created_at: 0,
            changed_at: 0,
        }
    }

    /// Whoever says a condition that is not understood wants no change.
    #[test]
    fn a_change_is_made_only_at_a_version_that_is_named() {
        let cases: &[(&[&[u8]], bool)] = &[
            (&[], true),
            (&[b"W/\"3\""], true),
            (&[b"\"3\""], true),
            (&[b"*"], true),
            (&[b"W/\"2\", W/\"3\""], true),
            (&[b"W/\"2\"", b"W/\"3\""], true),
            (&[b"W/\"2\""], false),
            (&[b""], false),
            (&[b"x"], false),
            (&[b"\xff"], false),
            (&[b"W/\"3\xe9\""], false),
            (&[b"\xff", b"W/\"2\""], false),
            (&[b"\xff", b"W/\"3\""], true),
        ];
        for (values, is_made) in cases {
            let mut headers = HeaderMap::new();
            for value in *values {
                headers.append(header::IF_MATCH, HeaderValue::from_bytes(value).unwrap());
            }
            let checked = Conditions::of(&headers).check(&stored());
            let kind = checked.err().map(|error| error.kind);
            let expected = (!is_made).then_some(ErrorKind::PreconditionFailed);
            assert_eq!(kind, expected, "{values:?}");
        }
    }

    /// And whoever has a version that is not understood has none.
    #[test]
    fn what_cannot_be_read_is_not_known() {
        for (value, is_known) in [(&b"W/\"3\""[..], true), (b"*", true), (b"\xff", false)] {
            let mut headers = HeaderMap::new();
            let value = HeaderValue::from_bytes(value).unwrap();
            headers.insert(header::IF_NONE_MATCH, value);
            assert_eq!(Conditions::of(&headers).is_known(&stored()), is_known);
        }
    }
}
