//! The inputs that tests use.
//!
//! Files of tests are rewritten so that `with input as X` becomes
//! `with input as ig_test_input(X)`, a function that keeps its argument. Run
//! so, a test says itself what it tests with, loops and functions included.

use std::sync::{Arc, Mutex, PoisonError};

use regorus::unstable::LiteralStmt;
use regorus::{Engine, Value};

use crate::rego::{Edits, Visitor, visit};
use crate::{Bundle, InvalidPolicy, TEST_SUFFIX, policy};

const FUNCTION: &str = "ig_test_input";

pub(super) struct Recorder {
    engine: Engine,
    seen: Arc<Mutex<Vec<Value>>>,
}

impl Recorder {
    /// `tested` has the files of tests as they are.
    pub(super) fn new(bundle: &Bundle, tested: &Engine) -> Result<Self, InvalidPolicy> {
        let mut engine = policy::engine(bundle)?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        let keep = move |arguments: Vec<Value>| {
            let input = arguments.into_iter().next().unwrap_or(Value::Undefined);
            let mut seen = sink.lock().unwrap_or_else(PoisonError::into_inner);
            if !seen.contains(&input) {
                seen.push(input.clone());
            }
            Ok(input)
        };
        let failed = |error: &dyn std::fmt::Display| InvalidPolicy::Compile(error.to_string());
        engine
            .add_extension(FUNCTION.to_owned(), 1, Box::new(keep))
            .map_err(|e| failed(&e))?;
        let mut tested = tested.clone();
        for module in tested.get_modules() {
            let source = &module.package.span.source;
            if source.file().ends_with(TEST_SUFFIX) {
                let mut inputs = Inputs::default();
                visit(module, &mut inputs);
                let text = inputs.0.apply(source.contents());
                engine
                    .add_policy(source.file().to_string(), text)
                    .map_err(|e| failed(&e))?;
            }
        }
        Ok(Self { engine, seen })
    }

    /// The distinct inputs that a test uses, in order.
    pub(super) fn inputs(&self, test: &str) -> Vec<Value> {
        let take =
            || std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        take();
        // A test that fails has still used its inputs; its error is reported
        // where it runs as it is.
        let _ = self.engine.clone().eval_rule(test.to_owned());
        take()
    }
}

/// Puts the function around every input.
#[derive(Default)]
struct Inputs(Edits);

impl Visitor for Inputs {
    fn statement(&mut self, statement: &LiteralStmt, _: bool) {
        for with in &statement.with_mods {
            let source = with.span.source.contents();
            let (start, end) = (with.refr.span().end as usize, with.span.end as usize);
            // Between the two is ` as X`.
            let keyword = source.get(start..end).and_then(|rest| rest.find("as"));
            if let Some(keyword) = keyword.filter(|_| with.refr.span().text() == "input") {
                self.0.insert(start + keyword + 2, format!(" {FUNCTION}("));
                self.0.insert(end, ")");
            }
        }
    }
}

/// An input, and the same without each of its members, one at a time: what is
/// missing is where engines differ.
pub(super) fn variants(input: &Value) -> Vec<Value> {
    let mut all = vec![input.clone()];
    if let Ok(json) = input.to_json_str()
        && let Ok(json) = serde_json::from_str::<serde_json::Value>(&json)
    {
        let mut paths = Vec::new();
        members(&json, String::new(), &mut paths);
        for path in paths {
            let mut without = json.clone();
            let (parent, key) = path.rsplit_once('/').unwrap_or_default();
            if let Some(serde_json::Value::Object(parent)) = without.pointer_mut(parent) {
                parent.remove(&key.replace("~1", "/").replace("~0", "~"));
                all.push(Value::from(without));
            }
        }
    }
    all
}

/// JSON pointers to all members.
fn members(value: &serde_json::Value, path: String, paths: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(object) => {
            for (key, value) in object {
                let path = format!("{path}/{}", key.replace('~', "~0").replace('/', "~1"));
                paths.push(path.clone());
                members(value, path, paths);
            }
        }
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                members(item, format!("{path}/{index}"), paths);
            }
        }
        _ => {}
    }
}
