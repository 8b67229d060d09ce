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
mod diff;
mod policy;
mod problem;
mod rego;
mod test_run;

pub use archive::{InvalidArchive, unpack};
pub use bundle::{Bundle, MANIFEST, Manifest, TEST_SUFFIX};
pub use compile::{Compiled, Input, NotCompiled, RemoteText, compile};
pub use config::{CONFIG_VERSION, Config, Texts, remarks};
pub use diff::{Change, Diff, OperationChange, OperationId, diff};
pub use policy::{InvalidPolicy, compile_policy};
pub use problem::{Problem, Problems};
pub use test_run::{
    Coverage, Disagreement, FileCoverage, Location, TestReport, TestResult, TestStatus, run_tests,
};
