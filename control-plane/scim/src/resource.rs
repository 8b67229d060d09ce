//! From what a client sends to a resource: names as the schema has them, types
//! as it has them, and nothing that is the server's to say.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind};
use crate::filter::fold;
use crate::path::key;
use crate::schema::{Attribute, Kind, ResourceType, Schema, TENANT};

/// A resource.
pub type Resource = Map<String, Value>;

/// Longest value that can be searched, in bytes: what both databases index.
const MAX_VALUE_BYTES: usize = 2000;
/// Longest value that cannot, in bytes.
const MAX_BINARY_BYTES: usize = 16 * 1024;
/// Largest resource without its members, in bytes.
const MAX_BYTES: usize = 128 * 1024;
/// Most elements of a list.
pub const MAX_ELEMENTS: usize = 1000;

/// Reads a resource from the body of a POST or PUT.
///
/// What the server says is left out, as is what no schema has; a `null` or an
/// empty list is no value (RFC 7643 §2.5).
///
/// # Errors
/// `invalidSyntax` for what is not a resource of this type, `invalidValue` for
/// values of other types and for missing ones.
pub fn read(of: ResourceType, body: &Value) -> Result<Resource, Error> {
    let Value::Object(body) = body else {
        return Err(syntax("a resource is a JSON object"));
    };
    check_schemas(of, body)?;
    let mut resource = Resource::new();
    let mut seen = BTreeSet::new();
    for (name, value) in body {
        if !seen.insert(name.to_ascii_lowercase()) {
            return Err(twice(name));
        }
        let extension = of
            .extensions()
            .iter()
            .find(|schema| schema.id.eq_ignore_ascii_case(name));
        match (extension, of.attribute(name)) {
            (Some(extension), _) => {
                if let Some(part) = read_extension(extension, value)? {
                    resource.insert(extension.id.to_owned(), Value::Object(part));
                }
            }
            (None, Some(attribute)) if !attribute.is_read_only() => {
                if let Some(value) = coerce(None, attribute, value)? {
                    resource.insert(attribute.name.to_owned(), value);
                }
            }
            (None, _) => {}
        }
    }
    check(of, &resource)?;
    Ok(resource)
}

/// The tenants that a client says a resource is of: `"urn:ig:tenant": "alpha"`,
/// or the extension's `id`. It may say so more than once, in another case.
pub fn claimed_tenants(body: &Value) -> impl Iterator<Item = &str> {
    members(body, TENANT.id).flat_map(|claimed| {
        let ids = members(claimed, "id").filter_map(Value::as_str);
        claimed.as_str().into_iter().chain(ids)
    })
}

/// Members by their name, which is not case-sensitive.
fn members<'a>(of: &'a Value, name: &'static str) -> impl Iterator<Item = &'a Value> {
    let all = of.as_object().into_iter().flatten();
    let found = all.filter(move |(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

fn check_schemas(of: ResourceType, body: &Map<String, Value>) -> Result<(), Error> {
    let schemas = body
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("schemas"))
        .and_then(|(_, schemas)| schemas.as_array());
    let is_own = |schema: &Value| {
        schema
            .as_str()
            .is_some_and(|schema| schema.eq_ignore_ascii_case(of.schema().id))
    };
    match schemas.is_some_and(|schemas| schemas.iter().any(is_own)) {
        true => Ok(()),
        false => Err(syntax(format!("`schemas` must name {}", of.schema().id))),
    }
}

fn read_extension(extension: &Schema, value: &Value) -> Result<Option<Resource>, Error> {
    let Value::Object(body) = value else {
        // The short form of the tenant, which is the server's to say.
        return match value.is_null() || extension.id == TENANT.id {
            true => Ok(None),
            false => Err(value_error(format!("`{}` is an object", extension.id))),
        };
    };
    let mut part = Resource::new();
    for (name, value) in body {
        let Some(attribute) = extension.attribute(name) else {
            continue;
        };
        if attribute.is_read_only() {
            continue;
        }
        if let Some(value) = coerce(Some(extension), attribute, value)?
            && part.insert(attribute.name.to_owned(), value).is_some()
        {
            return Err(twice(name));
        }
    }
    Ok((!part.is_empty()).then_some(part))
}

/// Refuses a resource that is too large: every path of a PATCH is looked for in
/// all of it.
///
/// # Errors
/// `invalidValue`
pub(crate) fn check_size(resource: &Resource) -> Result<(), Error> {
    let parts = resource.iter().filter(|(name, _)| *name != "members");
    match parts.map(|(_, value)| bytes(value)).sum::<usize>() > MAX_BYTES {
        false => Ok(()),
        true => Err(value_error(format!(
            "the resource is larger than {MAX_BYTES} bytes"
        ))),
    }
}

fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(bytes).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| name.len() + bytes(value))
            .sum(),
        _ => 1,
    }
}

/// What must hold of a resource after every change.
///
/// # Errors
/// `invalidValue`
pub fn check(of: ResourceType, resource: &Resource) -> Result<(), Error> {
    check_size(resource)?;
    for attribute in of.schema().attributes {
        let value = resource.get(attribute.name);
        let is_empty = value.is_none_or(|value| value.as_str().is_some_and(str::is_empty));
        if attribute.is_required && is_empty {
            return Err(value_error(format!("`{}` is required", attribute.name)));
        }
        let Some(Value::Array(elements)) = value else {
            continue;
        };
        if elements.len() > MAX_ELEMENTS && attribute.name != "members" {
            return Err(too_many(attribute));
        }
        if elements.iter().filter(|one| is_primary(one)).count() > 1 {
            let name = attribute.name;
            return Err(value_error(format!("only one of `{name}` is primary")));
        }
    }
    Ok(())
}

/// A value as the attribute has it; `None` for none.
///
/// Entra ID's booleans are text, its manager is an id without an object, and a
/// list of one comes without its list.
///
/// # Errors
/// `invalidValue`
pub(crate) fn coerce(
    extension: Option<&Schema>,
    attribute: &Attribute,
    value: &Value,
) -> Result<Option<Value>, Error> {
    if value.is_null() {
        return Ok(None);
    }
    if !attribute.is_multi_valued {
        return coerce_one(extension, attribute, value);
    }
    let elements = match value {
        Value::Array(elements) => elements.as_slice(),
        one => std::slice::from_ref(one),
    };
    if elements.len() > MAX_ELEMENTS && attribute.name != "members" {
        return Err(too_many(attribute));
    }
    let mut list = Vec::with_capacity(elements.len());
    for element in elements {
        list.extend(coerce_one(extension, attribute, element)?);
    }
    Ok((!list.is_empty()).then_some(Value::Array(list)))
}

/// One element of a list, or the value where there is no list.
pub(crate) fn coerce_one(
    extension: Option<&Schema>,
    attribute: &Attribute,
    value: &Value,
) -> Result<Option<Value>, Error> {
    let wrong = |what: &str| {
        let name = key(extension, attribute, None);
        Err(value_error(format!("`{name}`: {what}")))
    };
    match (attribute.kind, value) {
        (_, Value::Null) => Ok(None),
        (Kind::Boolean, Value::Bool(_)) => Ok(Some(value.clone())),
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("true") => {
            Ok(Some(true.into()))
        }
        (Kind::Boolean, Value::String(text)) if text.eq_ignore_ascii_case("false") => {
            Ok(Some(false.into()))
        }
        (Kind::Boolean, _) => wrong("expected true or false"),
        (Kind::Complex, Value::Object(parts)) => coerce_parts(extension, attribute, parts),
        (Kind::Complex, Value::String(_)) => match attribute.sub_attribute("value") {
            Some(_) => {
                let parts = Map::from_iter([("value".to_owned(), value.clone())]);
                coerce_parts(extension, attribute, &parts)
            }
            None => wrong("expected an object"),
        },
        (Kind::Complex, _) => wrong("expected an object"),
        // PostgreSQL has no text with it, and nobody means it.
        (_, Value::String(text)) if text.contains('\0') => wrong("has a zero byte"),
        (Kind::Binary, Value::String(text)) if text.len() > MAX_BINARY_BYTES => {
            wrong(&format!("longer than {MAX_BINARY_BYTES} bytes"))
        }
        (Kind::Binary, Value::String(_)) => Ok(Some(value.clone())),
        // Some letters are longer in lower case, as which they are indexed.
        (_, Value::String(text))
            if text.len().max(fold(attribute, text).len()) > MAX_VALUE_BYTES =>
        {
            wrong(&format!("longer than {MAX_VALUE_BYTES} bytes"))
        }
        (_, Value::String(_)) => Ok(Some(value.clone())),
        _ => wrong("expected a string"),
    }
}

fn coerce_parts(
    extension: Option<&Schema>,
    attribute: &Attribute,
    sent: &Map<String, Value>,
) -> Result<Option<Value>, Error> {
    let mut parts = Map::new();
    for (name, value) in sent {
        let Some(sub) = attribute.sub_attribute(name) else {
            continue;
        };
        if sub.is_read_only() {
            continue;
        }
        if let Some(value) = coerce(extension, sub, value)?
            && parts.insert(sub.name.to_owned(), value).is_some()
        {
            return Err(twice(name));
        }
    }
    Ok((!parts.is_empty()).then_some(Value::Object(parts)))
}

pub(crate) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

pub(crate) fn too_many(attribute: &Attribute) -> Error {
    let name = attribute.name;
    value_error(format!("`{name}` has more than {MAX_ELEMENTS} elements"))
}

fn twice(name: &str) -> Error {
    syntax(format!("`{name}` is there twice"))
}

pub(crate) fn value_error(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidValue, detail)
}

pub(crate) fn syntax(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSyntax, detail)
}

#[cfg(test)]
mod tests;
