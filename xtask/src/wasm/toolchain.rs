//! The two ways to build for `wasm32-wasip1`.
//!
//! Rustup's target where it can be downloaded; else Debian's own compiler,
//! which builds the standard library from its source package.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use serde::Serialize;

use crate::process::Process;
use crate::tools;
use crate::version::Version;

/// The target triple of every module.
pub const TARGET: &str = "wasm32-wasip1";
/// Forces one toolchain.
pub const VARIABLE: &str = "IG_WASM_TOOLCHAIN";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";

/// What the Debian way needs: a file of each package, and the package.
const DEBIAN_FILES: [(&str, &str); 5] = [
    (DEBIAN_RUSTC, "rustc-web"),
    (DEBIAN_CARGO, "cargo-web"),
    (
        "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
        "rust-web-src",
    ),
    ("/usr/bin/wasm-ld-19", "lld-19"),
    ("/usr/lib/wasm32-wasi/libc.a", "wasi-libc"),
];

/// Plain `wasm-ld` with Debian's libc: rustc's own start-up objects and libc
/// are part of the target that this way does without.
const DEBIAN_RUSTFLAGS: &str = "-C linker=wasm-ld-19 -C linker-flavor=wasm-ld \
     -C link-self-contained=no -L native=/usr/lib/wasm32-wasi";

/// A way to build for Wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Toolchain {
    /// The active toolchain, with its `wasm32-wasip1` target installed.
    Rustup,
    /// Debian's packages.
    Debian,
}

impl Toolchain {
    /// The one that [`VARIABLE`] names, if it is set.
    ///
    /// # Errors
    /// When it names none.
    pub fn forced() -> Result<Option<Self>> {
        match std::env::var(VARIABLE) {
            Ok(name) if !name.is_empty() => match Self::from_str(&name, true) {
                Ok(toolchain) => Ok(Some(toolchain)),
                Err(_) => bail!("{VARIABLE} is {name:?}; it can be rustup or debian"),
            },
            _ => Ok(None),
        }
    }

    /// The one to build with.
    ///
    /// # Errors
    /// When neither is usable.
    pub fn choose(root: &Path) -> Result<Self> {
        let candidates = match Self::forced()? {
            Some(forced) => vec![forced],
            None => vec![Self::Rustup, Self::Debian],
        };
        let mut missing = Vec::new();
        for toolchain in candidates {
            match toolchain.usable(root) {
                Ok(_) => return Ok(toolchain),
                Err(error) => missing.push(format!("{error:#}")),
            }
        }
        bail!(
            "no toolchain for {TARGET}: {}; run `cargo xtask setup`",
            missing.join("; ")
        )
    }

    /// Its compiler's version, if everything it needs is installed.
    ///
    /// # Errors
    /// What is missing.
    pub fn usable(self, root: &Path) -> Result<Version> {
        match self {
            Self::Rustup => {
                let sysroot = rustup_sysroot(root)?;
                if !sysroot
                    .join("lib/rustlib")
                    .join(TARGET)
                    .join("lib")
                    .is_dir()
                {
                    bail!("the active Rust toolchain has no {TARGET} target");
                }
                let said = Process::new("rustc")
                    .arg("--version")
                    .current_dir(root)
                    .capture()?;
                Version::find_in(&said.stdout).context("rustc printed no version")
            }
            Self::Debian => {
                let missing = debian_missing();
                if !missing.is_empty() {
                    bail!("Debian packages are missing: {}", missing.join(" "));
                }
                let version = tools::version_of(Path::new(DEBIAN_RUSTC), "--version")?;
                let needed = rust_needed();
                if version < needed {
                    bail!("Debian's rustc is {version}; {needed} or newer is needed");
                }
                Ok(version)
            }
        }
    }

    /// `cargo build` for Wasm in `dir`, into `target_dir`; the caller adds what
    /// to build.
    pub fn cargo_build(self, dir: &Path, target_dir: &Path) -> Process {
        let process = match self {
            Self::Rustup => Process::new("cargo")
                .arg("build")
                .env("CARGO_ENCODED_RUSTFLAGS", portable_flags(dir, "")),
            Self::Debian => {
                let flags = portable_flags(dir, DEBIAN_RUSTFLAGS);
                Process::new(DEBIAN_CARGO)
                    .args(["build", "-Zbuild-std=std,panic_abort"])
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("CARGO_ENCODED_RUSTFLAGS", flags)
                    // Left by rustup and by `cargo run`: they point at the
                    // other toolchain and its libraries.
                    .env_remove("RUSTUP_TOOLCHAIN")
                    .env_remove("LD_LIBRARY_PATH")
            }
        };
        without_cargo(process)
            .args(["--target", TARGET])
            .arg("--target-dir")
            .arg(target_dir)
            .current_dir(dir)
    }
}

/// `cargo xtask` is a `cargo run`: its variables would make build scripts that
/// watch the environment run again.
pub fn without_cargo(mut process: Process) -> Process {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text == "CARGO" || text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST") {
            process = process.env_remove(&name);
        }
    }
    process
}

/// What the environment's `RUSTFLAGS` has, `more`, and what keeps the paths of this
/// machine out of what is compiled, so that it comes out the same elsewhere; as
/// `CARGO_ENCODED_RUSTFLAGS` has them.
pub fn portable_flags(root: &Path, more: &str) -> String {
    let inherited = std::env::var("RUSTFLAGS").unwrap_or_default();
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from).or(home);
    let words = inherited.split_whitespace().chain(more.split_whitespace());
    let mut flags: Vec<_> = words.map(ToOwned::to_owned).collect();
    let folders = [
        Some((root.to_owned(), "/guard")),
        cargo.map(|it| (it, "/cargo")),
    ];
    for (folder, name) in folders.into_iter().flatten() {
        flags.push(format!("--remap-path-prefix={}={name}", folder.display()));
    }
    flags.join("\u{1f}")
}

/// The workspace's `rust-version`.
pub fn rust_needed() -> Version {
    Version::find_in(env!("CARGO_PKG_RUST_VERSION")).unwrap_or(Version::new(1, 95, 0))
}

/// The Debian packages that are not installed.
pub fn debian_missing() -> Vec<&'static str> {
    DEBIAN_FILES
        .iter()
        .filter(|(file, _)| !Path::new(file).exists())
        .map(|(_, package)| *package)
        .collect()
}

/// All Debian packages of the Debian way.
pub fn debian_packages() -> Vec<&'static str> {
    DEBIAN_FILES.iter().map(|(_, package)| *package).collect()
}

fn rustup_sysroot(root: &Path) -> Result<PathBuf> {
    let said = Process::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(root)
        .capture()?;
    Ok(PathBuf::from(said.stdout.trim()))
}
