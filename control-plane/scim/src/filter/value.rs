//! What is compared, and how.

use serde_json::Value;

use super::invalid;
use crate::error::Error;
use crate::schema::{Attribute, Kind};
use crate::time;

/// Operators that compare.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Contains.
    Contains,
    /// Starts with.
    StartsWith,
    /// Ends with.
    EndsWith,
    /// Greater.
    Greater,
    /// Greater or equal.
    GreaterOrEqual,
    /// Less.
    Less,
    /// Less or equal.
    LessOrEqual,
}

impl Comparison {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Equal,
        Self::NotEqual,
        Self::Contains,
        Self::StartsWith,
        Self::EndsWith,
        Self::Greater,
        Self::GreaterOrEqual,
        Self::Less,
        Self::LessOrEqual,
    ];

    /// As a filter has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "eq",
            Self::NotEqual => "ne",
            Self::Contains => "co",
            Self::StartsWith => "sw",
            Self::EndsWith => "ew",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "ge",
            Self::Less => "lt",
            Self::LessOrEqual => "le",
        }
    }

    const fn is_ordering(self) -> bool {
        use Comparison::{Greater, GreaterOrEqual, Less, LessOrEqual};
        matches!(self, Greater | GreaterOrEqual | Less | LessOrEqual)
    }

    const fn is_of_parts(self) -> bool {
        matches!(self, Self::Contains | Self::StartsWith | Self::EndsWith)
    }
}

/// What a value is compared with.
#[derive(Clone, PartialEq, Debug)]
pub enum Literal {
    /// Text, folded where case does not count.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// Milliseconds since the epoch.
    Time(i64),
    /// No value. It is equal to a missing one, and compares with nothing else.
    Null,
}

/// Text as it is compared.
pub fn fold(attribute: &Attribute, text: &str) -> String {
    match attribute.is_case_exact {
        true => text.to_owned(),
        // `Σ` becomes another letter at the end of a word, where a part of a
        // value may not end.
        false => text.to_lowercase().replace('ς', "σ"),
    }
}

impl Literal {
    /// A literal that an attribute can be compared with (RFC 7644 §3.4.2.2:
    /// booleans and bytes have no order).
    pub(super) fn of(
        attribute: &Attribute,
        comparison: Comparison,
        value: &Value,
    ) -> Result<Self, Error> {
        let wrong = |what: &str| {
            let operator = comparison.as_str();
            invalid(format!("`{}` {operator}: {what}", attribute.name))
        };
        match (attribute.kind, value) {
            (Kind::Complex, _) => Err(wrong("it is complex; compare a part of it")),
            (Kind::Boolean, _) if comparison.is_ordering() || comparison.is_of_parts() => {
                Err(wrong("a boolean has no order and no parts"))
            }
            (Kind::Binary, _) if comparison.is_ordering() || comparison.is_of_parts() => {
                Err(wrong("bytes have no order and no parts"))
            }
            (_, Value::Null) => Ok(Self::Null),
            // No value has it, and PostgreSQL takes no text with it.
            (_, Value::String(text)) if text.contains('\0') => Err(wrong("has a zero byte")),
            (Kind::Boolean, Value::Bool(value)) => Ok(Self::Boolean(*value)),
            // Entra ID sends booleans as text.
            (Kind::Boolean, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
                "true" => Ok(Self::Boolean(true)),
                "false" => Ok(Self::Boolean(false)),
                _ => Err(wrong("expected true or false")),
            },
            (Kind::Boolean, _) => Err(wrong("expected true or false")),
            (Kind::Time, _) if comparison.is_of_parts() => {
                Err(wrong("a point in time has no parts"))
            }
            (Kind::Time, Value::String(text)) => {
                let time = time::parse(text);
                time.map(Self::Time)
                    .ok_or_else(|| wrong("expected a time, as 2026-01-31T23:59:59Z"))
            }
            (Kind::Binary, _) => Err(wrong("bytes cannot be searched")),
            (Kind::Text | Kind::Reference, Value::String(text)) => {
                Ok(Self::Text(fold(attribute, text)))
            }
            (Kind::Time | Kind::Text | Kind::Reference, _) => Err(wrong("expected a string")),
        }
    }
}
