//! PostgreSQL, from Debian's packages. Tests start their own.

use std::path::{Path, PathBuf};

use super::apt;
use super::item::{Context, Gap, Outcome};
use crate::tools;

const PACKAGE: &str = "postgresql";

/// Its binaries.
pub(super) fn postgres(context: &Context) -> Result<Outcome, Gap> {
    if let Some(found) = initdb() {
        return Ok(Outcome::found(found.display().to_string()));
    }
    if !context.asked_for(super::Extra::Postgres) {
        return Err(Gap::new(
            "not installed",
            "cargo xtask setup --with postgres",
        ));
    }
    apt::install(context, &[PACKAGE])?;
    // Debian starts a cluster of its own with the package.
    if Path::new("/run/systemd/system").is_dir()
        && let Some(systemctl) = apt::as_root("systemctl")
        && let Err(error) = systemctl.args(["disable", "--now", PACKAGE]).capture()
    {
        eprintln!("  PostgreSQL may now run as a service: {error}");
    }
    let found = initdb();
    found
        .map(|found| Outcome::installed(found.display().to_string()))
        .ok_or_else(|| Gap::new("no initdb", apt::command(&[PACKAGE])))
}

/// Debian keeps it off the path.
fn initdb() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    versions
        .flatten()
        .map(|version| version.path().join("bin/initdb"))
        .find(|initdb| initdb.is_file())
        .or_else(|| tools::find_program("initdb"))
}
