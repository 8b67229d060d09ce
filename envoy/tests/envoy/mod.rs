//! The Envoy that tests run.

use std::path::{Path, PathBuf};

/// The binary; none where the test may be skipped, which is said.
pub(crate) fn find() -> Option<PathBuf> {
    let found = search();
    if found.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI runs this test: set IG_ENVOY to an Envoy, or run `cargo xtask setup`"
        );
        eprintln!("SKIPPED: no Envoy; set IG_ENVOY, or run `cargo xtask setup`");
    }
    found
}

/// `IG_ENVOY`, the search path, or what `cargo xtask setup` installs.
fn search() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("IG_ENVOY") {
        return Some(path.into());
    }
    let search = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&search).map(|folder| folder.join("envoy"));
    if let Some(found) = on_path.into_iter().find(|path| path.is_file()) {
        return Some(found);
    }
    let libraries = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/venv/lib");
    std::fs::read_dir(libraries)
        .ok()?
        .flatten()
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|path| path.is_file())
}
