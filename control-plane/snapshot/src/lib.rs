//! Compiles schema, catalogue, policies and tenants into a guard snapshot.
//!
//! Raw → valid → compiled: [`Config::parse`] and [`Bundle::from_files`] read
//! what people write and list everything that is wrong with it,
//! [`compile_policy`] makes a program of a bundle, and [`compile`] puts the
//! parts together and checks the bytes with the decoder that the guard runs.
//! Pure: no I/O and no clock. The same input gives the same bytes.

#![forbid(unsafe_code)]

mod archive;
mod builtins;
mod bundle;
mod compile;
mod config;
mod data;
mod decider;
mod diff;
mod explain;
mod policy;
mod problem;
mod rego;
mod replay;
mod test_run;

pub use archive::{InvalidArchive, unpack};
pub use bundle::{Bundle, MANIFEST, Manifest, TEST_SUFFIX};
pub use compile::{Compiled, Input, NotCompiled, RemoteText, compile};
pub use config::{CONFIG_VERSION, Config, Texts, remarks};
pub use decider::{Decider, Decision};
pub use diff::{Change, Diff, OperationChange, OperationId, diff};
pub use explain::{ExplainedRule, Explanation, RuleOutcome, UsedInput};
pub use policy::{InvalidPolicy, compile_policy};
pub use problem::{Problem, Problems};
pub use replay::{KnownActor, NotReplayable, Replayed, recorded_input, replay};
pub use test_run::{
    Coverage, Decisions, Disagreement, FileCoverage, Location, MissingDecision, Position,
    RUN_TIME_LIMIT, Range, SubResult, TEST_TIME_LIMIT, TestEngines, TestOptions, TestReport,
    TestResult, TestStatus, run_tests, run_tests_with,
};
