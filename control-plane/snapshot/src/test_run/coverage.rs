//! What of policies tests reached: lines, counted as `opa test --coverage`
//! does, and decisions.
//!
//! What counts are rules' heads and statements, with all their lines. A head
//! is covered when its rule came to its end, a statement when it was evaluated.
//! A line with one that is and one that is not counts on both sides.

use std::collections::{BTreeMap, BTreeSet};

use regorus::unstable::{Literal, LiteralStmt, Module, Rule, RuleHead, Span};
use regorus::{Engine, Value};
use serde::Serialize;

use super::record::Recorder;
use super::result::Location;
use crate::Bundle;
use crate::rego::{self, Visitor, span};

/// Coverage of all policies, tests and data aside.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Coverage {
    /// By file.
    pub files: BTreeMap<String, FileCoverage>,
    /// Covered lines, of all that can be.
    pub covered_lines: usize,
    /// The others.
    pub not_covered_lines: usize,
    /// Covered lines, in percent.
    pub coverage: f64,
    /// Outcomes of conditions; none where they could not be told.
    pub decisions: Option<Decisions>,
}

/// Coverage of a file.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct FileCoverage {
    /// What was reached.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub covered: Vec<Range>,
    /// What was not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_covered: Vec<Range>,
    /// Lines with something that was reached.
    pub covered_lines: usize,
    /// Lines with something that was not.
    pub not_covered_lines: usize,
    /// Reached lines, in percent; 0 where there are none.
    pub coverage: f64,
}

/// A rule's head, or a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Range {
    /// Where it begins.
    pub start: Position,
    /// Where it ends: the first place behind.
    pub end: Position,
}

/// A place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct Position {
    /// Line, from 1.
    pub row: u32,
    /// Column, from 1.
    pub col: u32,
}

impl Range {
    fn contains(&self, other: &Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }
}

/// Decisions: each condition in a policy holds or does not, and tests should
/// see both.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Decisions {
    /// Outcomes that were seen.
    pub covered: usize,
    /// Outcomes that were not.
    pub not_covered: usize,
    /// Outcomes that were seen, in percent.
    pub coverage: f64,
    /// Conditions with an outcome that was not seen.
    pub missing: Vec<MissingDecision>,
}

/// A condition that no test saw in both ways.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct MissingDecision {
    /// Where it is.
    #[serde(flatten)]
    pub location: Location,
    /// Its text.
    pub text: String,
    /// Whether it was seen to hold.
    pub held: bool,
    /// Whether it was seen not to hold.
    pub failed: bool,
}

impl FileCoverage {
    /// Numbers of the lines with something that was not reached, ascending.
    pub fn uncovered_rows(&self) -> impl Iterator<Item = u32> + use<> {
        rows(&self.not_covered).into_iter()
    }
}

/// `inputs` are those that tests used.
pub(super) fn report(
    covering: &mut Engine,
    recorder: &Recorder,
    bundle: &Bundle,
    inputs: &[Value],
) -> Coverage {
    let reached = reached(covering);
    let mut files = BTreeMap::new();
    for module in covering.get_modules() {
        let path = module.package.span.source.file().to_string();
        if bundle.policies.contains_key(&path) {
            let native = reached.get(&path).cloned().unwrap_or_default();
            let file = of_module(module, &path, &native, recorder, inputs);
            files.insert(path, file);
        }
    }
    let sum = |of: fn(&FileCoverage) -> usize| files.values().map(of).sum();
    let covered_lines = sum(|file| file.covered_lines);
    let not_covered_lines = sum(|file| file.not_covered_lines);
    Coverage {
        coverage: percent(covered_lines, not_covered_lines, 100.0),
        files,
        covered_lines,
        not_covered_lines,
        decisions: recorder.conditions().map(|all| decisions(&all)),
    }
}

/// Lines with an expression that the interpreter evaluated, by file.
pub(crate) fn reached(engine: &Engine) -> BTreeMap<String, BTreeSet<u32>> {
    let report = engine.get_coverage_report().unwrap_or_default();
    let files = report.files.into_iter();
    files.map(|file| (file.path, file.covered)).collect()
}

/// What counts of a module, and whether it was reached.
struct Units<'a> {
    file: &'a str,
    /// Lines that the interpreter came to.
    native: &'a BTreeSet<u32>,
    recorder: &'a Recorder,
    reached: Vec<Range>,
    missed: Vec<Range>,
}

impl Units<'_> {
    fn add(&mut self, range: Range, is_reached: bool) {
        match is_reached {
            true => self.reached.push(range),
            false => self.missed.push(range),
        }
    }

    /// A head, by its place. It is reached when its rule came to its end.
    fn head(&mut self, at: &Span, end: usize) {
        let is_reached = match self.recorder.ended(self.file, at.line) {
            Some(ended) => ended,
            None => self.native.contains(&at.line),
        };
        self.add(range(at, end), is_reached);
    }
}

impl Visitor for Units<'_> {
    fn rule(&mut self, rule: &Rule) {
        let Rule::Spec { head, bodies, .. } = rule else {
            return;
        };
        match head {
            RuleHead::Compr { refr, span, .. }
            | RuleHead::Set { refr, span, .. }
            | RuleHead::Func { refr, span, .. } => self.head(refr.span(), span::end(span)),
        }
        for body in bodies.iter().filter(|body| body.is_else) {
            let keyword = body.span.start as usize + "else".len();
            let assign = body.assign.as_ref();
            self.head(
                &body.span,
                assign.map_or(keyword, |one| span::end(&one.span)),
            );
        }
    }

    fn statement(&mut self, statement: &LiteralStmt, _: bool) {
        let is_reached = self.native.contains(&statement.span.line);
        // OPA counts `some x in xs` where it is reached, and only there: it
        // takes it apart when it compiles.
        let counts = match &statement.literal {
            Literal::SomeVars { .. } => false,
            Literal::SomeIn { .. } => is_reached,
            _ => true,
        };
        if counts {
            self.add(
                range(&statement.span, span::end(&statement.span)),
                is_reached,
            );
        }
    }
}

/// From the start of a span to a place behind.
fn range(at: &Span, end: usize) -> Range {
    let text = at.source.contents().get(span::start(at)..end);
    let text = text.unwrap_or_default();
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let (lines, last) = match text.rsplit_once('\n') {
        Some((before, last)) => (count(before.matches('\n').count()) + 1, last),
        None => (0, text),
    };
    let column = span::column(at);
    let before = if lines == 0 { column } else { 1 };
    Range {
        start: Position {
            row: at.line,
            col: column,
        },
        end: Position {
            row: at.line + lines,
            col: before + count(last.chars().count()),
        },
    }
}

fn of_module(
    module: &Module,
    file: &str,
    native: &BTreeSet<u32>,
    recorder: &Recorder,
    inputs: &[Value],
) -> FileCoverage {
    let mut units = Units {
        file,
        native,
        recorder,
        reached: Vec::new(),
        missed: Vec::new(),
    };
    rego::visit(module, &mut units);
    for rule in &module.policy {
        if let Rule::Default { refr, span, .. } = rule.as_ref() {
            let is_reached = native.contains(&span.line)
                && is_default_needed(module, refr.span().text(), file, recorder, inputs);
            units.add(range(span, span::end(span)), is_reached);
        }
    }
    let Units {
        reached,
        mut missed,
        ..
    } = units;
    // What is a part of something that was reached does not count again.
    missed.retain(|one| !reached.iter().any(|other| other.contains(one)));
    let (covered_lines, not_covered_lines) = (rows(&reached).len(), rows(&missed).len());
    FileCoverage {
        coverage: percent(covered_lines, not_covered_lines, 0.0),
        covered_lines,
        not_covered_lines,
        covered: outermost(reached),
        not_covered: outermost(missed),
    }
}

/// Whether a rule's default gave its value for one of the inputs. The
/// interpreter evaluates it whether or not it is needed.
fn is_default_needed(
    module: &Module,
    name: &str,
    file: &str,
    recorder: &Recorder,
    inputs: &[Value],
) -> bool {
    let mut heads = Vec::new();
    for rule in &module.policy {
        if let Rule::Spec {
            head: RuleHead::Compr { refr, .. },
            bodies,
            ..
        } = rule.as_ref()
            && refr.span().text() == name
        {
            heads.push((file, refr.span().line));
            let others = bodies.iter().filter(|body| body.is_else);
            heads.extend(others.map(|body| (file, body.span.line)));
        }
    }
    let path = format!("{}.{name}", rego::package(module));
    recorder.needs_default(&path, &heads, inputs)
}

fn rows(ranges: &[Range]) -> BTreeSet<u32> {
    let rows = ranges.iter().map(|range| range.start.row..=range.end.row);
    rows.flatten().collect()
}

/// In order, without those that are in others.
fn outermost(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
    let mut kept: Vec<Range> = Vec::new();
    for range in ranges {
        if !kept.last().is_some_and(|last| last.contains(&range)) {
            kept.push(range);
        }
    }
    kept
}

fn decisions(conditions: &[(&rego::Condition, bool, bool)]) -> Decisions {
    let seen = |(_, held, failed): &(_, bool, bool)| usize::from(*held) + usize::from(*failed);
    let covered: usize = conditions.iter().map(seen).sum();
    let missing = conditions.iter().filter(|one| seen(one) < 2);
    let missing = missing.map(|(condition, held, failed)| MissingDecision {
        location: Location {
            file: condition.file.clone(),
            row: condition.row,
            col: condition.col,
        },
        text: condition.text.clone(),
        held: *held,
        failed: *failed,
    });
    let mut missing: Vec<_> = missing.collect();
    missing.sort_by(|left, right| left.location.cmp(&right.location));
    let not_covered = 2 * conditions.len() - covered;
    Decisions {
        covered,
        not_covered,
        coverage: percent(covered, not_covered, 100.0),
        missing,
    }
}

fn percent(covered: usize, not_covered: usize, of_nothing: f64) -> f64 {
    let count = |lines| u32::try_from(lines).map_or(f64::MAX, f64::from);
    match covered + not_covered {
        0 => of_nothing,
        all => 100.0 * count(covered) / count(all),
    }
}
