//! Visits the statements and expressions of a module.

use std::cmp::Reverse;

use regorus::unstable::{Expr, Literal, LiteralStmt, Module, Query, Ref, Rule, RuleHead};

/// Sees what is in the bodies of rules. `in_every` says whether it is in that
/// of an `every`.
pub(crate) trait Visitor {
    /// A rule, before what is in it.
    fn rule(&mut self, _rule: &Rule) {}
    /// A statement.
    fn statement(&mut self, _statement: &LiteralStmt, _in_every: bool) {}
    /// An expression.
    fn expression(&mut self, _expression: &Expr, _in_every: bool) {}
    /// The key of a rule that adds to a set.
    fn set_key(&mut self, _key: &Expr) {}
}

/// Shows `visitor` all of a module.
pub(crate) fn visit(module: &Module, visitor: &mut dyn Visitor) {
    for rule in &module.policy {
        visit_rule(rule, visitor);
    }
}

/// Shows `visitor` all of a rule.
pub(crate) fn visit_rule(rule: &Rule, visitor: &mut dyn Visitor) {
    visitor.rule(rule);
    let Rule::Spec { head, bodies, .. } = rule else {
        return;
    };
    match head {
        RuleHead::Compr { assign, .. } | RuleHead::Func { assign, .. } => {
            assign
                .iter()
                .for_each(|assign| visit_expression(&assign.value, false, visitor));
        }
        RuleHead::Set { key, .. } => {
            if let Some(key) = key {
                visitor.set_key(key);
                visit_expression(key, false, visitor);
            }
        }
    }
    for body in bodies {
        body.assign
            .iter()
            .for_each(|assign| visit_expression(&assign.value, false, visitor));
        query(&body.query, false, visitor);
    }
}

/// Shows `visitor` the body of a rule.
pub(crate) fn visit_query(body: &Query, visitor: &mut dyn Visitor) {
    query(body, false, visitor);
}

fn query(query: &Query, in_every: bool, visitor: &mut dyn Visitor) {
    for statement in &query.stmts {
        visit_statement(statement, in_every, visitor);
    }
}

/// Shows `visitor` a statement and all that is in it.
pub(crate) fn visit_statement(this: &LiteralStmt, in_every: bool, visitor: &mut dyn Visitor) {
    visitor.statement(this, in_every);
    this.with_mods
        .iter()
        .for_each(|with| visit_expression(&with.r#as, in_every, visitor));
    match &this.literal {
        Literal::SomeVars { .. } => {}
        Literal::SomeIn { collection, .. } => visit_expression(collection, in_every, visitor),
        Literal::Expr { expr, .. } | Literal::NotExpr { expr, .. } => {
            visit_expression(expr, in_every, visitor);
        }
        Literal::Every {
            domain,
            query: body,
            ..
        } => {
            visit_expression(domain, in_every, visitor);
            query(body, true, visitor);
        }
    }
}

/// Shows `visitor` an expression and all that is in it.
pub(crate) fn visit_expression(this: &Ref<Expr>, in_every: bool, visitor: &mut dyn Visitor) {
    visitor.expression(this, in_every);
    let mut each = |expressions: &[&Ref<Expr>]| {
        expressions
            .iter()
            .for_each(|one| visit_expression(one, in_every, visitor));
    };
    match this.as_ref() {
        Expr::ArrayCompr {
            term, query: body, ..
        }
        | Expr::SetCompr {
            term, query: body, ..
        } => {
            each(&[term]);
            query(body, in_every, visitor);
        }
        Expr::ObjectCompr {
            key,
            value,
            query: body,
            ..
        } => {
            each(&[key, value]);
            query(body, in_every, visitor);
        }
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            each(&items.iter().collect::<Vec<_>>());
        }
        Expr::Object { fields, .. } => fields
            .iter()
            .for_each(|(_, key, value)| each(&[key, value])),
        Expr::Call { params, .. } => each(&params.iter().collect::<Vec<_>>()),
        Expr::UnaryExpr { expr, .. } => each(&[expr]),
        Expr::RefDot { refr, .. } => each(&[refr]),
        Expr::RefBrack { refr, index, .. } => each(&[refr, index]),
        Expr::BinExpr { lhs, rhs, .. }
        | Expr::BoolExpr { lhs, rhs, .. }
        | Expr::ArithExpr { lhs, rhs, .. }
        | Expr::AssignExpr { lhs, rhs, .. } => each(&[lhs, rhs]),
        Expr::Membership {
            key,
            value,
            collection,
            ..
        } => {
            key.iter().for_each(|key| each(&[key]));
            each(&[value, collection]);
        }
        _ => {}
    }
}

/// Texts to be inserted into a source, without moving a line.
#[derive(Default)]
pub(crate) struct Edits(Vec<(usize, String)>);

impl Edits {
    pub(crate) fn insert(&mut self, at: usize, text: impl Into<String>) {
        self.0.push((at, text.into()));
    }

    /// From behind, so that places stay where they are.
    pub(crate) fn apply(mut self, source: &str) -> String {
        let mut text = source.to_owned();
        self.0.sort_by_key(|(at, _)| Reverse(*at));
        for (at, insert) in self.0 {
            if text.is_char_boundary(at) {
                text.insert_str(at, &insert);
            }
        }
        text
    }
}
