//! The directives that schemas are annotated with.
//!
//! A schema may define them itself, with fewer arguments or locations. What
//! it defines beyond ours is an error: it would look effective and be ignored.

use apollo_compiler::ast::{Definition, DirectiveDefinition, Document};
use apollo_compiler::schema::Type;
use apollo_compiler::{Name, Node};

use crate::{Limits, Reason};

/// Definitions of our directives. `@cost` and `@listSize` are those of IBM's
/// cost specification; `@oneOf` is GraphQL's own, but the compiler lacks it. A
/// literal that breaks its rule is left to the upstream to refuse.
const DEFINITIONS: &str = "\
directive @authz(purpose: [String!], action: String, stepUp: Boolean, crossTenant: Boolean) on FIELD_DEFINITION | OBJECT | INTERFACE
directive @resource(pii: Boolean, retention: String, licenseClass: String) on FIELD_DEFINITION | OBJECT | INTERFACE
directive @fact(name: String!) on ARGUMENT_DEFINITION | INPUT_FIELD_DEFINITION
directive @cost(weight: String!) on ARGUMENT_DEFINITION | ENUM | FIELD_DEFINITION | INPUT_FIELD_DEFINITION | OBJECT | SCALAR
directive @listSize(assumedSize: Int, slicingArguments: [String!], sizedFields: [String!], requireOneSlicingArgument: Boolean = true) on FIELD_DEFINITION
directive @oneOf on INPUT_OBJECT
";

pub(crate) fn definitions() -> Vec<Node<DirectiveDefinition>> {
    let document = Limits::SCHEMA.parser().parse_ast(DEFINITIONS, "directives");
    let definitions = document.unwrap_or_else(|invalid| invalid.partial);
    directives(&definitions).cloned().collect()
}

fn directives(document: &Document) -> impl Iterator<Item = &Node<DirectiveDefinition>> {
    document
        .definitions
        .iter()
        .filter_map(Definition::as_directive_definition)
}

/// What became of a document's definitions.
#[derive(Default)]
pub(crate) struct Completion {
    /// Directives that the document did not define itself.
    pub(crate) added: Vec<Name>,
    /// Where its own definitions differ from ours.
    pub(crate) reasons: Vec<Reason>,
}

/// Adds to `document` the definitions it lacks, and says where its own ones
/// differ.
pub(crate) fn complete(document: &mut Document) -> Completion {
    let mut completion = Completion::default();
    for ours in definitions() {
        let mut theirs = directives(document)
            .filter(|theirs| theirs.name == ours.name)
            .peekable();
        if theirs.peek().is_none() {
            drop(theirs);
            completion.added.push(ours.name.clone());
            document
                .definitions
                .push(Definition::DirectiveDefinition(ours));
            continue;
        }
        for theirs in theirs {
            compare(&ours, theirs, document, &mut completion.reasons);
        }
    }
    completion
}

fn compare(
    ours: &DirectiveDefinition,
    theirs: &Node<DirectiveDefinition>,
    document: &Document,
    reasons: &mut Vec<Reason>,
) {
    let name = &ours.name;
    let mut report = |message: String, span| {
        reasons.push(Reason::at(message, span, &document.sources));
    };
    if theirs.repeatable {
        report(
            format!("`@{name}` must not be repeatable"),
            theirs.location(),
        );
    }
    for location in &theirs.locations {
        if !ours.locations.contains(location) {
            report(
                format!("`@{name}` has no meaning on {}", location.name()),
                theirs.location(),
            );
        }
    }
    for argument in &theirs.arguments {
        let span = argument.location();
        match ours.argument_by_name(&argument.name) {
            None => report(format!("`@{name}` has no `{}`", argument.name), span),
            Some(known) if !same_but_for_nullability(&known.ty, &argument.ty) => report(
                format!(
                    "`@{name}({}:)` is `{}`, not `{}`",
                    argument.name, known.ty, argument.ty
                ),
                span,
            ),
            Some(_) => {}
        }
    }
}

fn same_but_for_nullability(left: &Type, right: &Type) -> bool {
    left.is_list() == right.is_list()
        && match left.is_list() {
            true => same_but_for_nullability(left.item_type(), right.item_type()),
            false => left.inner_named_type() == right.inner_named_type(),
        }
}
