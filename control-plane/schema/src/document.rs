use std::collections::BTreeSet;

use apollo_compiler::ExecutableDocument;
use apollo_compiler::ast::OperationType;
use apollo_compiler::executable;
use apollo_compiler::validation::Valid;
use ig_contract::snapshot::{Operation, OperationKind};
use ig_contract::step_up::{MAX_ACTIONS, is_provable};

use crate::cost::Cost;
use crate::fault::{Budget, Fault, FaultKind};
use crate::index::Index;
use crate::reason::{self, Reason};
use crate::selection::Walk;
use crate::{Limits, Schema, faithful};

/// Why a document is not accepted.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDocument {
    /// Too long to be parsed.
    #[error("the document has {bytes} bytes; the limit is {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// It has fragments at most.
    #[error("the document has no operation")]
    NoOperation,
    /// Not valid on the schema, or not to be compiled.
    #[error("{}", reason::lines(.reasons))]
    Invalid {
        /// Everything that is wrong, in the order of the source.
        reasons: Vec<Reason>,
    },
}

impl InvalidDocument {
    /// The error as a list of reasons.
    pub fn into_reasons(self) -> Vec<Reason> {
        match self {
            Self::Invalid { reasons } => reasons,
            other => vec![Reason::new(other)],
        }
    }
}

/// Parses and checks an executable document and compiles each of its
/// operations, in the order of the source. `clients` is left empty.
///
/// # Errors
/// See [`InvalidDocument`].
pub fn compile(
    schema: &Schema,
    text: &str,
    limits: Limits,
) -> Result<Vec<Operation>, InvalidDocument> {
    let document = parse(schema, text, limits)?;
    let mut budget = Budget::new(limits);
    let mut operations = Vec::new();
    let mut reasons = Vec::new();
    for operation in document.operations.iter() {
        match compile_one(&document, &schema.index, operation, &mut budget) {
            Ok(operation) => operations.push(operation),
            Err(fault) => reasons.push(fault.reason(&document.sources)),
        }
    }
    match reasons.is_empty() {
        true => Ok(operations),
        false => Err(InvalidDocument::Invalid { reasons }),
    }
}

/// Parses and checks an executable document that has an operation.
pub(crate) fn parse(
    schema: &Schema,
    text: &str,
    limits: Limits,
) -> Result<Valid<ExecutableDocument>, InvalidDocument> {
    if text.len() > limits.bytes {
        return Err(InvalidDocument::TooLarge {
            bytes: text.len(),
            limit: limits.bytes,
        });
    }
    let document = limits
        .parser()
        .parse_ast(text, "document.graphql")
        .map_err(|invalid| InvalidDocument::Invalid {
            reasons: Reason::list(&invalid.errors),
        })?;
    if let Some(reason) = faithful::lost(text, &document) {
        let reasons = vec![reason];
        return Err(InvalidDocument::Invalid { reasons });
    }
    let document = document
        .to_executable_validate(&schema.definitions)
        .map_err(|invalid| InvalidDocument::Invalid {
            reasons: Reason::list(&invalid.errors),
        })?;
    match document.operations.is_empty() {
        true => Err(InvalidDocument::NoOperation),
        false => Ok(document),
    }
}

fn compile_one(
    document: &ExecutableDocument,
    index: &Index,
    operation: &executable::Operation,
    budget: &mut Budget,
) -> Result<Operation, Fault> {
    let mut walk = Walk::new(document, index, operation);
    walk.run(operation, budget)?;
    let growth = Cost::new(document, index, operation).run(budget)?;
    let compiled = Operation {
        name: operation.name.as_deref().unwrap_or_default().to_owned(),
        kind: kind(operation.operation_type),
        actions: walk.actions.into_iter().collect(),
        step_up: walk.step_up,
        cross_tenant: walk.cross_tenant,
        cost: growth.cost,
        sizes: growth.sizes,
        terms: growth.terms,
        variables: operation
            .variables
            .iter()
            .map(|variable| variable.name.to_string())
            .collect(),
        facts: walk.facts.finish(),
        resources: walk.resources.into_iter().collect(),
        clients: Vec::new(),
    };
    check_provable(&compiled)?;
    Ok(compiled)
}

/// What needs a proof of presence must be something that one can be given for:
/// else nobody could ever run it, and it would not be said why.
fn check_provable(operation: &Operation) -> Result<(), FaultKind> {
    if !operation.needs_step_up() {
        return Ok(());
    }
    let names: BTreeSet<_> = operation.actions.iter().map(|one| &one.name).collect();
    if names.len() > MAX_ACTIONS {
        return Err(FaultKind::ManyActions { count: names.len() });
    }
    match names.into_iter().find(|name| !is_provable(name)) {
        Some(action) => Err(FaultKind::UnprovableAction {
            action: action.clone(),
        }),
        None => Ok(()),
    }
}

pub(crate) fn kind(ty: OperationType) -> OperationKind {
    match ty {
        OperationType::Query => OperationKind::Query,
        OperationType::Mutation => OperationKind::Mutation,
        OperationType::Subscription => OperationKind::Subscription,
    }
}
