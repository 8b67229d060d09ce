//! PostgreSQL and Redis, from Debian's packages. Tests start their own.

use std::path::{Path, PathBuf};

use super::apt;
use super::item::{Context, Gap, Outcome};
use crate::tools;

const PACKAGE: &str = "postgresql";
const REDIS: &str = "redis-server";

/// PostgreSQL's binaries.
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
    stop_service(PACKAGE);
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

/// Redis' server.
pub(super) fn redis(context: &Context) -> Result<Outcome, Gap> {
    let found = || tools::find_program(REDIS).map(|found| found.display().to_string());
    if let Some(found) = found() {
        return Ok(Outcome::found(found));
    }
    if !context.asked_for(super::Extra::Redis) {
        return Err(Gap::new("not installed", "cargo xtask setup --with redis"));
    }
    apt::install(context, &[REDIS])?;
    stop_service(REDIS);
    found()
        .map(Outcome::installed)
        .ok_or_else(|| Gap::new("no redis-server", apt::command(&[REDIS])))
}

/// Debian starts a service of its own with the package.
pub(super) fn stop_service(name: &str) {
    if Path::new("/run/systemd/system").is_dir()
        && let Some(systemctl) = apt::as_root("systemctl")
        && let Err(error) = systemctl.args(["disable", "--now", name]).capture()
    {
        eprintln!("  {name} may now run as a service: {error}");
    }
}
