//! The evidence of a release: one folder, or one `.tar` of it, with everything that
//! speaks for the controls of `controls.toml`, in a signed manifest that a ledger has.
//!
//! - [`Files`] are the bundle's files, within limits; [`read`] gets them from a disk.
//! - [`Controls`] say which check of which file decides about what.
//! - [`judge()`] gives each control its [`Verdict`], from reports and from nothing else.
//! - [`seal`] makes a bundle: attestations, the ledger's growth, verdicts, manifest.
//! - [`verify()`] believes a key and hashes: it computes every verdict again.
//!
//! Only [`read`] and [`Tree`], which asks Git, have I/O. A mapping of controls is no audit; the generated pages say so.

#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]

mod about;
pub mod attest;
mod check;
mod controls;
pub mod delta;
mod files;
mod json;
mod judge;
mod log_entry;
mod markdown;
mod oscal;
pub mod read;
mod report;
pub mod seal;
pub mod seen;
mod stamp;
mod time;
mod tree;
mod verify;

pub use about::{About, AboutError};
pub use check::Check;
pub use controls::{Claim, Control, Controls, ControlsError};
pub use files::{Files, FilesError, MAX_BYTES, MAX_FILE_BYTES, MAX_FILES};
pub use judge::{Given, Judged, JudgedClaim, Verdict, Verdicts, judge};
pub use markdown::page;
pub use oscal::{assessment_results, component_definition};
pub use report::{Outcome, Report};
pub use stamp::Stamp;
pub use time::{now, rfc3339};
pub use tree::{Tree, TreeError};
pub use verify::{Asked, Kind, Problem, Verified, verify};

/// Names of the bundle's own files.
pub mod names {
    /// Which release it is of.
    pub const ABOUT: &str = "about.json";
    /// The controls, as they were at that commit.
    pub const CONTROLS: &str = "controls.toml";
    /// The verdicts; whoever verifies computes them again.
    pub const VERDICTS: &str = "verdicts.json";
    /// The verdicts, for people.
    pub const PAGE: &str = "controls.md";
    /// What the product claims, as OSCAL.
    pub const COMPONENT: &str = "oscal/component-definition.json";
    /// What was found, as OSCAL.
    pub const RESULTS: &str = "oscal/assessment-results.json";
    /// Digests of programs and module, as `sha256sum --check` reads them.
    pub const SUMS: &str = "SHA256SUMS";
    /// What is linked into them: SPDX 2.3.
    pub const SBOM: &str = "sbom.spdx.json";
    /// Where they are from: a predicate of SLSA's provenance.
    pub const PROVENANCE: &str = "provenance.json";
    /// Crates that the artefacts themselves name.
    pub const SEEN: &str = "seen.json";
    /// How the ledger grew since the last release.
    pub const DELTA: &str = "ledger/delta.json";
    /// The log that has the signatures, as the signer names it.
    pub const TRUSTED_ROOT: &str = "ledger/trusted-root.json";
    /// Names and digests of everything but itself and its signature.
    pub const MANIFEST: &str = "manifest.json";
    /// The manifest's signature, with its entry of the ledger.
    pub const SIGNATURE: &str = "manifest.sigstore.json";
    /// The folder of attestations.
    pub const ATTESTATIONS: &str = "attestations/";
    /// The folder of dashboards.
    pub const DASHBOARDS: &str = "dashboards/";
}
