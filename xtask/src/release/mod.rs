//! `cargo xtask dist` and `image`: what a release hands out.

mod artifact;
mod base;
mod dist;
mod image;
mod sbom;

pub use artifact::Artifact;
pub use dist::{Args as DistArgs, run as run_dist};
pub use image::{Args as ImageArgs, run as run_image};

/// The programs of a release, each a binary of a package of the workspace.
const PROGRAMS: [(&str, &str); 3] = [
    ("ig-control-plane", "ig-control-plane"),
    ("ig-cli", "ig"),
    ("ig-verify", "ig-verify"),
];
/// The module, as it lies beside them.
const MODULE: &str = "ig_guard.wasm";
/// Digests of all of it, as `sha256sum --check` reads them.
const SUMS: &str = "SHA256SUMS";
/// Where and of what it was built.
const PROVENANCE: &str = "provenance.json";
/// What is linked into it.
const SBOM: &str = "sbom.spdx.json";
