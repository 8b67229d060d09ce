//! What of a resource a caller asked for (RFC 7644 §3.9).

use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind};
use crate::path::split_urn;
use crate::schema::{Attribute, ResourceType, Returned, Schema};

/// `attributes` or `excludedAttributes`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Projection {
    /// Everything that is returned by default.
    #[default]
    Default,
    /// These, and what is always returned.
    Only(Vec<String>),
    /// Everything but these.
    Without(Vec<String>),
}

/// Most names of a projection.
const MAX_NAMES: usize = 100;

impl Projection {
    /// From both parameters; names are separated by commas.
    ///
    /// # Errors
    /// `invalidValue` where both are given: the RFC has them exclude each other.
    pub fn new(attributes: &[String], excluded: &[String]) -> Result<Self, Error> {
        let names = |of: &[String]| -> Vec<String> {
            let names = of.iter().flat_map(|list| list.split(','));
            let names = names.map(|name| name.trim().to_owned());
            names.filter(|name| !name.is_empty()).collect()
        };
        let (only, without) = (names(attributes), names(excluded));
        if only.len() + without.len() > MAX_NAMES {
            let detail = format!("more than {MAX_NAMES} attributes");
            return Err(Error::new(ErrorKind::InvalidValue, detail));
        }
        match (only.is_empty(), without.is_empty()) {
            (true, true) => Ok(Self::Default),
            (false, true) => Ok(Self::Only(only)),
            (true, false) => Ok(Self::Without(without)),
            (false, false) => Err(Error::new(
                ErrorKind::InvalidValue,
                "`attributes` and `excludedAttributes` exclude each other",
            )),
        }
    }

    /// Whether a core attribute is to be read at all: members of a group are
    /// many.
    pub fn wants(&self, of: ResourceType, attribute: &str) -> bool {
        let names = |list: &[String]| {
            let mut paths = list.iter().map(|name| split_urn(of, name));
            paths.any(|(schema, rest)| {
                let is_core = schema.is_none_or(|schema| schema.id == of.schema().id);
                let (name, sub) = rest.split_once('.').unwrap_or((rest, ""));
                let is_named = is_core && name.eq_ignore_ascii_case(attribute);
                is_named && (sub.is_empty() || matches!(self, Self::Only(_)))
            })
        };
        match self {
            Self::Default => true,
            Self::Only(list) => names(list),
            Self::Without(list) => !names(list),
        }
    }

    /// Whether something of an extension was asked for by name.
    pub fn asks_for(&self, of: ResourceType, extension: &Schema) -> bool {
        let Self::Only(names) = self else {
            return false;
        };
        let mut schemas = names.iter().filter_map(|name| split_urn(of, name).0);
        schemas.any(|schema| schema.id == extension.id)
    }

    /// Leaves of a resource what was asked for.
    pub fn apply(&self, of: ResourceType, resource: &mut Map<String, Value>) {
        match self {
            Self::Default => {}
            Self::Only(names) => {
                let full = std::mem::take(resource);
                for (name, value) in &full {
                    if name == "schemas" || is_always(of, name) {
                        resource.insert(name.clone(), value.clone());
                    }
                }
                for path in names {
                    select(of, path, &full, resource);
                }
                drop_empty(resource);
            }
            Self::Without(names) => {
                for path in names {
                    remove(of, path, resource);
                }
                drop_empty(resource);
            }
        }
    }
}

/// Where a part was asked for, or left out, nothing may be left of the whole.
fn drop_empty(of: &mut Map<String, Value>) {
    of.retain(|_, value| match value {
        Value::Object(parts) => {
            drop_empty(parts);
            !parts.is_empty()
        }
        Value::Array(elements) => {
            elements.retain(|one| one.as_object().is_none_or(|parts| !parts.is_empty()));
            !elements.is_empty()
        }
        _ => true,
    });
}

fn is_always(of: ResourceType, name: &str) -> bool {
    of.attribute(name)
        .is_some_and(|attribute: &Attribute| attribute.returned == Returned::Always)
}

/// Where a path points: the object it is in, the name, the sub-attribute.
struct Place<'a> {
    container: Option<&'static str>,
    name: &'a str,
    sub: Option<&'a str>,
}

fn place(of: ResourceType, path: &str) -> Place<'_> {
    let (schema, rest) = split_urn(of, path);
    let container = schema.map(|schema| schema.id);
    let (name, sub) = match rest.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (rest, None),
    };
    Place {
        container: container.filter(|id| *id != of.schema().id),
        name,
        sub,
    }
}

/// A member by its name, whatever its case.
fn member<'a>(of: &'a Map<String, Value>, name: &str) -> Option<(&'a String, &'a Value)> {
    of.iter().find(|(key, _)| key.eq_ignore_ascii_case(name))
}

fn select(of: ResourceType, path: &str, from: &Map<String, Value>, into: &mut Map<String, Value>) {
    let Place {
        container,
        name,
        sub,
    } = place(of, path);
    let (from, into) = match container {
        None => (from, into),
        Some(id) => {
            let Some(Value::Object(part)) = from.get(id) else {
                return;
            };
            if name.is_empty() {
                into.insert(id.to_owned(), Value::Object(part.clone()));
                return;
            }
            let entry = into.entry(id).or_insert_with(|| Map::new().into());
            let Value::Object(into) = entry else {
                return;
            };
            (part, into)
        }
    };
    let Some((key, value)) = member(from, name) else {
        return;
    };
    let Some(sub) = sub else {
        into.insert(key.clone(), value.clone());
        return;
    };
    if !matches!(value, Value::Object(_) | Value::Array(_)) {
        return;
    }
    let part = |value: &Value| -> Map<String, Value> {
        let found = value.as_object().and_then(|parts| member(parts, sub));
        found
            .map(|(key, value)| (key.clone(), value.clone()))
            .into_iter()
            .collect()
    };
    match (value, into.get_mut(key)) {
        (Value::Array(elements), None) => {
            let parts = elements.iter().map(|one| part(one).into());
            into.insert(key.clone(), Value::Array(parts.collect()));
        }
        (Value::Array(elements), Some(Value::Array(known))) => {
            for (known, element) in known.iter_mut().zip(elements) {
                if let Value::Object(known) = known {
                    known.extend(part(element));
                }
            }
        }
        (value, Some(Value::Object(known))) => known.extend(part(value)),
        (value, _) => {
            into.insert(key.clone(), part(value).into());
        }
    }
}

fn remove(of: ResourceType, path: &str, from: &mut Map<String, Value>) {
    let Place {
        container,
        name,
        sub,
    } = place(of, path);
    let target = match container {
        None => from,
        Some(id) if name.is_empty() => {
            from.remove(id);
            return;
        }
        Some(id) => match from.get_mut(id) {
            Some(Value::Object(part)) => part,
            _ => return,
        },
    };
    let Some(key) = member(target, name).map(|(key, _)| key.clone()) else {
        return;
    };
    // What is always returned cannot be excluded.
    if container.is_none() && (is_always(of, &key) || key == "schemas") {
        return;
    }
    let Some(sub) = sub else {
        target.remove(&key);
        return;
    };
    let drop_part = |value: &mut Value| {
        if let Value::Object(parts) = value
            && let Some(key) = member(parts, sub).map(|(key, _)| key.clone())
        {
            parts.remove(&key);
        }
    };
    match target.get_mut(&key) {
        Some(Value::Array(elements)) => elements.iter_mut().for_each(drop_part),
        Some(value) => drop_part(value),
        None => {}
    }
}

#[cfg(test)]
mod tests;
