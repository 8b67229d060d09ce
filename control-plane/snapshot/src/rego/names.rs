//! Names: of packages, of rules, and of variables.

use std::collections::BTreeSet;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Rule, RuleHead};

use super::{Visitor, visit_expression, visit_rule};

/// A step of a reference: `x`, `.x`, `["x"]` or `[x]`.
pub(crate) struct Component<'a> {
    /// The name, where it is constant.
    pub(crate) name: Option<&'a str>,
    /// An expression that has its value.
    pub(crate) text: String,
    /// Where it ends in the source.
    pub(crate) end: usize,
}

/// The steps of a reference, from its root.
pub(crate) fn components(reference: &Expr) -> Vec<Component<'_>> {
    match reference {
        Expr::RefDot { refr, field, .. } => {
            let mut all = components(refr);
            let name = field.0.text();
            all.push(Component {
                name: Some(name),
                text: format!("{name:?}"),
                end: field.0.end as usize,
            });
            all
        }
        Expr::RefBrack {
            refr, index, span, ..
        } => {
            let mut all = components(refr);
            let text = index.span().text();
            let name = matches!(index.as_ref(), Expr::String { .. });
            all.push(Component {
                name: name.then(|| text.trim_matches('"')),
                text: match name {
                    true => format!("\"{}\"", text.trim_matches('"')),
                    false => text.to_owned(),
                },
                end: span.end as usize,
            });
            all
        }
        other => vec![Component {
            name: Some(other.span().text()),
            text: format!("{:?}", other.span().text()),
            end: other.span().end as usize,
        }],
    }
}

/// Path of a module's package as OPA writes it: `data.ig.license`,
/// `data.graph["1.0"]`.
pub(crate) fn package(module: &Module) -> String {
    let mut path = "data".to_owned();
    for component in components(&module.package.refr) {
        let name = component.name.unwrap_or_default();
        let is_plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        match is_plain {
            true => path += &format!(".{name}"),
            false => path += &format!("[{name:?}]"),
        }
    }
    path
}

/// Names that mean something everywhere in modules of one package.
pub(crate) fn global_names<'a>(modules: impl Iterator<Item = &'a Module>) -> BTreeSet<String> {
    let mut names = BTreeSet::from(["input".to_owned(), "data".to_owned()]);
    for module in modules {
        for rule in &module.policy {
            let (Rule::Spec {
                head: RuleHead::Compr { refr, .. },
                ..
            }
            | Rule::Spec {
                head: RuleHead::Set { refr, .. },
                ..
            }
            | Rule::Spec {
                head: RuleHead::Func { refr, .. },
                ..
            }
            | Rule::Default { refr, .. }) = rule.as_ref();
            names.extend(root(refr));
        }
        for import in &module.imports {
            let alias = import.r#as.as_ref().map(|span| span.text().to_owned());
            let last = || {
                let path = components(&import.refr);
                path.last()
                    .and_then(|last| last.name.map(ToOwned::to_owned))
            };
            names.extend(alias.or_else(last));
        }
    }
    names
}

fn root(reference: &Expr) -> Option<String> {
    let first = components(reference).into_iter().next();
    first.and_then(|first| first.name.map(ToOwned::to_owned))
}

/// Names that a rule itself gives values to: its arguments, `:=`, `some … in`
/// and `every`.
pub(crate) fn bound(rule: &Rule) -> BTreeSet<String> {
    let mut bound = Bound(BTreeSet::new());
    if let Rule::Spec {
        head: RuleHead::Func { args, .. },
        ..
    } = rule
    {
        for argument in args {
            bound.0.extend(variables(argument));
        }
    }
    visit_rule(rule, &mut bound);
    bound.0
}

struct Bound(BTreeSet<String>);

impl Visitor for Bound {
    fn statement(&mut self, statement: &LiteralStmt, _: bool) {
        self.0.extend(bound_by(&statement.literal));
    }
}

/// Names that a statement itself gives values to.
pub(crate) fn bound_by(literal: &Literal) -> BTreeSet<String> {
    match literal {
        Literal::SomeIn { key, value, .. } => {
            let key = key.iter().flat_map(variables);
            key.chain(variables(value)).collect()
        }
        Literal::Every { key, value, .. } => {
            let key = key.iter().map(|key| key.text().to_owned());
            key.chain([value.text().to_owned()]).collect()
        }
        Literal::Expr { expr, .. } => match expr.as_ref() {
            Expr::AssignExpr { lhs, .. } => variables(lhs),
            _ => BTreeSet::new(),
        },
        Literal::NotExpr { .. } | Literal::SomeVars { .. } => BTreeSet::new(),
    }
}

/// Names of all variables in an expression; of a reference, its root.
pub(crate) fn variables(expression: &regorus::unstable::Ref<Expr>) -> BTreeSet<String> {
    struct Variables(BTreeSet<String>);
    impl Visitor for Variables {
        fn expression(&mut self, expression: &Expr, _: bool) {
            if let Expr::Var { span, .. } = expression {
                self.0.insert(span.text().to_owned());
            }
        }
    }
    let mut found = Variables(BTreeSet::new());
    visit_expression(expression, false, &mut found);
    found.0
}
