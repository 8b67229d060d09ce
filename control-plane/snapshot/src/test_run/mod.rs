//! Tests of policies: `test_*` rules of `*_test.rego`, on both engines.
//!
//! The interpreter runs the tests. The guard runs the program of a virtual
//! machine, which is another implementation, so every input that a test puts
//! in place with `with input as` is given to both, whole and without each of
//! its members, and their decisions have to be equal. A test without an input
//! is compiled itself and run on both.

mod coverage;
mod engines;
mod inputs;

use std::collections::BTreeMap;
use std::time::Duration;

use regorus::{Engine, Value};
use serde::{Serialize, Serializer};

use crate::{Bundle, InvalidPolicy, Problems, TEST_SUFFIX, policy, rego};
pub use coverage::{Coverage, FileCoverage};
use engines::Engines;
use inputs::Recorder;

/// What became of all tests.
#[derive(Clone, Debug, Serialize)]
pub struct TestReport {
    /// Results, by file and in the order of the file.
    pub results: Vec<TestResult>,
    /// Lines of policies that the tests reached.
    pub coverage: Coverage,
}

impl TestReport {
    /// Whether every test passed that was not skipped.
    pub fn passed(&self) -> bool {
        self.results
            .iter()
            .all(|result| matches!(result.status, TestStatus::Pass | TestStatus::Skip))
    }
}

/// What became of a test. Serialised as `opa test --format=json` does.
#[derive(Clone, Debug, Serialize)]
pub struct TestResult {
    /// Where the test is.
    pub location: Location,
    /// Its package, with `data.` in front.
    pub package: String,
    /// Its name.
    pub name: String,
    /// How it ended.
    #[serde(flatten)]
    pub status: TestStatus,
    /// How long the interpreter took.
    #[serde(serialize_with = "nanoseconds")]
    pub duration: Duration,
    /// Inputs, or rules, for which both engines were asked.
    pub compared: usize,
}

/// A place in a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Location {
    /// Path below the bundle.
    pub file: String,
    /// Line, from 1.
    pub row: u32,
    /// Column, from 1.
    pub col: u32,
}

/// How a test ended.
#[derive(Clone, PartialEq, Debug)]
pub enum TestStatus {
    /// True.
    Pass,
    /// Its name starts with `todo_`.
    Skip,
    /// False, or undefined.
    Fail,
    /// The engine reported an error.
    Error(String),
    /// The engines do not agree.
    Disagree(Vec<Disagreement>),
}

/// Two engines, two values.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Disagreement {
    /// The rule.
    pub rule: String,
    /// Its input, as JSON; none where the test sets none.
    pub input: Option<serde_json::Value>,
    /// Value, or error, of the interpreter.
    pub interpreter: String,
    /// Value, or error, of the guard's virtual machine.
    pub guard: String,
}

fn nanoseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

impl Serialize for TestStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Default, Serialize)]
        struct Members<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            fail: Option<bool>,
            #[serde(skip_serializing_if = "Option::is_none")]
            skip: Option<bool>,
            #[serde(skip_serializing_if = "Option::is_none")]
            error: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            disagreements: Option<&'a [Disagreement]>,
        }
        let none = Members::default();
        let members = match self {
            Self::Pass => none,
            Self::Skip => Members {
                skip: Some(true),
                ..none
            },
            Self::Fail => Members {
                fail: Some(true),
                ..none
            },
            Self::Error(error) => Members {
                error: Some(error),
                ..none
            },
            Self::Disagree(disagreements) => Members {
                fail: Some(true),
                disagreements: Some(disagreements),
                ..none
            },
        };
        members.serialize(serializer)
    }
}

/// Runs the tests whose `package.name` contains `filter`. `clock` tells the
/// time since any fixed moment.
///
/// # Errors
/// [`InvalidPolicy`], if there is something that cannot be tested.
pub fn run_tests(
    bundle: &Bundle,
    filter: &str,
    clock: &mut dyn FnMut() -> Duration,
) -> Result<TestReport, InvalidPolicy> {
    let mut tested = policy::engine(bundle)?;
    let mut engines = Engines::new(&tested)?;
    let tests = add_tests(&mut tested, &bundle.tests)?;
    let recorder = Recorder::new(bundle, &tested)?;
    let mut covering = tested.clone();
    covering.set_enable_coverage(true);
    let mut results = Vec::new();
    for test in tests
        .into_iter()
        .filter(|test| test.title().contains(filter))
    {
        let mut duration = Duration::ZERO;
        let mut compared = 0;
        let mut status = TestStatus::Skip;
        if !test.name.starts_with("todo_") {
            let start = clock();
            status = evaluate(&mut covering, &test.path());
            duration = clock().saturating_sub(start);
            let inputs = recorder.inputs(&test.path());
            let disagreements = match inputs.is_empty() {
                true => Vec::from_iter(engines::compare_rule(&tested, &test.path(), &mut compared)),
                false => engines.compare_inputs(inputs, &mut compared),
            };
            if !disagreements.is_empty() {
                status = TestStatus::Disagree(disagreements);
            }
        }
        let Test {
            location,
            package,
            name,
        } = test;
        results.push(TestResult {
            location,
            package,
            name,
            status,
            duration,
            compared,
        });
    }
    let coverage = coverage::report(&covering, bundle);
    Ok(TestReport { results, coverage })
}

struct Test {
    location: Location,
    package: String,
    name: String,
}

impl Test {
    fn path(&self) -> String {
        format!("{}.{}", self.package, self.name)
    }

    fn title(&self) -> String {
        self.path().trim_start_matches("data.").to_owned()
    }
}

/// Adds files of tests, and lists their tests.
fn add_tests(engine: &mut Engine, files: &BTreeMap<String, String>) -> Result<Vec<Test>, Problems> {
    let mut problems = Problems::none();
    for (path, text) in files {
        if let Err(error) = engine.add_policy(path.clone(), text.clone()) {
            problems.add(path, error.to_string().trim());
        }
    }
    let packages = engine.get_policy_package_components().unwrap_or_default();
    let mut tests = Vec::new();
    for (module, package) in engine.get_modules().iter().zip(packages) {
        if !package.source_file.ends_with(TEST_SUFFIX) {
            continue;
        }
        let package = format!("data.{}", package.components.join("."));
        for (name, span) in rego::rules(module) {
            if !name.starts_with("test_") && !name.starts_with("todo_test_") {
                continue;
            }
            let file = span.source.file().to_string();
            let location = Location {
                file,
                row: span.line,
                col: span.col,
            };
            let test = Test {
                location,
                package: package.clone(),
                name,
            };
            if !tests.iter().any(|known: &Test| known.path() == test.path()) {
                tests.push(test);
            }
        }
    }
    problems.or(tests)
}

fn evaluate(engine: &mut Engine, rule: &str) -> TestStatus {
    match engine.eval_rule(rule.to_owned()) {
        Ok(Value::Bool(true)) => TestStatus::Pass,
        Ok(_) => TestStatus::Fail,
        Err(error) => TestStatus::Error(error.to_string().trim().to_owned()),
    }
}

#[cfg(test)]
mod tests;
