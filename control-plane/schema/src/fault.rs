//! What stops the compilation of a document that is valid GraphQL.

use apollo_compiler::parser::{SourceMap, SourceSpan};

use ig_contract::step_up::{MAX_ACTION_BYTES, MAX_ACTIONS};

use crate::{Limits, Reason};

#[derive(Debug, thiserror::Error)]
pub(crate) enum FaultKind {
    #[error("compiling the document takes more than {limit} steps")]
    Steps { limit: usize },
    #[error("selections or input values nest deeper than {limit} levels, fragments included")]
    Depth { limit: usize },
    #[error(
        "fact `{fact}` is below `${variable}` in the recursive input type `{ty}`: \
         the places it can come from have no end"
    )]
    RecursiveFact {
        fact: String,
        variable: String,
        ty: String,
    },
    #[error(
        "fact `{fact}` is given a `{ty}` with `${variable}` inside: \
         pass the whole value by a variable"
    )]
    VariableInScalar {
        fact: String,
        ty: String,
        variable: String,
    },
    #[error("`{field}` takes exactly one of `{arguments}`, to bound its size")]
    SlicingArguments { field: String, arguments: String },
    #[error(
        "the operation needs a proof of presence, and none can be given for the action `{action}`: \
         name it by `@authz(action:)` in up to {MAX_ACTION_BYTES} visible ASCII characters"
    )]
    UnprovableAction { action: String },
    #[error(
        "the operation needs a proof of presence for {count} actions, and {MAX_ACTIONS} is the most \
         that one is given for: split it"
    )]
    ManyActions { count: usize },
}

#[derive(Debug)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) span: Option<SourceSpan>,
}

impl Fault {
    pub(crate) fn reason(&self, sources: &SourceMap) -> Reason {
        Reason::at(&self.kind, self.span, sources)
    }
}

impl From<FaultKind> for Fault {
    fn from(kind: FaultKind) -> Self {
        Self { kind, span: None }
    }
}

/// What is left of the work one document may cause. Validation bounds no
/// product of fragments and fields, so everything that walks spends from here.
pub(crate) struct Budget {
    limits: Limits,
    left: usize,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            left: limits.steps,
        }
    }

    /// Takes one step at `depth`.
    pub(crate) fn step(&mut self, depth: usize) -> Result<(), FaultKind> {
        if depth > self.limits.recursion {
            return Err(FaultKind::Depth {
                limit: self.limits.recursion,
            });
        }
        self.left = self.left.checked_sub(1).ok_or(FaultKind::Steps {
            limit: self.limits.steps,
        })?;
        Ok(())
    }
}
