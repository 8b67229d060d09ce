//! Whether an element of a list is meant: for the paths of PATCH. Lists of
//! resources are searched by the database.

use serde_json::Value;

use super::value::fold;
use super::{Comparison, Condition, Filter, Literal, Test};
use crate::schema::Attribute;

/// Whether the filter, made of tests on sub-attributes, holds for an element.
pub fn matches(filter: &Filter, element: &Value) -> bool {
    match filter {
        Filter::And(parts) => parts.iter().all(|part| matches(part, element)),
        Filter::Or(parts) => parts.iter().any(|part| matches(part, element)),
        Filter::Not(part) => !matches(part, element),
        Filter::Test(test) => is_true(test, element),
        Filter::Element(..) | Filter::Nothing => false,
    }
}

fn is_true(test: &Test, element: &Value) -> bool {
    let attribute = test.path.leaf();
    let value = element.get(attribute.name).filter(|value| !value.is_null());
    match &test.condition {
        Condition::Present => value.is_some_and(|value| value != ""),
        Condition::Compare(comparison, literal) => compare(attribute, value, *comparison, literal),
    }
}

fn compare(
    attribute: &Attribute,
    value: Option<&Value>,
    comparison: Comparison,
    literal: &Literal,
) -> bool {
    if comparison == Comparison::NotEqual {
        return !compare(attribute, value, Comparison::Equal, literal);
    }
    match (value, literal) {
        (value, Literal::Null) => comparison == Comparison::Equal && value.is_none(),
        (Some(Value::Bool(value)), Literal::Boolean(literal)) => value == literal,
        (Some(Value::String(value)), Literal::Text(literal)) => {
            let value = fold(attribute, value);
            match comparison {
                Comparison::Equal => value == *literal,
                Comparison::NotEqual => value != *literal,
                Comparison::Contains => value.contains(literal.as_str()),
                Comparison::StartsWith => value.starts_with(literal.as_str()),
                Comparison::EndsWith => value.ends_with(literal.as_str()),
                Comparison::Greater => value > *literal,
                Comparison::GreaterOrEqual => value >= *literal,
                Comparison::Less => value < *literal,
                Comparison::LessOrEqual => value <= *literal,
            }
        }
        _ => false,
    }
}
