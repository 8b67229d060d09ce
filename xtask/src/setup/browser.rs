//! The browser that the console's tests drive.

use super::apt;
use super::item::{Context, Extra, Gap, Outcome};
use crate::tools::find_program;

/// Fonts, since a browser without any draws no text.
const PACKAGES: &[&str] = &["chromium", "fonts-dejavu-core"];

/// Debian's Chromium.
pub(super) fn chromium(context: &Context) -> Result<Outcome, Gap> {
    if let Some(found) = find() {
        return Ok(Outcome::found(found));
    }
    if !context.asked_for(Extra::Browser) {
        return Err(Gap::new(
            "not installed",
            "cargo xtask setup --with browser",
        ));
    }
    apt::install(context, PACKAGES)?;
    find()
        .map(Outcome::installed)
        .ok_or_else(|| Gap::new("installed, but not on PATH", apt::command(PACKAGES)))
}

fn find() -> Option<String> {
    let names = ["chromium", "chromium-browser"];
    let path = names.into_iter().find_map(find_program)?;
    Some(path.display().to_string())
}
