//! The compilers: for this machine and for Wasm.

use std::time::Duration;

use super::apt;
use super::item::{Context, Gap, Outcome};
use crate::process::{Process, retry_once};
use crate::tools::find_program;
use crate::version::Version;
use crate::wasm::{TARGET, Toolchain, VARIABLE, debian_missing, debian_packages, rust_needed};

/// A small download; past this the server is out of reach.
const RUSTUP_TIMEOUT: Duration = Duration::from_secs(60);

/// The host compiler.
pub(super) fn host(context: &Context) -> Result<Outcome, Gap> {
    let needed = rust_needed();
    let fix = "rustup toolchain install";
    let said = Process::new("rustc")
        .arg("--version")
        .current_dir(&context.root)
        .capture();
    let said = said.map_err(|error| Gap::new(error.short(), fix))?;
    match Version::find_in(&said.stdout) {
        Some(version) if version >= needed => Ok(Outcome::found(format!("rustc {version}"))),
        Some(version) => Err(Gap::new(
            format!("rustc {version}; {needed} or newer is needed"),
            fix,
        )),
        None => Err(Gap::new("rustc printed no version", fix)),
    }
}

/// The Wasm target: rustup's, else Debian's packages.
pub(super) fn wasm(context: &Context) -> Result<Outcome, Gap> {
    let forced = Toolchain::forced()
        .map_err(|error| Gap::new(error.to_string(), format!("unset {VARIABLE}")))?;
    match forced {
        Some(Toolchain::Rustup) => rustup(context),
        Some(Toolchain::Debian) => debian(context),
        None => {
            // What is there already is used, before anything is installed.
            for toolchain in [Toolchain::Rustup, Toolchain::Debian] {
                if let Ok(version) = toolchain.usable(&context.root) {
                    return Ok(Outcome::found(describe(toolchain, version)));
                }
            }
            rustup(context).or_else(|first| {
                debian(context).map_err(|second| {
                    Gap::new(
                        format!("{}; {}", first.what, second.what),
                        format!("{}   or   {}", first.fix, second.fix),
                    )
                })
            })
        }
    }
}

fn rustup(context: &Context) -> Result<Outcome, Gap> {
    let toolchain = Toolchain::Rustup;
    let fix = format!("rustup target add {TARGET}");
    let missing = match toolchain.usable(&context.root) {
        Ok(version) => return Ok(Outcome::found(describe(toolchain, version))),
        Err(error) => format!("{error:#}"),
    };
    if find_program("rustup").is_none() {
        return Err(Gap::new(format!("{missing}, and there is no rustup"), fix));
    }
    if context.check {
        return Err(Gap::new(missing, fix));
    }
    eprintln!("  {fix}");
    retry_once("rustup", || {
        Process::new("rustup")
            .args(["target", "add", TARGET])
            // Its own back trace would bury what went wrong.
            .env("RUST_BACKTRACE", "0")
            .current_dir(&context.root)
            .timeout(RUSTUP_TIMEOUT)
            .capture()
    })
    .map_err(|error| Gap::new(format!("rustup: {}", error.short()), fix.clone()))?;
    toolchain
        .usable(&context.root)
        .map(|version| Outcome::installed(describe(toolchain, version)))
        .map_err(|error| Gap::new(format!("{error:#}"), fix))
}

fn debian(context: &Context) -> Result<Outcome, Gap> {
    let toolchain = Toolchain::Debian;
    let missing = debian_missing();
    if let Ok(version) = toolchain.usable(&context.root) {
        return Ok(Outcome::found(describe(toolchain, version)));
    }
    // All there but too old: the newer one is in Debian's security updates.
    let packages = if missing.is_empty() {
        debian_packages()
    } else {
        missing
    };
    apt::install(context, &packages)?;
    toolchain
        .usable(&context.root)
        .map(|version| Outcome::installed(describe(toolchain, version)))
        .map_err(|error| {
            Gap::new(
                format!("{error:#} (the newer one comes with bookworm-security)"),
                apt::command(&debian_packages()),
            )
        })
}

fn describe(toolchain: Toolchain, version: Version) -> String {
    match toolchain {
        Toolchain::Rustup => format!("rustc {version} with {TARGET}"),
        Toolchain::Debian => format!("Debian's rustc {version}, builds std for {TARGET}"),
    }
}
