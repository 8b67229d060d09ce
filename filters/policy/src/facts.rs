//! Facts: the values of a request that policies may ask for.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ig_contract::snapshot::{FactSource, Operation, PathStep};
use serde_json::Value;
use serde_json::value::RawValue;

/// Why a fact has no value that policy could judge.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidFact {
    /// JSON of the record or the request does not parse.
    #[error("the JSON of fact `{0}` does not parse")]
    Json(String),
    /// The request has a scalar where the schema has an object.
    #[error("fact `{0}` lies below a value that is no object")]
    NotAnObject(String),
}

/// Collects every value of every fact of `operation`: one list per fact, in
/// the order of the record.
///
/// # Errors
/// [`InvalidFact`] where the variables do not have the schema's shape. No
/// upstream accepts such a request, and no policy should have to judge it.
pub fn collect(
    operation: &Operation,
    variables: &[(Cow<'_, str>, &RawValue)],
) -> Result<BTreeMap<String, Vec<Value>>, InvalidFact> {
    let mut facts = BTreeMap::<String, Vec<Value>>::new();
    for fact in &operation.facts {
        let values = facts.entry(fact.name.clone()).or_default();
        let json = || InvalidFact::Json(fact.name.clone());
        match &fact.source {
            FactSource::Literal(literal) => {
                values.push(serde_json::from_str(literal).map_err(|_| json())?);
            }
            FactSource::Variable(path) => {
                let sent = variables.iter().find(|(name, _)| *name == path.variable);
                let text = sent.map(|(_, raw)| raw.get()).or(path.default.as_deref());
                let Some(text) = text else { continue };
                let value: Value = serde_json::from_str(text).map_err(|_| json())?;
                walk(&value, &path.steps, &fact.name, values)?;
            }
        }
    }
    Ok(facts)
}

fn walk(
    value: &Value,
    steps: &[PathStep],
    fact: &str,
    values: &mut Vec<Value>,
) -> Result<(), InvalidFact> {
    match (steps.split_first(), value) {
        (None, value) => values.push(value.clone()),
        // Nothing below null is given.
        (Some(_), Value::Null) => {}
        (Some((PathStep::Each, rest)), Value::Array(items)) => {
            for item in items {
                walk(item, rest, fact, values)?;
            }
        }
        (Some((PathStep::Each, rest)), single) => walk(single, rest, fact, values)?,
        (Some((PathStep::Field { name, default }, rest)), Value::Object(members)) => {
            match (members.get(name), default) {
                (Some(member), _) => walk(member, rest, fact, values)?,
                (None, Some(default)) => {
                    let default = serde_json::from_str(default)
                        .map_err(|_| InvalidFact::Json(fact.to_owned()))?;
                    walk(&default, rest, fact, values)?;
                }
                (None, None) => {}
            }
        }
        (Some((PathStep::Field { .. }, _)), _) => {
            return Err(InvalidFact::NotAnObject(fact.to_owned()));
        }
    }
    Ok(())
}
