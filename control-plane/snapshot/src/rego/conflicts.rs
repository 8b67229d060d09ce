//! Rules that cannot both be there.
//!
//! The engine takes them and keeps one, or gives an error when it comes to
//! them; OPA refuses them where it compiles, and so do we.

use std::collections::BTreeMap;

use regorus::unstable::{Expr, Module, Ref, Rule, RuleHead, Span};

use super::names::{components, package};
use super::{Visitor, span, visit};
use crate::Problems;
use crate::builtins::PANICS;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// One value, or a member of an object.
    Value,
    /// A set.
    Set,
    /// A function of so many arguments.
    Function(usize),
}

/// Adds what is in conflict: two defaults of one rule, one name for rules of
/// two kinds, a rule of the name of a package.
pub(crate) fn conflicts(modules: &[Ref<Module>], problems: &mut Problems) {
    let mut kinds = BTreeMap::<String, (Kind, &Span)>::new();
    let mut defaults = BTreeMap::<String, &Span>::new();
    let packages: BTreeMap<String, &Span> = modules
        .iter()
        .map(|module| (package(module), &module.package.span))
        .collect();
    for module in modules {
        let package = package(module);
        for rule in &module.policy {
            let Some((name, kind, span)) = described(rule) else {
                continue;
            };
            let path = format!("{package}.{name}");
            if matches!(rule.as_ref(), Rule::Default { .. }) {
                if let Some(first) = defaults.insert(path.clone(), span) {
                    let message = format!(
                        "a second default of `{path}`; the first is at {}",
                        place(first)
                    );
                    problems.add(place(span), message);
                }
                continue;
            }
            let (known, first) = *kinds.entry(path.clone()).or_insert((kind, span));
            if known != kind {
                let message = format!(
                    "`{path}` is also a rule of another kind, at {}; give one of them another name",
                    place(first)
                );
                problems.add(place(span), message);
            }
            if let Some(other) = packages.get(&path) {
                let message = format!(
                    "the rule `{path}` has the name of the package at {}",
                    place(other)
                );
                problems.add(place(span), message);
            }
        }
    }
}

/// Adds calls of functions that panic.
pub(crate) fn panicking_calls(modules: &[Ref<Module>], problems: &mut Problems) {
    struct Calls<'a>(&'a mut Problems);
    impl Visitor for Calls<'_> {
        fn expression(&mut self, expression: &Expr, _: bool) {
            let Expr::Call { fcn, .. } = expression else {
                return;
            };
            let name = fcn.span().text();
            if let Some((_, instead)) = PANICS.iter().find(|(known, _)| *known == name) {
                let message = format!("`{name}` fails on some texts; write `{instead}`");
                self.0.add(place(fcn.span()), message);
            }
        }
    }
    for module in modules {
        visit(module, &mut Calls(problems));
    }
}

/// Name, kind and place of a rule with a constant name.
fn described(rule: &Rule) -> Option<(String, Kind, &Span)> {
    let (refr, kind, span) = match rule {
        Rule::Default {
            refr, args, span, ..
        } => {
            let kind = match args.len() {
                0 => Kind::Value,
                many => Kind::Function(many),
            };
            (refr, kind, span)
        }
        Rule::Spec { head, span, .. } => match head {
            RuleHead::Compr { refr, .. } => (refr, Kind::Value, span),
            RuleHead::Set { refr, .. } => (refr, Kind::Set, span),
            RuleHead::Func { refr, args, .. } => (refr, Kind::Function(args.len()), span),
        },
    };
    let names: Option<Vec<_>> = components(refr).iter().map(|step| step.name).collect();
    Some((names?.join("."), kind, span))
}

fn place(at: &Span) -> String {
    format!("{}:{}:{}", at.source.file(), at.line, span::column(at))
}
