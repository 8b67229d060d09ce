//! GraphQL literals as JSON text.

use std::fmt::Write as _;

use apollo_compiler::Name;
use apollo_compiler::schema::Value;

/// JSON text of `value`: enums as strings, members in the order of the
/// source, numbers as they are written (every GraphQL number is a JSON one).
///
/// # Errors
/// The first variable inside, which has no JSON text.
pub(crate) fn text(value: &Value) -> Result<String, Name> {
    let mut out = String::new();
    write(value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut String) -> Result<(), Name> {
    match value {
        Value::Null => out.push_str("null"),
        Value::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => out.push_str(value.as_str()),
        Value::Float(value) => out.push_str(value.as_str()),
        Value::String(value) => string(value, out),
        Value::Enum(name) => string(name, out),
        Value::Variable(name) => return Err(name.clone()),
        Value::List(items) => {
            out.push('[');
            for (number, item) in items.iter().enumerate() {
                separate(number, out);
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (number, (name, value)) in members.iter().enumerate() {
                separate(number, out);
                string(name, out);
                out.push(':');
                write(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

fn separate(number: usize, out: &mut String) {
    if number > 0 {
        out.push(',');
    }
}

pub(crate) fn string(value: &str, out: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{}", serde_json::Value::from(value));
}
