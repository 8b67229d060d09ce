//! A missing tool skips a test loudly; in CI it fails.

use ig_e2e::{Found, envoy_binary, module};

/// Whether the tools are here.
pub(crate) fn ready() -> bool {
    let found = || -> Found<()> {
        envoy_binary()?;
        module("ig_guard").map(drop)
    };
    require(found())
}

/// Whether what a test needs was found.
pub(crate) fn require(found: Found<()>) -> bool {
    let Err(missing) = found else { return true };
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("SKIPPED: {missing}");
    false
}
