//! Tests as data: small schemas, documents, and what is expected of them.

mod actions;
mod costs;
mod documents;
mod facts;
mod fuzz;
mod growth;
mod property;
mod schemas;

use ig_contract::snapshot::{FactSource, Operation, PathStep};

use crate::{InvalidDocument, Limits, Schema, compile};

fn schema(sdl: &str) -> Schema {
    Schema::parse(sdl, Limits::SCHEMA).unwrap_or_else(|invalid| panic!("{invalid}\n{sdl}"))
}

fn operations(schema: &Schema, text: &str) -> Vec<Operation> {
    compile(schema, text, Limits::DOCUMENT).unwrap_or_else(|invalid| panic!("{invalid}\n{text}"))
}

fn operation(schema: &Schema, text: &str) -> Operation {
    let mut operations = operations(schema, text);
    assert_eq!(operations.len(), 1, "{text}");
    operations.remove(0)
}

fn errors(schema: &Schema, text: &str) -> Vec<String> {
    let invalid: InvalidDocument = compile(schema, text, Limits::DOCUMENT).unwrap_err();
    let reasons = invalid.into_reasons();
    reasons.iter().map(ToString::to_string).collect()
}

/// Actions as `name` or `name[purpose,purpose]`.
fn actions(operation: &Operation) -> Vec<String> {
    let actions = operation.actions.iter();
    let show = |action: &ig_contract::snapshot::Action| match action.purposes.as_slice() {
        [] => action.name.clone(),
        purposes => format!("{}[{}]", action.name, purposes.join(",")),
    };
    actions.map(show).collect()
}

/// Facts as `name=literal` or `name=$variable?default.field?default[]`.
fn facts(operation: &Operation) -> Vec<String> {
    let or = |default: &Option<String>| match default {
        Some(default) => format!("?{default}"),
        None => String::new(),
    };
    let show = |source: &FactSource| match source {
        FactSource::Literal(text) => text.clone(),
        FactSource::Variable(path) => {
            let mut shown = format!("${}{}", path.variable, or(&path.default));
            for step in &path.steps {
                shown.push_str(&match step {
                    PathStep::Each => "[]".to_owned(),
                    PathStep::Field { name, default } => format!(".{name}{}", or(default)),
                });
            }
            shown
        }
    };
    let facts = operation.facts.iter();
    facts
        .map(|fact| format!("{}={}", fact.name, show(&fact.source)))
        .collect()
}
