//! What became of tests, as `opa test --format=json` writes it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::Coverage;

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

    /// The first test that did not end in its time.
    pub fn endless(&self) -> Option<&TestResult> {
        let is_endless = |result: &&TestResult| matches!(result.status, TestStatus::TimedOut(_));
        self.results.iter().find(is_endless)
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
    /// Cases of a test with a name for each (`test_x[note]`), by their names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sub_results: BTreeMap<String, SubResult>,
    /// Inputs, or rules, for which both engines were asked.
    pub compared: usize,
}

/// What became of a case of a test.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub struct SubResult {
    /// Its name.
    pub name: String,
    /// Whether it, or a case below it, failed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub fail: bool,
    /// Cases below it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub sub_results: BTreeMap<String, SubResult>,
}

/// A place in a file.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
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
    /// Its name starts with `todo_test_`.
    Skip,
    /// False, or undefined.
    Fail,
    /// The engine reported an error.
    Error(String),
    /// It did not end within this time.
    TimedOut(Duration),
    /// The engines do not agree.
    Disagree(Vec<Disagreement>),
}

/// Two engines, two values.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Disagreement {
    /// The rule.
    pub rule: String,
    /// Its input, as JSON; none where the test sets none.
    pub input: Option<Value>,
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
        let members = match self {
            Self::Pass => json!({}),
            Self::Skip => json!({"skip": true}),
            Self::Fail => json!({"fail": true}),
            // The codes are OPA's.
            Self::Error(error) => {
                json!({"error": {"code": "eval_internal_error", "message": error}})
            }
            Self::TimedOut(limit) => json!({"error": {
                "code": "eval_cancel_error",
                "message": format!("did not end within {limit:?}"),
            }}),
            Self::Disagree(all) => json!({"fail": true, "disagreements": all}),
        };
        members.serialize(serializer)
    }
}

/// Cases of a test: those that have a value, and those that were begun, by the
/// steps of their names. A case that is only begun has failed.
pub(super) fn sub_results(
    value: &Value,
    begun: &[Vec<String>],
) -> (bool, BTreeMap<String, SubResult>) {
    let none = Map::new();
    let members = value.as_object().unwrap_or(&none);
    let mut cases: BTreeMap<_, _> = members
        .iter()
        .map(|(name, value)| (name.clone(), valued(name, value)))
        .collect();
    for path in begun {
        begin(&mut cases, path);
    }
    (cases.values().any(|case| case.fail), cases)
}

fn valued(name: &str, value: &Value) -> SubResult {
    let name = name.to_owned();
    match value {
        Value::Object(_) => {
            let (fail, sub_results) = sub_results(value, &[]);
            SubResult {
                name,
                fail,
                sub_results,
            }
        }
        other => SubResult {
            name,
            fail: *other != Value::Bool(true),
            ..SubResult::default()
        },
    }
}

/// Whether the case has failed.
fn begin(cases: &mut BTreeMap<String, SubResult>, path: &[String]) -> bool {
    let Some((name, rest)) = path.split_first() else {
        return false;
    };
    let case = cases.entry(name.clone()).or_insert_with(|| SubResult {
        name: name.clone(),
        fail: true,
        ..SubResult::default()
    });
    if !rest.is_empty() && begin(&mut case.sub_results, rest) {
        case.fail = true;
    }
    case.fail
}
