//! Debian packages: as root, by sudo where it asks for no password, or else the
//! command to run.

use std::time::Duration;

use super::item::{Context, Gap};
use crate::process::{Process, ProcessError, retry_once};
use crate::tools::find_program;

/// How long to wait for another package manager.
const LOCK: &str = "DPkg::Lock::Timeout=120";
const SUDO_TIMEOUT: Duration = Duration::from_secs(5);

/// The command that installs these packages.
pub(super) fn command(packages: &[&str]) -> String {
    let sudo = if is_root() { "" } else { "sudo " };
    format!(
        "{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {}",
        packages.join(" ")
    )
}

/// Installs packages, if this is a Debian and we may.
pub(super) fn install(context: &Context, packages: &[&str]) -> Result<(), Gap> {
    let fix = command(packages);
    let gap = |why: &str| Gap::new(format!("{}: {why}", packages.join(" ")), fix.clone());
    if find_program("apt-get").is_none() {
        return Err(gap(
            "not installed, and this system has no apt-get: use its own packages",
        ));
    }
    if context.check {
        return Err(gap("not installed"));
    }
    if !may_install() {
        return Err(gap("not installed, and installing needs root"));
    }
    eprintln!("  installing {} (apt)", packages.join(" "));
    let outcome = retry_once("apt", || {
        if !context.apt_updated.get() {
            apt_get().arg("update").capture()?;
            context.apt_updated.set(true);
        }
        apt_get()
            .args(["install", "-y", "--no-install-recommends", "-o", LOCK])
            .args(packages)
            .capture()
            // The lists may have been older than the mirror.
            .inspect_err(|_| context.apt_updated.set(false))
            .map(drop)
    });
    outcome.map_err(|error: ProcessError| gap(&error.short()))
}

/// As root or by sudo; `None` when neither works.
pub(super) fn as_root(program: &str) -> Option<Process> {
    if is_root() {
        Some(Process::new(program))
    } else if may_install() {
        Some(Process::new("sudo").args(["-n", program]))
    } else {
        None
    }
}

fn apt_get() -> Process {
    if is_root() {
        Process::new("apt-get").env("DEBIAN_FRONTEND", "noninteractive")
    } else {
        // sudo drops the environment.
        Process::new("sudo").args(["-n", "env", "DEBIAN_FRONTEND=noninteractive", "apt-get"])
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn may_install() -> bool {
    is_root()
        || Process::new("sudo")
            .args(["-n", "true"])
            .timeout(SUDO_TIMEOUT)
            .capture()
            .is_ok()
}
