//! The input document of policies; `policies/README.md` shows it to authors.

use std::collections::BTreeMap;

use ig_contract::snapshot::{Operation, Resource};
use regorus::Value;

use crate::Actor;

fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let members = members
        .into_iter()
        .map(|(name, value)| (Value::from(name), value));
    Value::from(members.collect::<BTreeMap<_, _>>())
}

fn array<'a>(items: impl IntoIterator<Item = &'a String>) -> Value {
    Value::from(
        items
            .into_iter()
            .map(|item| Value::from(item.as_str()))
            .collect::<Vec<_>>(),
    )
}

fn optional(text: Option<&str>) -> Value {
    text.map_or(Value::Null, Value::from)
}

pub(crate) fn actor(actor: &Actor) -> Value {
    object([
        ("iss", Value::from(actor.issuer.as_str())),
        ("sub", Value::from(actor.subject.as_str())),
        ("tenant", Value::from(actor.tenant.as_str())),
        ("groups", array(&actor.groups)),
        ("purposes", array(&actor.purposes)),
    ])
}

pub(crate) fn tenant(actor: &Actor) -> Value {
    object([
        ("id", Value::from(actor.tenant.as_str())),
        ("region", optional(actor.region.as_deref())),
    ])
}

fn operation(operation: &Operation) -> Value {
    object([
        ("name", Value::from(operation.name.as_str())),
        ("type", Value::from(operation.kind.as_str())),
        (
            "actions",
            array(operation.actions.iter().map(|action| &action.name)),
        ),
        ("crossTenant", Value::from(operation.cross_tenant)),
        ("stepUp", Value::from(operation.step_up)),
    ])
}

fn resource(resource: &Resource) -> Value {
    let mut members = BTreeMap::from([(Value::from("pii"), Value::from(resource.pii))]);
    if let Some(retention) = &resource.retention {
        members.insert(Value::from("retention"), Value::from(retention.as_str()));
    }
    if let Some(class) = &resource.license_class {
        members.insert(Value::from("licenseClass"), Value::from(class.as_str()));
    }
    Value::from(members)
}

/// Builds the input of one decision.
pub fn input(
    actor: &Actor,
    purpose: &str,
    authority: Option<&str>,
    of: &Operation,
    facts: BTreeMap<String, Vec<serde_json::Value>>,
) -> Value {
    let facts = facts.into_iter().map(|(name, values)| {
        let values: Vec<_> = values.into_iter().map(Value::from).collect();
        (Value::from(name), Value::from(values))
    });
    let (actor, tenant) = actor.input.clone();
    object([
        ("actor", actor),
        ("tenant", tenant),
        ("purpose", Value::from(purpose)),
        ("authority", optional(authority)),
        ("operation", operation(of)),
        (
            "resources",
            Value::from(of.resources.iter().map(resource).collect::<Vec<_>>()),
        ),
        ("facts", Value::from(facts.collect::<BTreeMap<_, _>>())),
    ])
}
