//! Runs tests in a form that says what they do: with which inputs, which rules
//! came to their end, which conditions held. See `rego/mark.rs`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use regorus::unstable::{Module, Ref};
use regorus::{Engine, Value};

use crate::rego::{self, CASE, CONDITION, EXIT, INPUT, Marks};
use crate::{Bundle, InvalidPolicy};

/// Most distinct inputs of one test that are compared.
const MAX_INPUTS: usize = 10_000;

/// What tests did.
#[derive(Default)]
struct Seen {
    inputs: Vec<Value>,
    cases: Vec<Vec<String>>,
    exits: BTreeSet<usize>,
    /// Which conditions held, and which did not.
    conditions: BTreeMap<usize, (bool, bool)>,
}

pub(super) struct Recorder {
    engine: Engine,
    seen: Arc<Mutex<Seen>>,
    marks: Marks,
    /// Whether a marked test ended in another way than the test itself; then
    /// marks say nothing.
    is_wrong: bool,
}

/// What one test used.
pub(super) struct Used {
    /// Distinct inputs, in order.
    pub(super) inputs: Vec<Value>,
    /// Cases that were begun, by the steps of their names.
    pub(super) cases: Vec<Vec<String>>,
}

impl Recorder {
    /// `tested` has the files of tests as they are, and `empty` none at all.
    pub(super) fn new(
        bundle: &Bundle,
        tested: &Engine,
        empty: Engine,
    ) -> Result<Self, InvalidPolicy> {
        let mut tested = tested.clone();
        let modules = tested.get_modules();
        let mut marks = Marks::default();
        // Marks are worth something, inputs are needed: what the marked text
        // cannot say is run without.
        match Self::with(bundle, modules, empty.clone(), &mut marks, true) {
            Ok(recorder) => Ok(recorder),
            Err(_) => Self::with(bundle, modules, empty, &mut Marks::default(), false),
        }
    }

    fn with(
        bundle: &Bundle,
        modules: &[Ref<Module>],
        mut engine: Engine,
        marks: &mut Marks,
        is_marked: bool,
    ) -> Result<Self, InvalidPolicy> {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let failed = |error: &dyn std::fmt::Display| InvalidPolicy::Compile(error.to_string());
        extend(&mut engine, &seen).map_err(|error| failed(&error))?;
        for module in modules {
            let path = module.package.span.source.file().to_string();
            let package = rego::package(module);
            let same = modules.iter().map(AsRef::as_ref);
            let known = rego::global_names(same.filter(|other| rego::package(other) == package));
            let is_policy = is_marked && bundle.policies.contains_key(&path);
            let text = rego::mark(module, is_policy, &known, marks);
            engine.add_policy(path, text).map_err(|e| failed(&e))?;
        }
        Ok(Self {
            engine,
            seen,
            marks: std::mem::take(marks),
            is_wrong: !is_marked,
        })
    }

    /// Runs a test, which has ended with `value`, for as long as is `left`.
    pub(super) fn run(&mut self, test: &str, value: Option<&Value>, left: Duration) -> Used {
        // A test that fails has still used its inputs; its error is reported
        // where it runs as it is.
        let mut engine = self.engine.clone();
        super::limit(&mut engine, left);
        let marked = super::evaluate(&mut engine, test).ok();
        self.is_wrong |= marked.as_ref() != value;
        let mut seen = lock(&self.seen);
        Used {
            inputs: std::mem::take(&mut seen.inputs),
            cases: std::mem::take(&mut seen.cases),
        }
    }

    /// Whether a rule came to its end, by its file and the line of its head;
    /// none where that is not known.
    pub(super) fn ended(&self, file: &str, row: u32) -> Option<bool> {
        let seen = lock(&self.seen);
        let exits = self.marks.exits.iter().enumerate();
        let mut of_row = exits
            .filter(|(_, exit)| exit.file == file && exit.row == row)
            .peekable();
        of_row.peek().filter(|_| !self.is_wrong)?;
        Some(of_row.any(|(number, _)| seen.exits.contains(&number)))
    }

    /// Conditions, and whether each held and did not hold; none where that is
    /// not known.
    pub(super) fn conditions(&self) -> Option<Vec<(&rego::Condition, bool, bool)>> {
        let seen = lock(&self.seen);
        let all = self.marks.conditions.iter().enumerate();
        let all = all.map(|(number, condition)| {
            let (held, failed) = seen.conditions.get(&number).copied().unwrap_or_default();
            (condition, held, failed)
        });
        (!self.is_wrong).then(|| all.collect())
    }

    /// Whether no rule of a path but its default gives its value, for one of
    /// these inputs.
    pub(super) fn needs_default(&self, path: &str, rows: &[(&str, u32)], inputs: &[Value]) -> bool {
        let exits = self.marks.exits.iter().enumerate();
        let of_path: BTreeSet<usize> = exits
            .filter(|(_, exit)| rows.contains(&(exit.file.as_str(), exit.row)))
            .map(|(number, _)| number)
            .collect();
        let kept = std::mem::take(&mut lock(&self.seen).exits);
        let needs = inputs.iter().any(|input| {
            let mut engine = self.engine.clone();
            if *input != Value::Undefined {
                engine.set_input(input.clone());
            }
            let is_defined = super::evaluate(&mut engine, path).is_ok();
            let ended = std::mem::take(&mut lock(&self.seen).exits);
            is_defined && ended.is_disjoint(&of_path)
        });
        lock(&self.seen).exits = kept;
        needs
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The functions that marked texts call. Each gives what was there before.
fn extend(engine: &mut Engine, seen: &Arc<Mutex<Seen>>) -> Result<(), String> {
    type Keep = fn(&mut Seen, Vec<Value>) -> Value;
    let input: Keep = |seen, arguments| {
        let input = arguments.into_iter().next().unwrap_or(Value::Undefined);
        if seen.inputs.len() < MAX_INPUTS && !seen.inputs.contains(&input) {
            seen.inputs.push(input.clone());
        }
        input
    };
    let exit: Keep = |seen, arguments| {
        seen.exits.extend(number(&arguments));
        arguments.into_iter().nth(1).unwrap_or(Value::Undefined)
    };
    let condition: Keep = |seen, arguments| {
        let values = arguments.get(1).and_then(|values| values.as_array().ok());
        let is_true = |value: &Value| *value != Value::Bool(false);
        let holds = values.is_some_and(|values| values.iter().any(is_true));
        if let Some(number) = number(&arguments) {
            let (held, failed) = seen.conditions.entry(number).or_default();
            *held |= holds;
            *failed |= !holds;
        }
        Value::Bool(holds)
    };
    let case: Keep = |seen, arguments| {
        let names = arguments.first().and_then(|names| names.as_array().ok());
        let names = names.into_iter().flat_map(|names| names.iter());
        seen.cases.push(names.map(name).collect());
        Value::Bool(true)
    };
    for (function, arity, keep) in [
        (INPUT, 1, input),
        (EXIT, 2, exit),
        (CONDITION, 2, condition),
        (CASE, 1, case),
    ] {
        let seen = Arc::clone(seen);
        let call = move |arguments: Vec<Value>| Ok(keep(&mut lock(&seen), arguments));
        engine
            .add_extension(function.to_owned(), arity, Box::new(call))
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn number(arguments: &[Value]) -> Option<usize> {
    let number = arguments.first()?.as_u64().ok()?;
    usize::try_from(number).ok()
}

/// A case's name is a string, or the JSON of what it is.
fn name(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_string(),
        other => other.to_json_str().unwrap_or_default(),
    }
}
