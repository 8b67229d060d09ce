//! What set-up looks after: one item each, and how it went.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use serde::Serialize;

/// What set-up installs only when asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Extra {
    /// Node.js and the JavaScript clients of tests/interop
    Interop,
    /// Cosign, for the tests of signed exports (compiles for minutes)
    Cosign,
    /// OPA, for the tests of policies (compiles for minutes)
    Opa,
    /// Buildah, Skopeo and a registry, for the images of releases
    Images,
    /// Helm, for the tests of the chart (compiles for minutes)
    Helm,
    /// Chromium, for the tests of the console
    Browser,
    /// PostgreSQL, on which the control plane's tests run too
    Postgres,
    /// Redis, in which the fleet's limits are tested too
    Redis,
    /// Prometheus and Alertmanager, for the tests of alerts
    Prometheus,
    /// SoftHSM, for the tests of keys in tokens
    Hsm,
    /// schemathesis, for the contract test of the API
    Contract,
    /// scim2-cli, scim-sanity and scim2-server, for the tests of SCIM
    Scim,
    /// pyspdxtools, ntia-checker and trestle, for the tests of evidence
    Evidence,
    /// wrk and nginx, for the benchmarks
    Bench,
    /// cargo-deny, for the licence and advisory checks (compiles for minutes)
    Deny,
    /// cargo-fuzz, for the fuzz targets (compiles for minutes)
    Fuzz,
}

/// When an item must be there for set-up to succeed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Need {
    Always,
    With(Extra),
}

/// Shared by all items of one run.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) root: PathBuf,
    /// Look, but change nothing.
    pub(super) check: bool,
    pub(super) with: BTreeSet<Extra>,
    /// Whether `apt-get update` has run.
    pub(super) apt_updated: Cell<bool>,
}

impl Context {
    pub(super) fn asked_for(&self, extra: Extra) -> bool {
        self.with.contains(&extra)
    }
}

/// How an item ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Status {
    /// It was there.
    Found,
    /// It was not there, and is now.
    Installed,
    /// It is not there.
    Missing,
    /// It is not wanted in this run.
    Skipped,
}

/// What is there.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) status: Status,
    pub(super) detail: String,
}

impl Outcome {
    pub(super) fn found(detail: impl Into<String>) -> Self {
        Self {
            status: Status::Found,
            detail: detail.into(),
        }
    }

    pub(super) fn installed(detail: impl Into<String>) -> Self {
        Self {
            status: Status::Installed,
            detail: detail.into(),
        }
    }

    pub(super) fn skipped(detail: impl Into<String>) -> Self {
        Self {
            status: Status::Skipped,
            detail: detail.into(),
        }
    }
}

/// What is not there, and the command that changes that.
#[derive(Debug)]
pub(super) struct Gap {
    pub(super) what: String,
    pub(super) fix: String,
}

impl Gap {
    pub(super) fn new(what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            fix: fix.into(),
        }
    }
}

/// An item of the table in `mod.rs`.
pub(super) struct Item {
    pub(super) name: &'static str,
    pub(super) needed_for: &'static str,
    pub(super) need: Need,
    pub(super) run: fn(&Context) -> Result<Outcome, Gap>,
}

/// One line of the report.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    pub(super) name: &'static str,
    needed_for: &'static str,
    pub(super) required: bool,
    pub(super) status: Status,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    millis: u128,
}

impl Item {
    pub(super) fn line(&self, context: &Context) -> Line {
        let started = Instant::now();
        let (status, detail, fix) = match (self.run)(context) {
            Ok(outcome) => (outcome.status, outcome.detail, None),
            Err(gap) => (Status::Missing, gap.what, Some(gap.fix)),
        };
        let required = match self.need {
            Need::Always => true,
            Need::With(extra) => context.asked_for(extra),
        };
        let millis = started.elapsed().as_millis();
        Line {
            name: self.name,
            needed_for: self.needed_for,
            required,
            status,
            detail,
            fix,
            millis,
        }
    }
}

impl Line {
    pub(super) fn failed(&self) -> bool {
        self.required && self.status == Status::Missing
    }

    pub(super) fn print(&self) {
        let word = match (self.status, self.required) {
            (Status::Found, _) => "ok",
            (Status::Installed, _) => "installed",
            (Status::Skipped, _) => "skipped",
            (Status::Missing, true) => "MISSING",
            (Status::Missing, false) => "optional",
        };
        let tenths = self.millis / 100;
        println!(
            "{word:<10}{:<14}{} [{}, {}.{} s]",
            self.name,
            self.detail,
            self.needed_for,
            tenths / 10,
            tenths % 10
        );
        if let Some(fix) = &self.fix {
            println!("{:<10}{:<14}fix: {fix}", "", "");
        }
    }
}
