//! From the body of a PATCH to steps.

use serde_json::{Map, Value};

use super::{MAX_OPERATIONS, MAX_TERMS, Operation, Step, Target};
use crate::error::{Error, ErrorKind};
use crate::filter::{Comparison, Parser, Raw, name, resolve};
use crate::path::{AttributePath, split_urn};
use crate::resource::{self, coerce, syntax};
use crate::schema::{Mutability, ResourceType, TENANT};

/// Reads the body of a PATCH of the resource `id`.
///
/// # Errors
/// `invalidSyntax`, `invalidPath`, `invalidFilter`, `mutability`, `noTarget`
pub fn read(of: ResourceType, id: &str, body: &Value) -> Result<Vec<Step>, Error> {
    let body = body
        .as_object()
        .ok_or_else(|| syntax("a PATCH is a JSON object"))?;
    let operations = member(body, "Operations").and_then(Value::as_array);
    let operations = operations
        .filter(|operations| !operations.is_empty())
        .ok_or_else(|| syntax("`Operations` must be a list with at least one operation"))?;
    if operations.len() > MAX_OPERATIONS {
        let detail = format!("more than {MAX_OPERATIONS} operations");
        return Err(Error::new(ErrorKind::TooMany, detail));
    }
    let mut steps = Vec::with_capacity(operations.len());
    for operation in operations {
        let operation = operation
            .as_object()
            .ok_or_else(|| syntax("an operation is a JSON object"))?;
        one(of, id, operation, &mut steps)?;
    }
    Ok(steps)
}

/// The tenants that a client says the resource is of, in the body or in the
/// value of an operation.
pub fn claimed_tenants(body: &Value) -> impl Iterator<Item = &str> {
    let operations = body.as_object().and_then(|body| member(body, "Operations"));
    let operations = operations.and_then(Value::as_array).into_iter().flatten();
    let values = operations.filter_map(|operation| member(operation.as_object()?, "value"));
    std::iter::once(body)
        .chain(values)
        .flat_map(resource::claimed_tenants)
}

fn member<'a>(of: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let mut members = of.iter();
    let found = members.find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value)
}

fn one(
    of: ResourceType,
    id: &str,
    sent: &Map<String, Value>,
    steps: &mut Vec<Step>,
) -> Result<(), Error> {
    let operation = member(sent, "op").and_then(Value::as_str);
    let operation = match operation.map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Operation::Add,
        Some("replace") => Operation::Replace,
        Some("remove") => Operation::Remove,
        _ => return Err(syntax("`op` must be add, replace or remove")),
    };
    let value = member(sent, "value").cloned();
    let path = match member(sent, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) if path.is_empty() => None,
        Some(Value::String(path)) => Some(path),
        Some(_) => return Err(syntax("`path` must be a string")),
    };
    let Some(path) = path else {
        return without_path(of, id, operation, value, steps);
    };
    if operation != Operation::Remove && value.is_none() {
        return Err(syntax("`value` is missing"));
    }
    // Okta sets one; there is none here to set.
    if of == ResourceType::User && path.eq_ignore_ascii_case("password") {
        return Ok(());
    }
    let (target, described) = target(of, path)?;
    refuse_read_only(&target)?;
    steps.push(Step {
        operation,
        target,
        value,
        described,
    });
    Ok(())
}

/// Every member of the value is a target. Entra ID names them by whole paths.
fn without_path(
    of: ResourceType,
    id: &str,
    operation: Operation,
    value: Option<Value>,
    steps: &mut Vec<Step>,
) -> Result<(), Error> {
    if operation == Operation::Remove {
        let detail = "remove needs a `path`";
        return Err(Error::new(ErrorKind::NoTarget, detail));
    }
    let Some(Value::Object(values)) = value else {
        return Err(syntax("without a `path`, `value` must be an object"));
    };
    for (name, value) in values {
        let lower = name.to_ascii_lowercase();
        match lower.as_str() {
            // Okta sends the id along; it is not changed by that.
            "id" if value == id => continue,
            "schemas" | "meta" | "groups" | "password" => continue,
            // Whether it is the token's was asked before.
            _ if lower == TENANT.id => continue,
            _ => {}
        }
        let (target, described) = target(of, &name)?;
        refuse_read_only(&target)?;
        steps.push(Step {
            operation,
            target,
            value: Some(value),
            described,
        });
    }
    Ok(())
}

fn refuse_read_only(target: &Target) -> Result<(), Error> {
    let (is_read_only, what) = match target {
        Target::Extension(schema) => (schema.id == TENANT.id, schema.id),
        Target::Attribute(path) => {
            let sub = path.sub_attribute.is_some_and(|sub| sub.is_read_only());
            (path.attribute.is_read_only() || sub, path.attribute.name)
        }
        // What is immutable comes and goes with its element.
        Target::Elements(path, _, sub) => {
            let sub = sub.is_some_and(|sub| sub.mutability != Mutability::ReadWrite);
            (path.attribute.is_read_only() || sub, path.attribute.name)
        }
    };
    match is_read_only {
        true => Err(Error::new(
            ErrorKind::Mutability,
            format!("`{what}` cannot be changed so"),
        )),
        false => Ok(()),
    }
}

type Described = Option<Map<String, Value>>;

fn target(of: ResourceType, path: &str) -> Result<(Target, Described), Error> {
    let unknown = || {
        let detail = format!("`{path}` is no path of a {}", of.name());
        Error::new(ErrorKind::InvalidPath, detail)
    };
    let (schema, rest) = split_urn(of, path);
    // A path that ends with a colon has lost its attribute.
    if let (Some(schema), true) = (schema, rest.is_empty() && !path.ends_with(':')) {
        return match schema.id == of.schema().id {
            true => Err(unknown()),
            false => Ok((Target::Extension(schema), None)),
        };
    }
    let (attribute, rest) = name(path);
    let attribute = AttributePath::parse(of, attribute).ok_or_else(unknown)?;
    if rest.is_empty() {
        // A part of which element?
        if attribute.attribute.is_multi_valued && attribute.sub_attribute.is_some() {
            return Err(unknown());
        }
        return Ok((Target::Attribute(attribute), None));
    }
    let rest = rest.strip_prefix('[').ok_or_else(unknown)?;
    if !attribute.attribute.is_multi_valued {
        return Err(unknown());
    }
    let (raw, rest) = Parser::brackets(rest)?;
    let is_members = attribute.extension.is_none() && attribute.attribute.name == "members";
    if !is_members && raw.paths().count() > MAX_TERMS {
        let detail = format!("the filter of a path has at most {MAX_TERMS} comparisons");
        return Err(Error::new(ErrorKind::TooMany, detail));
    }
    let filter = resolve::element(attribute, &raw)?;
    let sub = match rest.strip_prefix('.') {
        Some(sub) => Some(attribute.attribute.sub_attribute(sub).ok_or_else(unknown)?),
        None if rest.is_empty() => None,
        None => return Err(unknown()),
    };
    let described = described(attribute, &raw);
    Ok((Target::Elements(attribute, filter, sub), described))
}

/// The element as it was written: its filter has no case where none counts.
fn described(of: AttributePath, raw: &Raw) -> Described {
    match raw {
        Raw::And(parts) => {
            let mut element = Map::new();
            for part in parts {
                element.extend(described(of, part)?);
            }
            Some(element)
        }
        Raw::Test(name, Some((Comparison::Equal, value))) => {
            let sub = of.attribute.sub_attribute(name)?;
            let value = coerce(of.extension, sub, value).ok()??;
            Some(Map::from_iter([(sub.name.to_owned(), value)]))
        }
        _ => None,
    }
}
