//! `@deprecated`

use apollo_compiler::Node;
use apollo_compiler::ast::Directive;

/// What the reason is where none is stated.
pub(crate) const DEFAULT_REASON: &str = "No longer supported";

/// The reason of a deprecation; none where nothing is deprecated, or the
/// reason is null.
pub(crate) fn reason_of(directives: &[Node<Directive>]) -> Option<&str> {
    let mut all = directives.iter();
    let directive = all.find(|directive| directive.name == "deprecated")?;
    match directive.specified_argument_by_name("reason") {
        None => Some(DEFAULT_REASON),
        Some(reason) => reason.as_str(),
    }
}

/// Whether something is deprecated, for whatever reason.
pub(crate) fn is_deprecated(directives: &[Node<Directive>]) -> bool {
    directives
        .iter()
        .any(|directive| directive.name == "deprecated")
}
