//! Building parts of the workspace with the features that the whole of it asks for.
//!
//! What is built for a package alone has its own set of features in what it depends
//! on, so that half of it would be compiled, and kept on disk, once more.

use std::path::Path;

use anyhow::Result;

use crate::process::Process;

/// All packages but the module, which is of another target.
pub(crate) const PACKAGES: [&str; 3] = ["--workspace", "--exclude", "ig-guard-wasm"];

/// What of a package is built.
#[derive(Clone, Copy)]
pub(crate) enum Target {
    /// `target/debug/{name}`.
    Bin,
    /// `target/debug/examples/{name}`.
    Example,
}

/// Builds binaries or examples.
///
/// # Errors
/// When they do not build.
pub(crate) fn build(root: &Path, target: Target, names: &[&str]) -> Result<()> {
    let option = match target {
        Target::Bin => "--bin",
        Target::Example => "--example",
    };
    let mut cargo = Process::new("cargo")
        .args(["build", "--quiet"])
        .args(PACKAGES);
    for name in names {
        cargo = cargo.args([option, *name]);
    }
    Ok(cargo.current_dir(root).inherit_as_log()?)
}
