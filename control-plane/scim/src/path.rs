//! Attribute paths: `userName`, `name.givenName`, `urn:…:User:manager`.

use crate::schema::{Attribute, ResourceType, Schema};

/// An attribute of a resource type, or a sub-attribute of one.
#[derive(Clone, Copy, Debug)]
pub struct AttributePath {
    /// The extension it is of; `None` for core and common attributes.
    pub extension: Option<&'static Schema>,
    /// The attribute.
    pub attribute: &'static Attribute,
    /// The sub-attribute.
    pub sub_attribute: Option<&'static Attribute>,
}

impl PartialEq for AttributePath {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for AttributePath {}

/// What a path begins with, and what is left of it. The URN is the longest
/// known one: it may have colons and dots of its own.
pub(crate) fn split_urn(of: ResourceType, path: &str) -> (Option<&'static Schema>, &str) {
    let schemas = of.extensions().iter().copied().chain([of.schema()]);
    let mut matching: Vec<_> = schemas
        .filter_map(|schema| {
            let (head, tail) = path.split_at_checked(schema.id.len())?;
            let is = head.eq_ignore_ascii_case(schema.id);
            (is && (tail.is_empty() || tail.starts_with(':'))).then_some((schema, tail))
        })
        .collect();
    matching.sort_by_key(|(schema, _)| schema.id.len());
    match matching.pop() {
        Some((schema, tail)) => (Some(schema), tail.strip_prefix(':').unwrap_or(tail)),
        None => (None, path),
    }
}

impl AttributePath {
    /// Reads a path; `None` where the resource type has no such attribute.
    pub fn parse(of: ResourceType, path: &str) -> Option<Self> {
        let (schema, rest) = split_urn(of, path);
        let extension = schema.filter(|schema| schema.id != of.schema().id);
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub)),
            None => (rest, None),
        };
        let attribute = match extension {
            Some(extension) => extension.attribute(name),
            None => of.attribute(name),
        }?;
        let sub_attribute = match sub {
            Some(sub) => Some(attribute.sub_attribute(sub)?),
            None => None,
        };
        Some(Self {
            extension,
            attribute,
            sub_attribute,
        })
    }

    /// The attribute whose values are compared: of a complex one with a
    /// `value`, that (RFC 7644 §3.4.2.2).
    pub fn leaf(&self) -> &'static Attribute {
        self.sub_attribute.unwrap_or(self.attribute)
    }

    /// With another sub-attribute.
    pub fn with(&self, sub_attribute: &'static Attribute) -> Self {
        Self {
            sub_attribute: Some(sub_attribute),
            ..*self
        }
    }

    /// Name of the attribute among the indexed values of a resource.
    pub fn key(&self) -> String {
        key(self.extension, self.attribute, self.sub_attribute)
    }
}

pub(crate) fn key(
    extension: Option<&Schema>,
    attribute: &Attribute,
    sub_attribute: Option<&Attribute>,
) -> String {
    let mut key = String::new();
    if let Some(extension) = extension {
        key.push_str(extension.name);
        key.push(':');
    }
    key.push_str(attribute.name);
    if let Some(sub) = sub_attribute {
        key.push('.');
        key.push_str(sub.name);
    }
    key
}
