//! Where the values of facts come from.
//!
//! A fact is a set of leaf values: a list feeds it once for each item. The
//! record must be complete, for a value it does not mention is one no policy
//! sees; what cannot be recorded is therefore an error.

use std::collections::{BTreeSet, HashMap};

use apollo_compiler::ast::{Argument, VariableDefinition};
use apollo_compiler::executable::Operation;
use apollo_compiler::schema::{Type, Value};
use apollo_compiler::{Name, Node};
use ig_contract::snapshot::{Fact, FactSource, PathStep, VariablePath};

use crate::fault::{Budget, Fault, FaultKind};
use crate::input::{Inputs, Place, list_depth};
use crate::json;

/// A step as in the record, but ordered.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Each,
    Field(String, Option<String>),
}

/// A source as in the record, but ordered.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Literal(String),
    Variable(String, Option<String>, Vec<Step>),
}

/// Gathers the facts of one operation.
pub(crate) struct Facts<'a> {
    inputs: &'a Inputs,
    variables: HashMap<&'a Name, &'a VariableDefinition>,
    found: BTreeSet<(String, Source)>,
}

/// A path below a variable, while it is walked.
struct Path<'a> {
    variable: &'a Name,
    default: Option<String>,
    steps: Vec<Step>,
    /// Input objects on the way.
    types: Vec<&'a Name>,
}

impl<'a> Facts<'a> {
    pub(crate) fn new(inputs: &'a Inputs, operation: &'a Operation) -> Self {
        let variables = operation.variables.iter();
        Self {
            inputs,
            variables: variables
                .map(|variable| (&variable.name, &**variable))
                .collect(),
            found: BTreeSet::new(),
        }
    }

    /// The facts, ascending by name and source, distinct.
    pub(crate) fn finish(self) -> Vec<Fact> {
        let facts = self.found.into_iter();
        facts
            .map(|(name, source)| Fact {
                name,
                source: source.record(),
            })
            .collect()
    }

    /// Facts that the arguments of a field or directive feed.
    pub(crate) fn arguments(
        &mut self,
        places: &'a [Place],
        arguments: &'a [Node<Argument>],
        budget: &mut Budget,
    ) -> Result<(), Fault> {
        for place in places {
            let argument = arguments
                .iter()
                .find(|argument| argument.name == place.name);
            let value = argument.map(|argument| &*argument.value);
            let span = argument.and_then(|argument| argument.value.location());
            self.place(place, value, 0, budget)
                .map_err(|kind| Fault { kind, span })?;
        }
        Ok(())
    }

    /// Facts that a place feeds when it is given `value`, or nothing.
    fn place(
        &mut self,
        place: &'a Place,
        value: Option<&'a Value>,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<(), FaultKind> {
        // A variable that the request leaves out leaves the place out.
        let default = place.default.as_deref();
        match value {
            Some(Value::Variable(name)) => {
                let default = default.and_then(constant);
                self.variable(name, default, place, &place.ty, depth, budget)
            }
            Some(value) => self.value(value, place, &place.ty, depth, budget),
            None => match default {
                Some(default) => self.value(default, place, &place.ty, depth, budget),
                None => Ok(()),
            },
        }
    }

    /// Facts that `value` feeds where `ty` is expected.
    fn value(
        &mut self,
        value: &'a Value,
        place: &'a Place,
        ty: &'a Type,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<(), FaultKind> {
        budget.step(depth)?;
        match value {
            // As an item of a list: left out, it is null and not absent.
            Value::Variable(name) => {
                return self.variable(name, Some("null".to_owned()), place, ty, depth, budget);
            }
            Value::List(items) if ty.is_list() => {
                for item in items {
                    self.value(item, place, ty.item_type(), depth + 1, budget)?;
                }
                return Ok(());
            }
            Value::Object(members) => {
                for field in self.inputs.places(ty.inner_named_type()) {
                    let member = members.iter().find(|(name, _)| *name == field.name);
                    let value = member.map(|(_, value)| &**value);
                    self.place(field, value, depth + 1, budget)?;
                }
            }
            _ => {}
        }
        if place.facts.is_empty() {
            return Ok(());
        }
        let literal = literal(value, ty).map_err(|variable| FaultKind::VariableInScalar {
            fact: place.facts.join("`, `"),
            ty: ty.inner_named_type().to_string(),
            variable: variable.to_string(),
        })?;
        for fact in &place.facts {
            let source = Source::Literal(literal.clone());
            self.found.insert((fact.clone(), source));
        }
        Ok(())
    }

    /// Facts that a variable feeds where `ty` is expected. `absent` is what a
    /// request without the variable amounts to there.
    fn variable(
        &mut self,
        name: &'a Name,
        absent: Option<String>,
        place: &'a Place,
        ty: &'a Type,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<(), FaultKind> {
        let definition = self.variables.get(name);
        let default = definition.and_then(|variable| variable.default_value.as_deref());
        let mut path = Path {
            variable: name,
            default: default.and_then(constant).or(absent),
            steps: vec![Step::Each; list_depth(ty)],
            types: Vec::new(),
        };
        self.below(&mut path, place, depth, budget)
    }

    /// Facts that `place` feeds with what is at `path`.
    fn below(
        &mut self,
        path: &mut Path<'a>,
        place: &'a Place,
        depth: usize,
        budget: &mut Budget,
    ) -> Result<(), FaultKind> {
        budget.step(depth)?;
        for fact in &place.facts {
            self.found.insert((fact.clone(), path.source()));
        }
        let ty = place.ty.inner_named_type();
        let fields = self.inputs.places(ty);
        if fields.is_empty() {
            return Ok(());
        }
        if path.types.contains(&ty) {
            return Err(FaultKind::RecursiveFact {
                fact: self.first_below(ty),
                variable: path.variable.to_string(),
                ty: ty.to_string(),
            });
        }
        path.types.push(ty);
        for field in fields {
            let length = path.steps.len();
            let default = field.default.as_deref().and_then(constant);
            path.steps
                .push(Step::Field(field.name.to_string(), default));
            let items = list_depth(&field.ty);
            path.steps.extend(std::iter::repeat_n(Step::Each, items));
            self.below(path, field, depth + 1, budget)?;
            path.steps.truncate(length);
        }
        path.types.pop();
        Ok(())
    }

    /// A fact at or below the fields of `ty`, to name in an error.
    fn first_below(&self, ty: &Name) -> String {
        let mut types = vec![ty];
        let mut next = 0;
        while let Some(ty) = types.get(next) {
            next += 1;
            for place in self.inputs.places(ty) {
                if let Some(fact) = place.facts.first() {
                    return fact.clone();
                }
                let ty = place.ty.inner_named_type();
                if !types.contains(&ty) {
                    types.push(ty);
                }
            }
        }
        String::new()
    }
}

impl Path<'_> {
    fn source(&self) -> Source {
        Source::Variable(
            self.variable.to_string(),
            self.default.clone(),
            self.steps.clone(),
        )
    }
}

impl Source {
    fn record(self) -> FactSource {
        match self {
            Self::Literal(text) => FactSource::Literal(text),
            Self::Variable(variable, default, steps) => {
                let step = |step| match step {
                    Step::Each => PathStep::Each,
                    Step::Field(name, default) => PathStep::Field { name, default },
                };
                FactSource::Variable(VariablePath {
                    variable,
                    default,
                    steps: steps.into_iter().map(step).collect(),
                })
            }
        }
    }
}

/// JSON text of a default, which has no variables.
fn constant(value: &Value) -> Option<String> {
    json::text(value).ok()
}

/// JSON text of a literal as its type coerces it: `ID` takes an integer, and
/// makes it a string.
fn literal(value: &Value, ty: &Type) -> Result<String, Name> {
    match value {
        Value::Int(digits) if **ty.inner_named_type() == *"ID" => {
            let mut text = String::new();
            json::string(digits.as_str(), &mut text);
            Ok(text)
        }
        value => json::text(value),
    }
}
