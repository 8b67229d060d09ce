//! What builds, copies and serves images without a daemon.

use super::apt;
use super::item::{Context, Extra, Gap, Outcome};
use crate::tools::find_program;

/// Programs, by the Debian packages of the same names.
const PACKAGES: &[&str] = &["buildah", "skopeo", "docker-registry"];

/// Buildah, Skopeo, and a registry for the tests.
pub(super) fn images(context: &Context) -> Result<Outcome, Gap> {
    let missing = || {
        let mut names = PACKAGES.iter().copied();
        names.find(|name| find_program(name).is_none())
    };
    if missing().is_none() {
        return Ok(Outcome::found(PACKAGES.join(", ")));
    }
    if !context.asked_for(Extra::Images) {
        return Err(Gap::new("not installed", "cargo xtask setup --with images"));
    }
    apt::install(context, PACKAGES)?;
    missing().map_or_else(
        || Ok(Outcome::installed(PACKAGES.join(", "))),
        |name| {
            let why = format!("{name} is installed, but not on PATH");
            Err(Gap::new(why, apt::command(PACKAGES)))
        },
    )
}
