//! Tests of policies: `test_*` rules, on both engines.
//!
//! The interpreter runs the tests, as `opa test` does. The guard runs the
//! program of a virtual machine, which is another implementation, so every
//! input that a test puts in place with `with input as` is given to both, whole
//! and without each of its members, and their decisions have to be equal. A
//! test without an input is compiled itself and run on both.

mod coverage;
mod engines;
mod inputs;
mod record;
mod result;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, LimitError, Value};

use crate::rego::{self, Edits};
use crate::{Bundle, InvalidPolicy, Problems, policy};
pub(crate) use coverage::reached;
pub use coverage::{Coverage, Decisions, FileCoverage, MissingDecision, Position, Range};
use engines::Engines;
use record::{Recorder, Used};
pub use result::{Disagreement, Location, SubResult, TestReport, TestResult, TestStatus};

/// The longest that a test runs unless something else is said; OPA's.
pub const TEST_TIME_LIMIT: Duration = Duration::from_secs(5);

/// The longest that all tests of a bundle run together unless something else is
/// said: what a push of a bundle may take of a control plane.
pub const RUN_TIME_LIMIT: Duration = Duration::from_secs(120);

/// Which engines run tests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TestEngines {
    /// The interpreter, and the guard's virtual machine beside it. The bundle
    /// has to be one that the guard can run.
    #[default]
    Both,
    /// The interpreter alone: any Rego, as `opa test` runs it.
    Interpreter,
}

/// How tests are run.
pub struct TestOptions<'a> {
    /// Whether the test with this `package.name` is run.
    pub picks: &'a dyn Fn(&str) -> bool,
    /// The longest that a test runs, on all engines together.
    pub time_limit: Duration,
    /// The longest that all of them run, together; those that are left then have
    /// not ended in time.
    pub run_time_limit: Duration,
    /// Which engines run it.
    pub engines: TestEngines,
}

impl Default for TestOptions<'_> {
    fn default() -> Self {
        Self {
            picks: &|_| true,
            time_limit: TEST_TIME_LIMIT,
            run_time_limit: RUN_TIME_LIMIT,
            engines: TestEngines::Both,
        }
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
    let options = TestOptions {
        picks: &|test| test.contains(filter),
        ..TestOptions::default()
    };
    run_tests_with(bundle, &options, clock)
}

/// Runs tests. `clock` tells the time since any fixed moment.
///
/// # Errors
/// [`InvalidPolicy`], if there is something that cannot be tested.
pub fn run_tests_with(
    bundle: &Bundle,
    options: &TestOptions<'_>,
    clock: &mut dyn FnMut() -> Duration,
) -> Result<TestReport, InvalidPolicy> {
    let mut empty = match options.engines {
        TestEngines::Both => policy::empty(),
        TestEngines::Interpreter => policy::with_data(bundle)?,
    };
    let mut enforced = match options.engines {
        TestEngines::Both => policy::engine(bundle)?,
        TestEngines::Interpreter => policy::with_policies(bundle, empty.clone())?,
    };
    limit(&mut empty, options.time_limit);
    limit(&mut enforced, options.time_limit);
    let engines = match options.engines {
        TestEngines::Both => Some(Engines::new(&enforced)?),
        TestEngines::Interpreter => None,
    };
    let (tested, tests) = add_tests(enforced, &bundle.tests, &empty)?;
    let recorder = Recorder::new(bundle, &tested, empty)?;
    let mut covering = tested.clone();
    covering.set_enable_coverage(true);
    let mut run = Run {
        tested,
        covering,
        recorder,
        engines,
        inputs: Vec::new(),
        time_limit: options.time_limit,
        ends: clock().saturating_add(options.run_time_limit),
    };
    let picked = tests
        .into_iter()
        .filter(|test| (options.picks)(&test.title()));
    let results = picked.map(|test| run.test(&test, clock)).collect();
    let coverage = coverage::report(&mut run.covering, &run.recorder, bundle, &run.inputs);
    Ok(TestReport { results, coverage })
}

/// A run of all tests.
struct Run {
    /// Policies and tests as they are.
    tested: Engine,
    /// The same, counting lines.
    covering: Engine,
    recorder: Recorder,
    engines: Option<Engines>,
    /// Distinct inputs that tests used so far.
    inputs: Vec<Value>,
    time_limit: Duration,
    /// When the run ends, by the clock.
    ends: Duration,
}

impl Run {
    fn test(&mut self, test: &Test, clock: &mut dyn FnMut() -> Duration) -> TestResult {
        let mut result = TestResult {
            location: test.location.clone(),
            package: test.package.clone(),
            name: test.name.clone(),
            status: TestStatus::Skip,
            duration: Duration::ZERO,
            sub_results: BTreeMap::new(),
            compared: 0,
        };
        if test.is_skipped {
            return result;
        }
        let start = clock();
        let ends = start.saturating_add(self.time_limit).min(self.ends);
        let mut left = || Some(ends.saturating_sub(clock())).filter(|left| !left.is_zero());
        let done = self.within(test, &mut result, &mut left);
        if done.is_none() {
            // It would take as long on every other engine.
            result.status = TestStatus::TimedOut(ends.saturating_sub(start));
        }
        if result.duration.is_zero() {
            result.duration = clock().saturating_sub(start);
        }
        result
    }

    /// Runs a test as long as there is time `left`; none if that was not enough.
    fn within(
        &mut self,
        test: &Test,
        result: &mut TestResult,
        left: &mut dyn FnMut() -> Option<Duration>,
    ) -> Option<()> {
        let before = left()?;
        limit(&mut self.covering, before);
        let value = evaluate(&mut self.covering, &test.path);
        if let Err(Failure::TimedOut) = value {
            return None;
        }
        let after = left()?;
        result.duration = before.saturating_sub(after);
        let used = self.recorder.run(&test.path, value.as_ref().ok(), after);
        (result.status, result.sub_results) = status(value, test.has_cases, &used);
        let disagreements = self.compare(&test.path, &used, &mut result.compared, left)?;
        if !disagreements.is_empty() {
            result.status = TestStatus::Disagree(disagreements);
        }
        for input in used.inputs {
            if !self.inputs.contains(&input) {
                self.inputs.push(input);
            }
        }
        Some(())
    }

    fn compare(
        &mut self,
        test: &str,
        used: &Used,
        compared: &mut usize,
        left: &mut dyn FnMut() -> Option<Duration>,
    ) -> Option<Vec<Disagreement>> {
        let Some(engines) = &mut self.engines else {
            return Some(Vec::new());
        };
        match used.inputs.is_empty() {
            true => {
                limit(&mut self.tested, left()?);
                let found = engines::compare_rule(&self.tested, test, compared);
                left().map(|_| Vec::from_iter(found))
            }
            false => engines.compare_inputs(&used.inputs, compared, left),
        }
    }
}

fn status(
    value: Result<Value, Failure>,
    has_cases: bool,
    used: &Used,
) -> (TestStatus, BTreeMap<String, SubResult>) {
    let fail_unless = |passed: bool| match passed {
        true => TestStatus::Pass,
        false => TestStatus::Fail,
    };
    match value {
        Ok(value) if has_cases => {
            let json = value.to_json_str().ok();
            let json = json.and_then(|json| serde_json::from_str(&json).ok());
            let (failed, cases) = result::sub_results(&json.unwrap_or_default(), &used.cases);
            (fail_unless(!failed), cases)
        }
        Ok(value) => (fail_unless(value == Value::Bool(true)), BTreeMap::new()),
        Err(failure) => (TestStatus::Error(failure.to_string()), BTreeMap::new()),
    }
}

struct Test {
    location: Location,
    package: String,
    /// As OPA shows it: the second `test_x` of a package is `test_x#01`.
    name: String,
    /// Under which the engine knows it.
    path: String,
    is_skipped: bool,
    has_cases: bool,
}

impl Test {
    fn title(&self) -> String {
        format!("{}.{}", self.package, self.name)
            .trim_start_matches("data.")
            .to_owned()
    }
}

/// Adds files of tests to the policies, and lists their tests. Tests of one
/// name get names of their own, as OPA gives them: the engine would take them
/// for one rule, and one that passes would hide one that fails.
fn add_tests(
    mut engine: Engine,
    files: &BTreeMap<String, String>,
    empty: &Engine,
) -> Result<(Engine, Vec<Test>), Problems> {
    let mut problems = Problems::none();
    for (path, text) in files {
        if let Err(error) = engine.add_policy(path.clone(), text.clone()) {
            problems.add(path, error.to_string().trim());
        }
    }
    rego::conflicts(engine.get_modules(), &mut problems);
    rego::panicking_calls(engine.get_modules(), &mut problems);
    let mut tested = empty.clone();
    let mut tests = Vec::new();
    let mut counts = BTreeMap::<String, usize>::new();
    for module in engine.get_modules() {
        let source = &module.package.span.source;
        let package = rego::package(module);
        let mut edits = Edits::default();
        for (_, test) in rego::test_rules(module) {
            let mut path = format!("{package}.{}", test.name);
            let is_skipped = test.is_skipped();
            let before = counts.entry(path.clone()).or_default();
            let mut name = test.name;
            if *before > 0 && !is_skipped {
                name += &format!("#{before:02}");
                let suffix = format!("__again{before:02}");
                path += &suffix;
                edits.insert(test.name_end, suffix);
            }
            *before += 1;
            tests.push(Test {
                location: Location {
                    file: source.file().to_string(),
                    row: test.row,
                    col: test.col,
                },
                package: package.clone(),
                name,
                path,
                is_skipped,
                has_cases: !test.tail.is_empty(),
            });
        }
        let (file, text) = (source.file().to_string(), edits.apply(source.contents()));
        if let Err(error) = tested.add_policy(file.clone(), text) {
            problems.add(file, error.to_string().trim());
        }
    }
    problems.or((tested, tests))
}

/// Why a rule has no value.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// It did not end in time.
    #[error("did not end in time")]
    TimedOut,
    /// The engine's error.
    #[error("{0}")]
    Error(String),
}

fn limit(engine: &mut Engine, limit: Duration) {
    /// Steps between two looks at the clock.
    const STEPS: NonZeroU32 = NonZeroU32::MIN.saturating_add(255);
    engine.set_execution_timer_config(ExecutionTimerConfig {
        limit,
        check_interval: STEPS,
    });
}

/// Evaluates a rule, or an object that several rules make.
fn evaluate(engine: &mut Engine, path: &str) -> Result<Value, Failure> {
    let value = engine.eval_rule(path.to_owned()).or_else(|error| {
        if !error.to_string().contains("not a valid rule path") {
            return Err(error);
        }
        let found = engine.eval_query(path.to_owned(), false)?;
        let first = found.result.into_iter().next();
        let value = first.and_then(|row| row.expressions.into_iter().next());
        Ok(value.map_or(Value::Undefined, |one| one.value))
    });
    value.map_err(|error| match error.downcast_ref::<LimitError>() {
        Some(LimitError::TimeLimitExceeded { .. }) => Failure::TimedOut,
        _ => Failure::Error(error.to_string().trim().to_owned()),
    })
}

#[cfg(test)]
mod tests;
