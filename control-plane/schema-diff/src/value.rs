//! Values and texts as JavaScript prints them: messages have them so, and
//! what is printed is what is compared.

use std::fmt::Write as _;

use apollo_compiler::Schema;
use apollo_compiler::ast::InputValueDefinition;
use apollo_compiler::schema::{ExtendedType, Type, Value};

/// Members and items that one default may have, with those of its types.
const MAX_PARTS: usize = 10_000;
/// Levels of them: defaults of input types lead to others.
const MAX_DEPTH: usize = 200;

/// What is left of the work that one default may cause.
struct Left {
    parts: usize,
    depth: usize,
}

/// A default value, read as its type says (`valueFromAST` of graphql-js).
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Coerced {
    Null,
    Boolean(bool),
    Number(f64),
    String(String),
    List(Vec<Coerced>),
    Object(Vec<(String, Coerced)>),
}

impl Coerced {
    /// The default of an argument or input field; none where there is none, or
    /// one that is not of its type.
    pub(crate) fn default_of(schema: &Schema, of: &InputValueDefinition) -> Option<Self> {
        Self::read(schema, &of.ty, of.default_value.as_ref()?)
    }

    /// Reads `value`; nothing if it is not of type `ty`.
    fn read(schema: &Schema, ty: &Type, value: &Value) -> Option<Self> {
        let mut left = Left {
            parts: MAX_PARTS,
            depth: MAX_DEPTH,
        };
        read(schema, ty, value, &mut left)
    }

    /// Whether both are the same value. Members may be in any order.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::List(left), Self::List(right)) => {
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(right)
                        .all(|(left, right)| left.is_same(right))
            }
            (Self::Object(left), Self::Object(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(name, value)| {
                        let mut all = right.iter();
                        all.any(|(other, theirs)| other == name && value.is_same(theirs))
                    })
            }
            _ => self == other,
        }
    }

    /// As graphql-inspector prints it (`object-inspect`).
    pub(crate) fn print(&self) -> String {
        match self {
            Self::String(text) => serde_json::Value::from(text.as_str()).to_string(),
            _ => self.inspect(0),
        }
    }

    fn inspect(&self, depth: usize) -> String {
        /// Levels that `object-inspect` shows.
        const SHOWN: usize = 5;
        match self {
            Self::Null => "null".to_owned(),
            Self::Boolean(value) => value.to_string(),
            Self::Number(value) => number(*value),
            Self::String(text) => single_quoted(text),
            Self::List(_) if depth >= SHOWN => "[Array]".to_owned(),
            Self::Object(_) if depth >= SHOWN => "[Object]".to_owned(),
            Self::List(items) if items.is_empty() => "[]".to_owned(),
            Self::Object(members) if members.is_empty() => "{}".to_owned(),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| item.inspect(depth + 1)).collect();
                format!("[ {} ]", items.join(", "))
            }
            Self::Object(members) => {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", value.inspect(depth + 1)))
                    .collect();
                format!("{{ {} }}", members.join(", "))
            }
        }
    }
}

fn read(schema: &Schema, ty: &Type, value: &Value, left: &mut Left) -> Option<Coerced> {
    left.parts = left.parts.checked_sub(1)?;
    left.depth = left.depth.checked_sub(1)?;
    let coerced = read_part(schema, ty, value, left)?;
    left.depth += 1;
    Some(coerced)
}

fn read_part(schema: &Schema, ty: &Type, value: &Value, left: &mut Left) -> Option<Coerced> {
    if value.is_null() {
        return (!ty.is_non_null()).then_some(Coerced::Null);
    }
    if ty.is_list() {
        let items = match value {
            Value::List(items) => items.as_slice(),
            // A single value is a list of one.
            other => {
                return Some(Coerced::List(vec![read(
                    schema,
                    ty.item_type(),
                    other,
                    left,
                )?]));
            }
        };
        let items = items.iter();
        let items: Option<Vec<_>> = items
            .map(|item| read(schema, ty.item_type(), item, left))
            .collect();
        return items.map(Coerced::List);
    }
    match schema.types.get(ty.inner_named_type()) {
        Some(ExtendedType::InputObject(ty)) => {
            let Value::Object(members) = value else {
                return None;
            };
            let mut read_members = Vec::new();
            for (name, field) in &ty.fields {
                let given = members.iter().find(|(member, _)| member == name);
                let value = match (given, &field.default_value) {
                    (Some((_, value)), _) | (None, Some(value)) => value,
                    (None, None) if field.ty.is_non_null() => return None,
                    (None, None) => continue,
                };
                let value = read(schema, &field.ty, value, left)?;
                read_members.push((name.to_string(), value));
            }
            // A choice has one member, and that a value.
            let is_choice = matches!(read_members.as_slice(), [(_, one)] if *one != Coerced::Null);
            let is_one_of = ty.directives.has("oneOf");
            (is_choice || !is_one_of).then_some(Coerced::Object(read_members))
        }
        Some(ExtendedType::Enum(ty)) => match value {
            Value::Enum(name) if ty.values.contains_key(name) => {
                Some(Coerced::String(name.to_string()))
            }
            _ => None,
        },
        Some(ExtendedType::Scalar(scalar)) => match (scalar.name.as_str(), value) {
            ("Int", Value::Int(value)) => {
                Some(Coerced::Number(f64::from(value.try_to_i32().ok()?)))
            }
            ("Float", Value::Int(value)) => parsed(value.as_str()),
            ("Float", Value::Float(value)) => parsed(value.as_str()),
            ("String", Value::String(text)) => Some(Coerced::String(text.clone())),
            ("Boolean", Value::Boolean(value)) => Some(Coerced::Boolean(*value)),
            ("ID", Value::String(text)) => Some(Coerced::String(text.clone())),
            ("ID", Value::Int(value)) => Some(Coerced::String(value.as_str().to_owned())),
            ("Int" | "Float" | "String" | "Boolean" | "ID", _) => None,
            (_, value) => untyped(value, left),
        },
        _ => None,
    }
}

/// A value of a scalar that nothing is known about (`valueFromASTUntyped`).
fn untyped(value: &Value, left: &mut Left) -> Option<Coerced> {
    left.parts = left.parts.checked_sub(1)?;
    match value {
        Value::Null => Some(Coerced::Null),
        Value::Enum(name) => Some(Coerced::String(name.to_string())),
        Value::String(text) => Some(Coerced::String(text.clone())),
        Value::Boolean(value) => Some(Coerced::Boolean(*value)),
        Value::Int(value) => parsed(value.as_str()),
        Value::Float(value) => parsed(value.as_str()),
        Value::Variable(_) => None,
        Value::List(items) => {
            let items: Option<Vec<_>> = items.iter().map(|item| untyped(item, left)).collect();
            items.map(Coerced::List)
        }
        Value::Object(members) => {
            let members: Option<Vec<_>> = members
                .iter()
                .map(|(name, value)| Some((name.to_string(), untyped(value, left)?)))
                .collect();
            members.map(Coerced::Object)
        }
    }
}

fn parsed(digits: &str) -> Option<Coerced> {
    digits.parse().ok().map(Coerced::Number)
}

/// `Number.prototype.toString` of ECMAScript.
fn number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        return "0".to_owned();
    }
    if (1e-6..1e21).contains(&size) {
        return value.to_string();
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, power)) if !power.starts_with('-') => format!("{digits}e+{power}"),
        _ => text,
    }
}

fn single_quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' | '\\' => out.extend(['\\', c]),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => {
                let _ = write!(out, "\\x{:02X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A literal as `print` of graphql-js 16 has it, but that a block string is
/// written like any other.
pub(crate) fn literal(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Enum(name) => name.to_string(),
        Value::Variable(name) => format!("${name}"),
        Value::String(text) => double_quoted(text),
        Value::Float(value) => value.as_str().to_owned(),
        Value::Int(value) => value.as_str().to_owned(),
        Value::Boolean(value) => value.to_string(),
        Value::List(items) => {
            let items: Vec<_> = items.iter().map(|item| literal(item)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{name}: {}", literal(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
    }
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..=' ' | '\u{7f}'..='\u{9f}' if c != ' ' => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A text between single quotes, in a message.
pub(crate) fn quoted(text: &str) -> String {
    text.replace('\'', "\\'")
}
