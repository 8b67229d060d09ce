//! Checks: what decides about a claim, from the bundle's files alone.

mod bundle;
mod license;
mod provenance;
mod sbom;

pub(crate) use bundle::absent;
use serde::{Deserialize, Serialize};

use crate::judge::{Finding, Given};
use crate::{Claim, Outcome, Report, names};

/// What decides about a claim.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Everybody who holds something is named, and nobody holds what they must not.
    AccessReview,
    /// No operation breaks, callers need nothing less, everything was decided.
    SchemaDiff,
    /// Every test of policies passed, on both engines, and enough is covered.
    PolicyTests,
    /// Every invariant held, in these scenarios.
    Chaos,
    /// Every threshold holds, these among them.
    Load,
    /// These tests of the workspace passed, and none failed.
    Tests,
    /// These tests of conformance passed, and none failed.
    Conformance,
    /// These tests in a browser passed, and none failed.
    Browser,
    /// What is linked is named with its licence.
    Sbom,
    /// Provenance is of these artefacts and this commit.
    Provenance,
    /// The ledger grew from the last release's checkpoint.
    LedgerDelta,
    /// These dashboards are there.
    Dashboards,
    /// Every report has an attestation by the key, of what it says, in the ledger.
    Attestations,
}

impl Check {
    /// As `controls.toml` has it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessReview => "access-review",
            Self::SchemaDiff => "schema-diff",
            Self::PolicyTests => "policy-tests",
            Self::Chaos => "chaos",
            Self::Load => "load",
            Self::Tests => "tests",
            Self::Conformance => "conformance",
            Self::Browser => "browser",
            Self::Sbom => "sbom",
            Self::Provenance => "provenance",
            Self::LedgerDelta => "ledger-delta",
            Self::Dashboards => "dashboards",
            Self::Attestations => "attestations",
        }
    }

    /// What it decides by, in words.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::AccessReview => {
                "lists tokens, users and groups; no suspended user is an admin, no owner's token \
                 is older than a year without an end"
            }
            Self::SchemaDiff => {
                "the rules `operations` and `weakened` were asked for and hold, and everything \
                 was decided"
            }
            Self::PolicyTests => {
                "each test passed, both engines were compared, 95 % of the lines are covered"
            }
            Self::Chaos => "each invariant held in each scenario, these among them",
            Self::Load => "each threshold holds by the values that were measured, these among them",
            Self::Tests | Self::Conformance | Self::Browser => "no test failed, and these passed",
            Self::Sbom => {
                "SPDX 2.3 of exactly these artefacts; all that they name themselves is in it; \
                 licences are expressions; nothing leads nowhere"
            }
            Self::Provenance => "attested, of exactly these artefacts, built of this commit",
            Self::LedgerDelta => {
                "the ledger only grew since the last release, or begins with this one, and has \
                 each attestation"
            }
            Self::Dashboards => "each of these is there, with panels that ask something",
            Self::Attestations => "each report has one, signed by the key, of what came of it",
        }
    }

    /// Files that it reads.
    #[must_use]
    pub fn files(self) -> Vec<String> {
        if let Some(report) = self.report() {
            return vec![report.path()];
        }
        let files: &[&str] = match self {
            Self::Sbom => &[names::SBOM, names::SUMS, names::SEEN],
            Self::Provenance => &[
                names::PROVENANCE,
                names::SUMS,
                crate::attest::PROVENANCE_FILE,
            ],
            Self::LedgerDelta => &[names::DELTA, names::TRUSTED_ROOT],
            Self::Dashboards => &[names::DASHBOARDS],
            _ => &[names::ATTESTATIONS],
        };
        files.iter().map(|&name| name.to_owned()).collect()
    }

    /// The report that it is of.
    #[must_use]
    pub const fn report(self) -> Option<Report> {
        Some(match self {
            Self::AccessReview => Report::AccessReview,
            Self::SchemaDiff => Report::SchemaDiff,
            Self::PolicyTests => Report::PolicyTests,
            Self::Chaos => Report::Chaos,
            Self::Load => Report::Load,
            Self::Tests => Report::Tests,
            Self::Conformance => Report::Conformance,
            Self::Browser => Report::Browser,
            _ => return None,
        })
    }

    /// Whether it has to be said what has to be there.
    pub(crate) const fn needs_names(self) -> bool {
        matches!(
            self,
            Self::Chaos
                | Self::Load
                | Self::Tests
                | Self::Conformance
                | Self::Browser
                | Self::Dashboards
        )
    }

    /// Decides.
    pub(crate) fn decide(self, given: &Given<'_>, claim: &Claim) -> Finding {
        if let Some(report) = self.report() {
            return of_report(report, given, claim);
        }
        match self {
            Self::Sbom => sbom::decide(given),
            Self::Provenance => provenance::decide(given),
            Self::LedgerDelta => bundle::ledger(given),
            Self::Dashboards => bundle::dashboards(given, claim),
            _ => bundle::attestations(given),
        }
    }
}

/// A report: of this release, nothing failed, and what has to be there passed.
fn of_report(report: Report, given: &Given<'_>, claim: &Claim) -> Finding {
    let outcome = match report.of(given.files, given.about) {
        None => return Finding::gap(format!("there is no {}", report.path())),
        Some(Err(why)) => return Finding::fail(format!("{}: {why}", report.path())),
        Some(Ok((_, outcome))) => outcome,
    };
    if let Some(failed) = outcome.failed.first() {
        let many = outcome.failed.len();
        return Finding::fail(format!(
            "{}: {many} failed, {failed:?} first",
            report.path()
        ));
    }
    let missing = claim.names.iter().find(|name| !has(&outcome.passed, name));
    if let Some(name) = missing {
        return Finding::gap(format!(
            "{}: {name:?} is not among what passed",
            report.path()
        ));
    }
    // Those two say that all of it passed: a rule that nobody asked for, or that had nothing
    // to look at, and a test that was put off, did not.
    if matches!(report, Report::SchemaDiff | Report::PolicyTests)
        && let Some(one) = outcome.skipped.first()
    {
        return Finding::gap(format!("{}: {one:?} was not decided", report.path()));
    }
    Finding::pass(in_words(&outcome))
}

/// The most exceptions that a row names; how many there are, it always says.
const MAX_NAMED: usize = 8;

/// What passed, and what is to be known of that.
fn in_words(outcome: &Outcome) -> String {
    let passed = outcome.passed.len();
    let said = match outcome.skipped.len() {
        0 => format!("{passed} passed"),
        skipped => format!("{passed} passed, {skipped} were not tried"),
    };
    if outcome.excepted.is_empty() {
        return said;
    }
    let named: Vec<_> = outcome.excepted.iter().take(MAX_NAMED).cloned().collect();
    let more = match outcome.excepted.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let (many, named) = (outcome.excepted.len(), named.join("; "));
    format!("{said}, with EXCEPTIONS ({many}): {named}{more}")
}

/// Whether a name passed: by itself, or as the last part of a path of modules.
fn has(passed: &std::collections::BTreeSet<String>, name: &str) -> bool {
    passed.contains(name)
        || passed.iter().any(|one| {
            one.strip_suffix(name)
                .is_some_and(|path| path.ends_with("::"))
        })
}
