//! Which rules are tests.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead};

use super::names::{components, variables};
use super::span;

/// A rule whose name begins with `test_` or `todo_test_`.
pub(crate) struct TestRule {
    /// Its name, as far as it is constant: `test_x` of `test_x[note]`.
    pub(crate) name: String,
    /// Where the name ends in the source.
    pub(crate) name_end: usize,
    /// What stands behind the name: each value of it is a case of its own.
    pub(crate) tail: Vec<String>,
    /// The variables in it.
    pub(crate) variables: BTreeSet<String>,
    /// Line, from 1.
    pub(crate) row: u32,
    /// Column, from 1.
    pub(crate) col: u32,
}

impl TestRule {
    /// Whether it only waits to be written.
    pub(crate) fn is_skipped(&self) -> bool {
        self.last().starts_with("todo_test_")
    }

    fn last(&self) -> &str {
        self.name.rsplit('.').next().unwrap_or_default()
    }
}

/// The tests of a module, in the order of its source.
pub(crate) fn test_rules(module: &Module) -> impl Iterator<Item = (&Rule, TestRule)> {
    module.policy.iter().filter_map(|rule| {
        let Rule::Spec {
            head: RuleHead::Compr { refr, .. } | RuleHead::Set { refr, .. },
            span: of_rule,
            ..
        } = rule.as_ref()
        else {
            return None;
        };
        let steps = components(refr);
        let is_test = |name: &str| name.starts_with("test_") || name.starts_with("todo_test_");
        let at = steps
            .iter()
            .position(|step| step.name.is_some_and(is_test))?;
        let names: Option<Vec<_>> = steps.iter().take(at + 1).map(|step| step.name).collect();
        let test = TestRule {
            name: names?.join("."),
            name_end: steps.get(at)?.end,
            variables: tail_variables(refr),
            tail: steps
                .iter()
                .skip(at + 1)
                .map(|step| step.text.clone())
                .collect(),
            row: of_rule.line,
            col: span::column(of_rule),
        };
        Some((rule.as_ref(), test))
    })
}

/// Variables of the brackets of a reference.
fn tail_variables(reference: &Ref<Expr>) -> BTreeSet<String> {
    match reference.as_ref() {
        Expr::RefDot { refr, .. } => tail_variables(refr),
        Expr::RefBrack { refr, index, .. } => &tail_variables(refr) | &variables(index),
        _ => BTreeSet::new(),
    }
}
