//! Reports: what each says passed, computed from its details. What a report says of
//! itself in one word is not read.

mod access;
mod chaos;
mod load;
mod policy;
mod schema;
mod tests;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{About, Files, Stamp, json};

/// A report of a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Report {
    /// Who holds which role and group: `ig access review --json`.
    AccessReview,
    /// What changed in the schema since the last release: `ig schema diff`.
    SchemaDiff,
    /// Policies under their tests: `ig policy test --coverage`.
    PolicyTests,
    /// Invariants under faults: `cargo xtask chaos`.
    Chaos,
    /// Latency and errors under load, with thresholds, as k6 summarises them.
    Load,
    /// Tests of the workspace, by name.
    Tests,
    /// Tests of conformance, by name.
    Conformance,
    /// Tests in a browser, by name.
    Browser,
}

/// What came of a run, by names.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Outcome {
    /// What passed.
    pub passed: BTreeSet<String>,
    /// What did not.
    pub failed: BTreeSet<String>,
    /// What was not tried.
    pub skipped: BTreeSet<String>,
    /// What passed by an exception alone, in words: by whose leave, why, and until when.
    pub excepted: BTreeSet<String>,
}

impl Outcome {
    /// Puts a name where it belongs. What failed once has failed.
    pub(crate) fn add(&mut self, name: impl Into<String>, passed: bool) {
        let name = name.into();
        match passed {
            true => self.passed.insert(name),
            false => self.failed.insert(name),
        };
    }
}

impl Report {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::AccessReview,
        Self::SchemaDiff,
        Self::PolicyTests,
        Self::Chaos,
        Self::Load,
        Self::Tests,
        Self::Conformance,
        Self::Browser,
    ];

    /// Its name, without a folder.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::AccessReview => "access-review.json",
            Self::SchemaDiff => "schema-diff.json",
            Self::PolicyTests => "policy-tests.json",
            Self::Chaos => "chaos-results.json",
            Self::Load => "k6-stress.json",
            Self::Tests => "tests.json",
            Self::Conformance => "conformance.json",
            Self::Browser => "browser.json",
        }
    }

    /// Its place in a bundle.
    #[must_use]
    pub fn path(self) -> String {
        format!("reports/{}", self.file_name())
    }

    /// The place of its attestation.
    #[must_use]
    pub fn attestation(self) -> String {
        let stem = self.file_name().trim_end_matches(".json");
        format!("{}{stem}.sigstore.json", crate::names::ATTESTATIONS)
    }

    /// What came of the run.
    ///
    /// # Errors
    /// Why that cannot be told: then it is no report.
    pub fn outcome(self, report: &Value) -> Result<Outcome, String> {
        let outcome = match self {
            Self::AccessReview => access::outcome(report),
            Self::SchemaDiff => schema::outcome(report),
            Self::PolicyTests => policy::outcome(result(report)?),
            Self::Chaos => chaos::outcome(report),
            Self::Load => load::outcome(report),
            Self::Tests | Self::Conformance | Self::Browser => tests::outcome(report),
        }?;
        match outcome.passed.is_empty() && outcome.failed.is_empty() {
            true => Err("nothing was run".into()),
            false => Ok(outcome),
        }
    }

    /// Reads a report, and sees that it is of the release.
    ///
    /// # Errors
    /// Why it speaks for nothing.
    pub fn read(self, bytes: &[u8], about: &About) -> Result<(Value, Outcome), String> {
        let report = json::read("the report", bytes)?;
        Stamp::of(&report)?.is_for(about)?;
        let outcome = self.outcome(&report)?;
        Ok((report, outcome))
    }

    /// The same of a bundle's; `None` where it has none.
    pub(crate) fn of(
        self,
        files: &Files,
        about: &About,
    ) -> Option<Result<(Value, Outcome), String>> {
        let bytes = files.get(&self.path())?;
        Some(self.read(bytes, about))
    }
}

/// What a program said that knows nothing of commits: it stands beside `run`.
fn result(report: &Value) -> Result<&Value, String> {
    report
        .get("result")
        .ok_or_else(|| "it has no result".into())
}
