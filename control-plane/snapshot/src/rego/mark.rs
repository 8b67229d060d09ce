//! Policies and tests that say what became of them.
//!
//! The interpreter knows which lines it came to, but not which rules came to
//! their end, which conditions held, or with which input a test was run. So
//! their text is given to it once more, with calls written into it, on the
//! same lines:
//!
//! | text | becomes |
//! |---|---|
//! | `… with input as X` | `… with input as ig_test_input(X)` |
//! | `rule := X if …` | `rule := ig_test_exit(1, X) if …` |
//! | a condition `X` | `ig_test_condition(1, [v \| v := X])` |
//! | a condition `not X` | `ig_test_condition(1, [true \| not X])` |
//! | `test_x[note] if { …` | `test_x[note] if { ig_test_case([note]); …` |
//!
//! Each call gives what was there before, so nothing is decided in another
//! way. A condition that binds variables stays as it is, and does not count.

use std::collections::BTreeSet;

use regorus::unstable::{
    Expr, Literal, LiteralStmt, Module, Rule, RuleAssign, RuleBody, RuleHead, Span,
};

use super::names::{bound, bound_by, variables};
use super::{Edits, TestRule, Visitor, span, test_rules, visit};

/// Keeps an input.
pub(crate) const INPUT: &str = "ig_test_input";
/// Tells that a rule came to its end.
pub(crate) const EXIT: &str = "ig_test_exit";
/// Tells whether a condition holds.
pub(crate) const CONDITION: &str = "ig_test_condition";
/// Names the case that begins.
pub(crate) const CASE: &str = "ig_test_case";

/// The end of a rule, or of an `else`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Exit {
    pub(crate) file: String,
    /// Line of the head, from 1.
    pub(crate) row: u32,
}

/// A condition in the body of a policy's rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Condition {
    pub(crate) file: String,
    pub(crate) row: u32,
    pub(crate) col: u32,
    /// Its text, one line.
    pub(crate) text: String,
}

/// What the numbers in the calls stand for.
#[derive(Default)]
pub(crate) struct Marks {
    pub(crate) exits: Vec<Exit>,
    pub(crate) conditions: Vec<Condition>,
}

/// The text of a module with calls in it; marks only where it `is_policy`.
/// `known` are names that mean something in all of its package.
pub(crate) fn mark(
    module: &Module,
    is_policy: bool,
    known: &BTreeSet<String>,
    marks: &mut Marks,
) -> String {
    let mut marker = Marker {
        edits: Edits::default(),
        is_policy,
        known,
        bound: BTreeSet::new(),
        marks,
    };
    for (rule, test) in test_rules(module) {
        marker.case(rule, &test);
    }
    visit(module, &mut marker);
    marker.edits.apply(module.package.span.source.contents())
}

struct Marker<'a> {
    edits: Edits,
    is_policy: bool,
    known: &'a BTreeSet<String>,
    bound: BTreeSet<String>,
    marks: &'a mut Marks,
}

impl Visitor for Marker<'_> {
    fn rule(&mut self, rule: &Rule) {
        self.bound = bound(rule);
        if let Rule::Spec { head, bodies, .. } = rule
            && self.is_policy
        {
            self.head(head);
            bodies.iter().skip(1).for_each(|body| self.otherwise(body));
        }
    }

    fn statement(&mut self, statement: &LiteralStmt, _: bool) {
        for with in &statement.with_mods {
            let source = with.span.source.contents();
            let (start, end) = (span::end(with.refr.span()), span::end(&with.span));
            // Between the two is ` as X`.
            let keyword = source.get(start..end).and_then(|rest| rest.find("as"));
            if let Some(keyword) = keyword.filter(|_| with.refr.span().text() == "input") {
                self.around(start + keyword + 2, end, &format!(" {INPUT}("), ")");
            }
        }
        if self.is_policy {
            self.condition(&statement.literal);
        }
    }
}

impl Marker<'_> {
    fn around(&mut self, start: usize, end: usize, before: &str, after: &str) {
        self.edits.insert(start, before);
        self.edits.insert(end, after);
    }

    fn exit(&mut self, span: &Span) -> usize {
        self.marks.exits.push(Exit {
            file: span.source.file().to_string(),
            row: span.line,
        });
        self.marks.exits.len() - 1
    }

    fn head(&mut self, head: &RuleHead) {
        match head {
            RuleHead::Compr { refr, assign, span } => {
                let number = self.exit(refr.span());
                self.value(number, assign.as_ref(), span::end(span));
            }
            RuleHead::Func {
                refr, assign, span, ..
            } => {
                let number = self.exit(refr.span());
                self.value(number, assign.as_ref(), span::end(span));
            }
            RuleHead::Set {
                refr,
                key: Some(_),
                span,
            } => {
                let (start, end) = (span::end(refr.span()), span::end(span));
                let between = span.source.contents().get(start..end);
                let keyword = between.and_then(|text| text.find("contains"));
                if let Some(keyword) = keyword {
                    let number = self.exit(refr.span());
                    let start = start + keyword + "contains".len();
                    self.around(start, end, &format!(" {EXIT}({number}, "), ")");
                }
            }
            RuleHead::Set { key: None, .. } => {}
        }
    }

    fn otherwise(&mut self, body: &RuleBody) {
        if body.is_else {
            let number = self.exit(&body.span);
            let keyword = body.span.start as usize + "else".len();
            self.value(number, body.assign.as_ref(), keyword);
        }
    }

    /// Around the value of a rule, or the `true` that nobody wrote.
    fn value(&mut self, number: usize, assign: Option<&RuleAssign>, head_end: usize) {
        let Some(assign) = assign else {
            self.edits
                .insert(head_end, format!(" := {EXIT}({number}, true)"));
            return;
        };
        let operator = assign.span.text().find('=').map_or(0, |at| at + 1);
        let (start, end) = (
            assign.span.start as usize + operator,
            span::end(&assign.span),
        );
        self.around(start, end, &format!(" {EXIT}({number}, "), ")");
    }

    fn condition(&mut self, literal: &Literal) {
        let (expr, at, is_negated) = match literal {
            Literal::Expr { expr, span } => (expr, span, false),
            Literal::NotExpr { expr, span } => (expr, span, true),
            Literal::SomeVars { .. } | Literal::SomeIn { .. } | Literal::Every { .. } => return,
        };
        let is_value = |name: &String| self.known.contains(name) || self.bound.contains(name);
        if matches!(expr.as_ref(), Expr::AssignExpr { .. }) || !variables(expr).iter().all(is_value)
        {
            return;
        }
        let number = self.marks.conditions.len();
        let text = span::text(at).split_whitespace().collect::<Vec<_>>();
        self.marks.conditions.push(Condition {
            file: at.source.file().to_string(),
            row: at.line,
            col: span::column(at),
            text: text.join(" "),
        });
        let before = match is_negated {
            true => format!("{CONDITION}({number}, [true | "),
            false => format!("{CONDITION}({number}, [ig_v{number} | ig_v{number} := "),
        };
        self.around(span::start(at), span::end(at), &before, "])");
    }

    /// Behind the statement that gives the last part of its name a value: a
    /// case is known as soon as its name is.
    fn case(&mut self, rule: &Rule, test: &TestRule) {
        let Rule::Spec { bodies, .. } = rule else {
            return;
        };
        let Some(body) = bodies.first().filter(|_| !test.tail.is_empty()) else {
            return;
        };
        let mut named = BTreeSet::new();
        let mut statements = body.query.stmts.iter();
        let is_known = |statement: &&LiteralStmt| {
            named.extend(bound_by(&statement.literal));
            test.variables.is_subset(&named)
        };
        let call = format!("{CASE}([{}])", test.tail.join(", "));
        let Some(first) = body.query.stmts.first() else {
            return;
        };
        let (start, first) = (span::start(&body.query.span), span::start(&first.span));
        let end = span::end(&body.query.span);
        match statements.find(is_known) {
            // One statement, without braces.
            Some(_) if start == first => self.around(start, end, "{ ", &format!("; {call} }}")),
            Some(known) if !test.variables.is_empty() => {
                self.edits
                    .insert(span::end(&known.span), format!("; {call}"));
            }
            _ if start == first => self.around(start, end, &format!("{{ {call}; "), " }"),
            _ => self.edits.insert(first, format!("{call}; ")),
        }
    }
}
