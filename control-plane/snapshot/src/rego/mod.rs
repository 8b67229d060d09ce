//! What is read from the syntax of policies, and written into it.

mod conflicts;
mod harden;
mod mark;
mod names;
pub(crate) mod span;
mod test_rules;
mod walk;

pub(crate) use conflicts::{conflicts, panicking_calls};
pub(crate) use harden::harden;
pub(crate) use mark::{CASE, CONDITION, Condition, EXIT, INPUT, Marks, mark};
pub(crate) use names::{components, global_names, package};
pub(crate) use test_rules::{TestRule, test_rules};
pub(crate) use walk::{
    Edits, Visitor, visit, visit_expression, visit_query, visit_rule, visit_statement,
};
