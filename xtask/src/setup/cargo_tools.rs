//! Cargo subcommands. They compile for minutes, so set-up installs them only
//! when asked.

use super::item::{Context, Extra, Gap, Outcome};
use crate::process::{Process, retry_once};
use crate::version::Version;

/// Licences, advisories, duplicate dependencies.
pub(super) fn deny(context: &Context) -> Result<Outcome, Gap> {
    subcommand(context, Extra::Deny, "deny", "0.20.2")
}

/// libFuzzer targets.
pub(super) fn fuzz(context: &Context) -> Result<Outcome, Gap> {
    subcommand(context, Extra::Fuzz, "fuzz", "0.13.2")
}

fn subcommand(context: &Context, extra: Extra, name: &str, pinned: &str) -> Result<Outcome, Gap> {
    let package = format!("cargo-{name}");
    let install = format!("cargo install --locked {package}@{pinned}");
    if let Some(version) = version(context, name) {
        return Ok(Outcome::found(format!("{package} {version}")));
    }
    if context.check || !context.asked_for(extra) {
        return Err(Gap::new(format!("{package} is not installed"), install));
    }
    eprintln!("  {install} (compiles for minutes)");
    retry_once("cargo install", || {
        Process::new("cargo")
            // Optimised it takes three times as long to compile, and runs for seconds only.
            .args(["install", "--locked", "--quiet", "--debug"])
            .arg(format!("{package}@{pinned}"))
            .current_dir(&context.root)
            .inherit_as_log()
    })
    .map_err(|error| Gap::new(error.to_string(), install.clone()))?;
    version(context, name)
        .map(|version| Outcome::installed(format!("{package} {version}")))
        .ok_or_else(|| Gap::new(format!("cargo does not find {package}"), install))
}

fn version(context: &Context, name: &str) -> Option<Version> {
    let said = Process::new("cargo")
        .args([name, "--version"])
        .current_dir(&context.root)
        .capture()
        .ok()?;
    Version::find_in(&said.stdout)
}
