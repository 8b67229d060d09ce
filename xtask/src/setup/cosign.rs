//! Cosign, built from its source.

use super::go::{self, FOLDER};
use super::item::{Context, Extra, Gap, Outcome};
use crate::tools::version_of;
use crate::version::Version;

/// What the interoperability tests are written for.
const PINNED: &str = "v3.1.2";
const PACKAGE: &str = "github.com/sigstore/cosign/v3/cmd/cosign";

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
    go::install(context, &format!("{PACKAGE}@{PINNED}"), fix)?;
    found()
        .map(|version| Outcome::installed(format!("cosign {version}")))
        .ok_or_else(|| Gap::new(format!("{FOLDER}/cosign does not run"), fix))
}
