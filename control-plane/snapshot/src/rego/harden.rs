//! Policies as the guard's virtual machine evaluates them rightly.
//!
//! The interpreter of regorus 0.14.1 and its virtual machine differ where a
//! value is undefined, and most of these differences turn a deny into an allow:
//!
//! | policy | Rego | virtual machine |
//! |---|---|---|
//! | `x := input.missing` | the body is false | goes on |
//! | `every x in xs { m[x] … }` | false if one is | true |
//! | `[v.missing \| …]` | leaves the item out | has an undefined item |
//!
//! The first is mended: `x == x` behind the assignment fails where `x` is
//! undefined. The others are refused, with what to write instead. Nothing says
//! that this is all: `policy test` compares both engines beside.

use regorus::unstable::{AssignOp, Expr, Literal, LiteralStmt, Module};

use super::{Edits, Visitor, span, visit};
use crate::Problems;

/// The text of a module, mended, or what is to be written in another way.
pub(crate) fn harden(module: &Module, problems: &mut Problems) -> String {
    let mut visitor = Hardener {
        edits: Edits::default(),
        problems,
    };
    visit(module, &mut visitor);
    visitor.edits.apply(module.package.span.source.contents())
}

struct Hardener<'a> {
    edits: Edits,
    problems: &'a mut Problems,
}

impl Hardener<'_> {
    fn refuse(&mut self, at: &Expr, message: &str) {
        let span = at.span();
        let path = format!("{}:{}:{}", span.source.file(), span.line, span.col);
        self.problems.add(path, message);
    }

    fn check_term(&mut self, term: &Expr) {
        if !is_defined(term) {
            self.refuse(
                term,
                "bind this to a variable in the body first (`v := …`): where it is undefined, the \
                 engines do not agree on what the collection has",
            );
        }
    }
}

impl Visitor for Hardener<'_> {
    fn statement(&mut self, statement: &LiteralStmt, _: bool) {
        let Literal::Expr { expr, .. } = &statement.literal else {
            return;
        };
        let Expr::AssignExpr {
            op: AssignOp::ColEq,
            lhs,
            ..
        } = expr.as_ref()
        else {
            return;
        };
        if let Expr::Var { span, .. } = lhs.as_ref()
            && span.text() != "_"
        {
            let name = span.text();
            self.edits
                .insert(span::end(&statement.span), format!("; {name} == {name}"));
        }
    }

    fn expression(&mut self, expression: &Expr, in_every: bool) {
        match expression {
            Expr::RefBrack { index, .. } if in_every && !is_constant(index) => self.refuse(
                expression,
                "a look-up by a variable inside `every` is not evaluated rightly by the guard; \
                 put the body into a function and call that",
            ),
            Expr::ArrayCompr { term, .. } | Expr::SetCompr { term, .. } => self.check_term(term),
            Expr::ObjectCompr { key, value, .. } => {
                self.check_term(key);
                self.check_term(value);
            }
            _ => {}
        }
    }

    fn set_key(&mut self, key: &Expr) {
        self.check_term(key);
    }
}

fn is_constant(expression: &Expr) -> bool {
    matches!(
        expression,
        Expr::String { .. } | Expr::RawString { .. } | Expr::Number { .. }
    )
}

/// Whether an expression has a value wherever its variables have.
fn is_defined(expression: &Expr) -> bool {
    match expression {
        Expr::Array { items, .. } | Expr::Set { items, .. } => {
            items.iter().all(|item| is_defined(item))
        }
        Expr::Object { fields, .. } => fields
            .iter()
            .all(|(_, key, value)| is_defined(key) && is_defined(value)),
        Expr::Var { .. } | Expr::Bool { .. } | Expr::Null { .. } => true,
        other => is_constant(other),
    }
}
