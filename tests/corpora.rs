//! Real schemas and operations, for the tests of several crates. They are not
//! part of the repository: `IG_CORPORA` says where they are.

use std::io::Write as _;
use std::path::PathBuf;

/// The folder. Without the variable, a word that the test did not run, past
/// the harness, which would keep it to itself; what the variable names has to
/// be there.
pub(crate) fn corpora(test: &str) -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("IG_CORPORA").map(PathBuf::from) {
        let is_there = folder.is_dir();
        assert!(is_there, "IG_CORPORA: no folder {}", folder.display());
        return Some(folder);
    }
    let mut said = format!("SKIPPED: {test}: no real schemas; set IG_CORPORA\n");
    if std::env::var_os("GITHUB_ACTIONS").is_some() {
        said.push_str(&format!(
            "::warning title=Not tested::{test} did not run: IG_CORPORA is not set\n"
        ));
    }
    let _ = std::io::stderr().write_all(said.as_bytes());
    None
}
