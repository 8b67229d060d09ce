//! schemathesis, into the Python environment.

use super::envoy::{ensure_venv, pip_install};
use super::item::{Context, Gap, Outcome};
use crate::tools;

/// Read by pip, which checks the hashes in it.
const REQUIREMENTS: &str = "xtask/src/setup/contract-requirements.txt";

/// The contract test's tool.
pub(super) fn schemathesis(context: &Context) -> Result<Outcome, Gap> {
    let binary = tools::venv(&context.root).join("bin/schemathesis");
    if binary.is_file() {
        return Ok(Outcome::found("in .tools/venv"));
    }
    // Only where it is asked for: it has many dependencies.
    if context.check || !context.asked_for(super::Extra::Contract) {
        return Err(Gap::new(
            "not installed",
            "cargo xtask setup --with contract",
        ));
    }
    ensure_venv(context)?;
    eprintln!("  installing schemathesis into .tools/venv (pip, 30 MB)");
    pip_install(&context.root, &["--require-hashes", "-r", REQUIREMENTS]).map_err(|error| {
        Gap::new(
            format!("pip: {}", error.short()),
            "cargo xtask setup --with contract",
        )
    })?;
    Ok(Outcome::installed("in .tools/venv"))
}
