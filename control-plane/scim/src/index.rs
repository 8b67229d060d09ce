//! The values of a resource that can be searched and sorted by, one entry for
//! each simple value.

use serde_json::{Map, Value};

use crate::filter::fold;
use crate::path::key;
use crate::schema::{Attribute, Kind, ResourceType, Schema};

/// A value to find a resource by.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// [`AttributePath::key`](crate::AttributePath::key). The key of a complex
    /// attribute itself says that the element is not empty.
    pub key: String,
    /// Number of the element in its list, the primary one first; 0 where there
    /// is no list. What is sorted by is the lowest.
    pub element: i64,
    /// The value, folded where case does not count; `+` for bytes and for
    /// elements.
    pub value: String,
}

/// Every value of a resource but those that the server keeps elsewhere:
/// members of groups, and the attributes that every resource has but `schemas`.
pub fn entries(of: ResourceType, resource: &Map<String, Value>) -> Vec<Entry> {
    let mut entries = Vec::new();
    let mut schemas = vec![of.schema().id];
    collect(None, of.schema(), resource, &mut entries);
    for extension in of.extensions() {
        if let Some(Value::Object(part)) = resource.get(extension.id) {
            schemas.push(extension.id);
            collect(Some(extension), extension, part, &mut entries);
        }
    }
    entries.extend((0..).zip(schemas).map(|(element, schema)| Entry {
        key: "schemas".to_owned(),
        element,
        value: schema.to_owned(),
    }));
    entries
}

fn collect(
    extension: Option<&Schema>,
    schema: &Schema,
    of: &Map<String, Value>,
    entries: &mut Vec<Entry>,
) {
    for attribute in schema.attributes {
        if attribute.name == "members" {
            continue;
        }
        match of.get(attribute.name) {
            Some(Value::Array(elements)) => {
                for (element, value) in primary_first(elements) {
                    one(extension, attribute, element, value, entries);
                }
            }
            Some(value) => one(extension, attribute, 0, value, entries),
            None => {}
        }
    }
}

fn primary_first(elements: &[Value]) -> impl Iterator<Item = (i64, &Value)> {
    let is_primary = |value: &&Value| value.get("primary") == Some(&Value::Bool(true));
    let primary = elements.iter().filter(is_primary);
    let others = elements.iter().filter(move |value| !is_primary(value));
    (0..).zip(primary.chain(others))
}

fn one(
    extension: Option<&Schema>,
    attribute: &Attribute,
    element: i64,
    value: &Value,
    entries: &mut Vec<Entry>,
) {
    let Value::Object(parts) = value else {
        entries.extend(simple(attribute, value).map(|value| Entry {
            key: key(extension, attribute, None),
            element,
            value,
        }));
        return;
    };
    let mut is_empty = true;
    for sub in attribute.sub_attributes {
        let value = parts.get(sub.name).and_then(|value| simple(sub, value));
        if let Some(value) = value {
            is_empty &= value.is_empty();
            entries.push(Entry {
                key: key(extension, attribute, Some(sub)),
                element,
                value,
            });
        }
    }
    if !is_empty {
        entries.push(Entry {
            key: key(extension, attribute, None),
            element,
            value: is_there(is_empty).to_owned(),
        });
    }
}

/// What stands for values of which only is known whether they are empty.
const fn is_there(is_empty: bool) -> &'static str {
    match is_empty {
        true => "",
        false => "+",
    }
}

fn simple(attribute: &Attribute, value: &Value) -> Option<String> {
    match (attribute.kind, value) {
        // Too long for an index, and only asked for whether it is there.
        (Kind::Binary, Value::String(text)) => Some(is_there(text.is_empty()).to_owned()),
        (_, Value::String(text)) => Some(fold(attribute, text)),
        (_, Value::Bool(value)) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
