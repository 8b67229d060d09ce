//! SoftHSM, from Debian's packages: tokens for the tests of keys in them.

use std::path::Path;

use super::apt;
use super::item::{Context, Extra, Gap, Outcome};
use crate::tools::find_program;

const PACKAGE: &str = "softhsm2";
/// Where Debian has the library; `tests/e2e` looks there too.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// SoftHSM's library, and the program that makes tokens.
pub(super) fn softhsm(context: &Context) -> Result<Outcome, Gap> {
    if let Some(found) = find() {
        return Ok(Outcome::found(found));
    }
    if !context.asked_for(Extra::Hsm) {
        return Err(Gap::new("not installed", "cargo xtask setup --with hsm"));
    }
    apt::install(context, &[PACKAGE])?;
    find()
        .map(Outcome::installed)
        .ok_or_else(|| Gap::new(format!("no {MODULE}"), apt::command(&[PACKAGE])))
}

fn find() -> Option<String> {
    find_program("softhsm2-util")?;
    Path::new(MODULE).is_file().then(|| MODULE.to_owned())
}
