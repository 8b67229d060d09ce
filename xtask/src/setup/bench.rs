//! The benchmarks' tools, from Debian's packages.

use std::path::Path;

use super::apt;
use super::item::{Context, Gap, Outcome};
use crate::tools::{self, Tool};

/// The load generator.
pub(super) fn wrk(context: &Context) -> Result<Outcome, Gap> {
    package(context, "wrk", tools::wrk, || ())
}

/// The upstream that costs next to nothing.
pub(super) fn nginx(context: &Context) -> Result<Outcome, Gap> {
    package(context, "nginx-light", tools::nginx, || {
        // Debian starts a web server on port 80 with the package; the
        // benchmarks start their own.
        if Path::new("/run/systemd/system").is_dir()
            && let Some(systemctl) = apt::as_root("systemctl")
            && let Err(error) = systemctl.args(["disable", "--now", "nginx"]).capture()
        {
            eprintln!("  nginx may now run as a service: {error}");
        }
    })
}

fn package(
    context: &Context,
    name: &str,
    find: fn() -> anyhow::Result<Tool>,
    after: impl FnOnce(),
) -> Result<Outcome, Gap> {
    let describe = |tool: &Tool| format!("{name} {}", tool.version);
    if let Ok(tool) = find() {
        return Ok(Outcome::found(describe(&tool)));
    }
    apt::install(context, &[name])?;
    after();
    find()
        .map(|tool| Outcome::installed(describe(&tool)))
        .map_err(|error| Gap::new(format!("{error:#}"), apt::command(&[name])))
}
