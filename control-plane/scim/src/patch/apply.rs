//! Steps on a resource.

use serde_json::{Map, Value};

use super::{Operation, Step, Target};
use crate::error::{Error, ErrorKind};
use crate::filter::{Filter, matches};
use crate::path::AttributePath;
use crate::resource::{
    MAX_ELEMENTS, Resource, check, check_size, coerce, coerce_one, is_primary, too_many,
    value_error,
};
use crate::schema::{Attribute, Kind, ResourceType, Schema};

/// Takes steps, all of them or, with an error, none.
///
/// # Errors
/// `noTarget`, `invalidValue`, `mutability`
pub fn apply(of: ResourceType, resource: &mut Resource, steps: &[Step]) -> Result<(), Error> {
    let mut next = resource.clone();
    for step in steps {
        take(&mut next, step)?;
        check_size(&next)?;
    }
    for extension in of.extensions() {
        if next.get(extension.id) == Some(&Value::Object(Map::new())) {
            next.remove(extension.id);
        }
    }
    check(of, &next)?;
    *resource = next;
    Ok(())
}

fn take(resource: &mut Resource, step: &Step) -> Result<(), Error> {
    match &step.target {
        Target::Extension(schema) => whole_extension(resource, schema, step),
        Target::Attribute(path) => {
            let container = container(resource, path.extension)?;
            attribute(container, path, step.operation, step.value.as_ref())
        }
        Target::Elements(path, filter, sub) => {
            let container = container(resource, path.extension)?;
            elements(container, path, filter, *sub, step)
        }
    }
}

/// The object that an attribute is in: the resource, or an extension.
fn container<'a>(
    resource: &'a mut Resource,
    extension: Option<&Schema>,
) -> Result<&'a mut Map<String, Value>, Error> {
    let Some(extension) = extension else {
        return Ok(resource);
    };
    let part = resource
        .entry(extension.id)
        .or_insert_with(|| Map::new().into());
    part.as_object_mut()
        .ok_or_else(|| value_error(format!("`{}` is an object", extension.id)))
}

fn whole_extension(
    resource: &mut Resource,
    schema: &'static Schema,
    step: &Step,
) -> Result<(), Error> {
    let values = match (step.operation, &step.value) {
        // Adding nothing takes nothing away.
        (Operation::Add, None | Some(Value::Null)) => return Ok(()),
        (Operation::Remove, _) | (_, None | Some(Value::Null)) => {
            resource.remove(schema.id);
            return Ok(());
        }
        (_, Some(Value::Object(values))) => values,
        _ => return Err(value_error(format!("`{}` is an object", schema.id))),
    };
    // As of a complex attribute, what is not mentioned stays.
    for (name, value) in values {
        // An extension may come as a resource does.
        if name.eq_ignore_ascii_case("schemas") {
            continue;
        }
        let Some(found) = schema.attribute(name) else {
            let detail = format!("`{}` has no `{name}`", schema.id);
            return Err(Error::new(ErrorKind::InvalidPath, detail));
        };
        if found.is_read_only() {
            continue;
        }
        let path = AttributePath {
            extension: Some(schema),
            attribute: found,
            sub_attribute: None,
        };
        let container = container(resource, Some(schema))?;
        attribute(container, &path, step.operation, Some(value))?;
    }
    Ok(())
}

fn attribute(
    of: &mut Map<String, Value>,
    path: &AttributePath,
    operation: Operation,
    value: Option<&Value>,
) -> Result<(), Error> {
    let (extension, attribute) = (path.extension, path.attribute);
    if path.sub_attribute.is_some() {
        return part(of, path, operation, value);
    }
    let name = attribute.name;
    let value = match (operation, value) {
        // Entra ID and JumpCloud: the elements to take away are a value.
        (Operation::Remove, Some(listed)) if attribute.is_multi_valued && !listed.is_null() => {
            return remove_listed(of, extension, attribute, listed);
        }
        (Operation::Remove, _) => None,
        // Parts that are not mentioned stay (RFC 7644 §3.5.2.1, §3.5.2.3).
        (_, Some(Value::Object(parts)))
            if attribute.kind == Kind::Complex && !attribute.is_multi_valued =>
        {
            for (name, value) in parts {
                let sub = attribute.sub_attribute(name);
                if let Some(sub) = sub.filter(|sub| !sub.is_read_only()) {
                    part(of, &path.with(sub), operation, Some(value))?;
                }
            }
            return Ok(());
        }
        (_, value) => coerce(extension, attribute, value.unwrap_or(&Value::Null))?,
    };
    let Some(value) = value else {
        if operation != Operation::Add {
            if attribute.is_required {
                return Err(required(name));
            }
            of.remove(name);
        }
        return Ok(());
    };
    match (of.get_mut(name), value) {
        (Some(Value::Array(known)), Value::Array(new)) if operation == Operation::Add => {
            append(attribute, known, new)?;
        }
        (Some(Value::Object(known)), Value::Object(new)) => known.extend(new),
        (_, value) => {
            of.insert(name.to_owned(), value);
        }
    }
    Ok(())
}

/// A part of a complex attribute that is no list.
fn part(
    of: &mut Map<String, Value>,
    path: &AttributePath,
    operation: Operation,
    value: Option<&Value>,
) -> Result<(), Error> {
    let (attribute, sub) = (path.attribute, path.leaf());
    let value = match (operation, value) {
        (Operation::Remove, _) | (_, None) => None,
        (_, Some(value)) => coerce(path.extension, sub, value)?,
    };
    match value {
        None if operation == Operation::Add => {}
        Some(value) => {
            let parts = of
                .entry(attribute.name)
                .or_insert_with(|| Map::new().into());
            if let Value::Object(parts) = parts {
                parts.insert(sub.name.to_owned(), value);
            }
        }
        None => {
            if let Some(Value::Object(parts)) = of.get_mut(attribute.name) {
                parts.remove(sub.name);
                if parts.is_empty() {
                    of.remove(attribute.name);
                }
            }
        }
    }
    Ok(())
}

fn required(name: &str) -> Error {
    let detail = format!("`{name}` is required");
    Error::new(ErrorKind::Mutability, detail)
}

/// Adds what is not there yet; a new primary element takes the place of the
/// one that was.
fn append(attribute: &Attribute, known: &mut Vec<Value>, new: Vec<Value>) -> Result<(), Error> {
    let mut added: Vec<Value> = Vec::new();
    for element in new {
        if !known.contains(&element) && !added.contains(&element) {
            added.push(element);
        }
    }
    if added.iter().any(is_primary) {
        no_primary(known);
    }
    known.append(&mut added);
    // Here, too: the next step looks at each of them again.
    match known.len() > MAX_ELEMENTS && attribute.name != "members" {
        true => Err(too_many(attribute)),
        false => Ok(()),
    }
}

fn no_primary(elements: &mut [Value]) {
    for element in elements {
        if let Some(primary) = element.get_mut("primary") {
            *primary = false.into();
        }
    }
}

fn remove_listed(
    of: &mut Map<String, Value>,
    extension: Option<&Schema>,
    attribute: &Attribute,
    listed: &Value,
) -> Result<(), Error> {
    let Some(Value::Array(listed)) = coerce(extension, attribute, listed)? else {
        // An empty list names nothing to take away.
        return Ok(());
    };
    let is_listed = |element: &Value| {
        listed.iter().any(|one| {
            let Some(parts) = one.as_object() else {
                return false;
            };
            // The server may say otherwise where it is.
            let is_known = parts.contains_key("value");
            let mut parts = parts.iter();
            parts.all(|(name, value)| {
                (is_known && name == "$ref") || element.get(name) == Some(value)
            })
        })
    };
    if let Some(Value::Array(known)) = of.get_mut(attribute.name) {
        known.retain(|element| !is_listed(element));
        if known.is_empty() {
            of.remove(attribute.name);
        }
    }
    Ok(())
}

fn elements(
    of: &mut Map<String, Value>,
    path: &AttributePath,
    filter: &Filter,
    sub: Option<&'static Attribute>,
    step: &Step,
) -> Result<(), Error> {
    let name = path.attribute.name;
    let mut known = match of.remove(name) {
        Some(Value::Array(known)) => known,
        _ => Vec::new(),
    };
    if step.operation == Operation::Remove {
        // Nothing that matches is nothing to take away.
        match sub {
            None => known.retain(|element| !matches(filter, element)),
            Some(sub) => {
                let hits = known.iter_mut().filter(|element| matches(filter, element));
                for element in hits {
                    if let Value::Object(parts) = element {
                        parts.remove(sub.name);
                    }
                }
            }
        }
    } else {
        set_elements(&mut known, path, filter, sub, step)?;
    }
    known.retain(|element| element.as_object().is_none_or(|parts| !parts.is_empty()));
    if !known.is_empty() {
        of.insert(name.to_owned(), Value::Array(known));
    }
    Ok(())
}

fn set_elements(
    known: &mut Vec<Value>,
    path: &AttributePath,
    filter: &Filter,
    sub: Option<&'static Attribute>,
    step: &Step,
) -> Result<(), Error> {
    let value = step.value.as_ref().unwrap_or(&Value::Null);
    let new: Map<String, Value> = match sub {
        Some(sub) => {
            let value = coerce(path.extension, sub, value)?;
            let value = value.map(|value| (sub.name.to_owned(), value));
            value.into_iter().collect()
        }
        None => {
            let value = match value {
                Value::Array(list) => match list.as_slice() {
                    [only] => only,
                    _ => return Err(value_error("expected one element")),
                },
                one => one,
            };
            match coerce_one(path.extension, path.attribute, value)? {
                Some(Value::Object(parts)) => parts,
                _ => Map::new(),
            }
        }
    };
    if !known.iter().any(|element| matches(filter, element)) {
        // Entra ID sets the work address of a user who has none.
        let described = step.described.clone().filter(|element| {
            // Unless it says two things of one part.
            matches(filter, &Value::Object(element.clone()))
        });
        let Some(mut element) = described else {
            let detail = format!("no element of `{}` is meant", path.attribute.name);
            return Err(Error::new(ErrorKind::NoTarget, detail));
        };
        if !new.is_empty() {
            element.extend(new);
            append(path.attribute, known, vec![Value::Object(element)])?;
        }
        return Ok(());
    }
    let becomes_primary = new.get("primary") == Some(&Value::Bool(true));
    let hits: Vec<bool> = known.iter().map(|one| matches(filter, one)).collect();
    if becomes_primary {
        no_primary(known);
    }
    for (element, _) in known.iter_mut().zip(hits).filter(|(_, hit)| *hit) {
        let Value::Object(parts) = element else {
            continue;
        };
        match (step.operation, sub) {
            (Operation::Replace, None) => *parts = new.clone(),
            (Operation::Replace, Some(sub)) if new.is_empty() => {
                parts.remove(sub.name);
            }
            _ => parts.extend(new.clone()),
        }
    }
    Ok(())
}
