//! Why policies decided as they did: which rules held, and of the others the
//! first condition that did not.
//!
//! A body `a; b; c` fails where `a` holds and `a; b` does not. So each body is
//! asked for from its beginning, one statement more each time, as rules of the
//! same package that nothing else uses.

use std::collections::{BTreeMap, BTreeSet};

use ig_contract::policy::ENTRY_POINT;
use regorus::unstable::{Expr, LiteralStmt, Module, Rule, RuleBody, RuleHead, Span};
use regorus::{Engine, Value};
use serde::Serialize;

use crate::decider::{Decider, Decision};
use crate::rego::{self, Visitor, span};
use crate::test_run::reached;
use crate::{InvalidPolicy, Location, policy};

/// Why policies decided as they did.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Explanation {
    /// What the guard would decide.
    pub decision: Decision,
    /// What the interpreter decides, from which the rest is; the same, or there
    /// is a fault in an engine.
    pub interpreter: Decision,
    /// Rules that were evaluated, by file and line.
    pub rules: Vec<ExplainedRule>,
    /// Members of the input that these rules look at.
    pub inputs: Vec<UsedInput>,
}

/// A rule that was evaluated.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct ExplainedRule {
    /// Its path: `data.ig.tenancy.violation`.
    pub rule: String,
    /// Where it is.
    #[serde(flatten)]
    pub location: Location,
    /// Its head: `violation contains "cross-tenant"`.
    pub head: String,
    /// Whether it names the decision.
    pub decides: bool,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: RuleOutcome,
    /// Lines of it that were reached.
    pub lines: Vec<u32>,
}

/// What became of a rule.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum RuleOutcome {
    /// All its conditions hold.
    Held,
    /// This condition does not hold, those before do.
    Failed {
        /// Its line.
        line: u32,
        /// Its text.
        condition: String,
        /// Members of the input that it looks at.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        inputs: Vec<UsedInput>,
    },
    /// A function, or a rule whose conditions are not to be told apart; see its
    /// lines.
    Evaluated,
}

/// A member of the input.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct UsedInput {
    /// Its path: `input.actor.groups`.
    pub path: String,
    /// Its value; none where it is absent.
    pub value: Option<serde_json::Value>,
}

impl Decider {
    /// Explains the decision on an input.
    ///
    /// # Errors
    /// [`InvalidPolicy`], where the policies cannot be taken apart.
    pub fn explain(&mut self, input: &serde_json::Value) -> Result<Explanation, InvalidPolicy> {
        let decision = self.decide(input);
        let interpreter = self.interpret(input);
        let mut engine = self.interpreter.clone();
        engine.set_enable_coverage(true);
        engine.set_input(Value::from(input.clone()));
        // An error is in `interpreter`; lines before it were reached.
        let _ = engine.eval_rule(ENTRY_POINT.to_owned());
        let reached = reached(&engine);
        let none = BTreeSet::new();
        let (mut rules, mut paths) = (Vec::new(), BTreeSet::new());
        for module in engine.get_modules() {
            let file = module.package.span.source.file().to_string();
            if !self.files.contains(&file) {
                continue;
            }
            let lines = reached.get(&file).unwrap_or(&none);
            let mut probe = Probe::new(self.interpreter.clone(), module, input)?;
            for (number, rule) in module.policy.iter().enumerate() {
                let explained = explain_rule(module, number, rule, lines, &mut probe, &decision);
                for one in explained {
                    paths.extend(input_paths(rule, &one.lines));
                    rules.push(one);
                }
            }
        }
        rules.sort_by(|left: &ExplainedRule, right| left.location.cmp(&right.location));
        Ok(Explanation {
            decision,
            interpreter,
            rules,
            inputs: looked_up(paths, input),
        })
    }
}

/// One for each body that was evaluated.
fn explain_rule(
    module: &Module,
    number: usize,
    rule: &Rule,
    reached: &BTreeSet<u32>,
    probe: &mut Probe,
    decision: &Decision,
) -> Vec<ExplainedRule> {
    let Rule::Spec {
        head,
        bodies,
        span: of_rule,
    } = rule
    else {
        return Vec::new();
    };
    let (refr, head_end, is_function) = match head {
        RuleHead::Compr { refr, span, .. } | RuleHead::Set { refr, span, .. } => {
            (refr, span.end, false)
        }
        RuleHead::Func { refr, span, .. } => (refr, span.end, true),
    };
    let path = format!("{}.{}", rego::package(module), refr.span().text());
    let mut explained = Vec::new();
    for (place, body) in bodies.iter().enumerate() {
        let lines = lines_of(body, reached);
        if lines.is_empty() {
            continue;
        }
        let at = if body.is_else { &body.span } else { of_rule };
        let text = match body.is_else {
            true => body.span.text().lines().next().unwrap_or_default(),
            false => text(of_rule, head_end),
        };
        let outcome = match is_function {
            true => RuleOutcome::Evaluated,
            false => probe.outcome(number, place, body),
        };
        let names_it = || text.contains(&format!("{:?}", decision.rule)) || path == ENTRY_POINT;
        let decides = outcome == RuleOutcome::Held && names_it();
        let is_held = outcome == RuleOutcome::Held;
        explained.push(ExplainedRule {
            rule: path.clone(),
            location: Location {
                file: at.source.file().to_string(),
                row: at.line,
                col: span::column(at),
            },
            head: one_line(text),
            decides,
            outcome,
            lines,
        });
        if is_held {
            // An `else` behind what held is not evaluated.
            break;
        }
    }
    explained
}

/// The source from the start of a span to a place behind.
fn text(at: &Span, end: u32) -> &str {
    let range = at.start as usize..span::end_at(at, end);
    at.source.contents().get(range).unwrap_or_default()
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn lines_of(body: &RuleBody, reached: &BTreeSet<u32>) -> Vec<u32> {
    let mut lines = BTreeSet::new();
    let mut visitor = Lines(&mut lines);
    rego::visit_query(&body.query, &mut visitor);
    lines.intersection(reached).copied().collect()
}

struct Lines<'a>(&'a mut BTreeSet<u32>);

impl Visitor for Lines<'_> {
    fn statement(&mut self, statement: &LiteralStmt, _: bool) {
        self.0.insert(statement.span.line);
    }
}

/// The policies with a rule for each beginning of each body.
struct Probe {
    engine: Engine,
    package: String,
    input: serde_json::Value,
    /// Whether the engine does not take these rules.
    is_wrong: bool,
}

impl Probe {
    fn new(
        mut engine: Engine,
        module: &Module,
        input: &serde_json::Value,
    ) -> Result<Self, InvalidPolicy> {
        let package = rego::package(module);
        let source = &module.package.span.source;
        let mut rules = String::new();
        for (number, rule) in module.policy.iter().enumerate() {
            let Rule::Spec { head, bodies, .. } = rule.as_ref() else {
                continue;
            };
            if matches!(head, RuleHead::Func { .. }) {
                continue;
            }
            for (place, body) in bodies.iter().enumerate() {
                let texts: Vec<_> = body
                    .query
                    .stmts
                    .iter()
                    .map(|one| span::text(&one.span))
                    .collect();
                for count in 1..=texts.len() {
                    let body = texts.iter().take(count).copied().collect::<Vec<_>>();
                    rules += &format!(
                        "\n{} if {{\n{}\n}}\n",
                        name(number, place, count),
                        body.join("\n")
                    );
                }
            }
        }
        let mut probing = policy::empty();
        for other in engine.get_modules() {
            let other = &other.package.span.source;
            let mut text = other.contents().to_string();
            if other.file() == source.file() {
                text += &rules;
            }
            let added = probing.add_policy(other.file().to_string(), text);
            added.map_err(|error| InvalidPolicy::Compile(error.to_string()))?;
        }
        probing.set_input(Value::from(input.clone()));
        let is_wrong = probing.eval_rule(ENTRY_POINT.to_owned()).is_err() && {
            engine.set_input(Value::from(input.clone()));
            engine.eval_rule(ENTRY_POINT.to_owned()).is_ok()
        };
        Ok(Self {
            engine: probing,
            package,
            input: input.clone(),
            is_wrong,
        })
    }

    fn outcome(&mut self, number: usize, place: usize, body: &RuleBody) -> RuleOutcome {
        if self.is_wrong {
            return RuleOutcome::Evaluated;
        }
        for (before, statement) in body.query.stmts.iter().enumerate() {
            let rule = format!("{}.{}", self.package, name(number, place, before + 1));
            match self.engine.eval_rule(rule) {
                Ok(Value::Bool(true)) => {}
                Ok(_) | Err(_) => {
                    let mut paths = BTreeSet::new();
                    let mut visitor = Paths {
                        lines: None,
                        paths: &mut paths,
                        counts: true,
                    };
                    rego::visit_statement(statement, false, &mut visitor);
                    return RuleOutcome::Failed {
                        line: statement.span.line,
                        condition: one_line(span::text(&statement.span)),
                        inputs: looked_up(paths, &self.input),
                    };
                }
            }
        }
        RuleOutcome::Held
    }
}

fn name(number: usize, place: usize, count: usize) -> String {
    format!("ig_probe_{number}_{place}_{count}")
}

/// Paths into the input that a rule looks at on some of its lines.
fn input_paths(rule: &Rule, lines: &[u32]) -> BTreeSet<Vec<String>> {
    let mut paths = BTreeSet::new();
    let mut visitor = Paths {
        lines: Some(lines),
        paths: &mut paths,
        counts: false,
    };
    rego::visit_rule(rule, &mut visitor);
    paths
}

struct Paths<'a> {
    /// Statements that begin on other lines do not count.
    lines: Option<&'a [u32]>,
    paths: &'a mut BTreeSet<Vec<String>>,
    counts: bool,
}

impl Visitor for Paths<'_> {
    fn statement(&mut self, statement: &LiteralStmt, _: bool) {
        if let Some(lines) = self.lines {
            self.counts = lines.contains(&statement.span.line);
        }
    }

    fn expression(&mut self, expression: &Expr, _: bool) {
        if !self.counts || !matches!(expression, Expr::RefDot { .. } | Expr::RefBrack { .. }) {
            return;
        }
        let steps = rego::components(expression);
        let mut names = steps.iter().map_while(|step| step.name);
        if names.next() == Some("input") {
            self.paths.insert(names.map(ToOwned::to_owned).collect());
        }
    }
}

/// The values at paths, each path but those that lead on to another.
fn looked_up(paths: BTreeSet<Vec<String>>, input: &serde_json::Value) -> Vec<UsedInput> {
    let leads_on = |path: &Vec<String>| {
        let longer = |other: &Vec<String>| other.len() > path.len() && other.starts_with(path);
        path.is_empty() || paths.iter().any(longer)
    };
    let found = paths.iter().filter(|path| !leads_on(path)).map(|path| {
        let mut value = Some(input);
        for name in path {
            value = value.and_then(|value| value.get(name));
        }
        (format!("input.{}", path.join(".")), value.cloned())
    });
    let found: BTreeMap<_, _> = found.collect();
    let used = found.into_iter();
    used.map(|(path, value)| UsedInput { path, value })
        .collect()
}

#[cfg(test)]
mod tests;
