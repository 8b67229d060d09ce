//! A control plane as a process of its own, that can be killed.

use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::control_plane::call;
use crate::envoy::free_address;
use crate::workspace;

/// A binary of the workspace, built now: with the features that the whole workspace
/// asks for, since what it is made of is there with these.
///
/// # Errors
/// When it does not build.
pub fn built(binary: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--bin", binary]);
    build.args(["--workspace", "--exclude", "ig-guard-wasm"]);
    let ran = as_from_a_shell(&mut build)
        .current_dir(workspace())
        .status()?;
    ensure!(ran.success(), "{binary} does not build");
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = target.map_or_else(|| workspace().join("target"), PathBuf::from);
    Ok(target.join("debug").join(binary))
}

/// The control plane, built once.
fn binary() -> Result<PathBuf> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| built("ig-control-plane").ok());
    built.clone().context("the control plane does not build")
}

/// Without what cargo says of the package that it tests. A build script that
/// watches these (ring's does) would be run anew for each caller.
pub fn as_from_a_shell(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&name);
        }
    }
    command
}

/// A control plane that is a process; it ends with the value.
pub struct ControlPlaneProcess {
    child: Option<Child>,
    database: String,
    module: PathBuf,
    config: Option<PathBuf>,
    /// Address of the API.
    pub http: SocketAddr,
    /// Address of gRPC.
    pub grpc: SocketAddr,
    /// The token that the first start printed.
    pub token: String,
}

impl ControlPlaneProcess {
    /// Starts one on free ports, which it keeps. `token` is that of a database
    /// which has one already.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(database: &str, module: PathBuf, token: Option<&str>) -> Result<Self> {
        Self::configured(database, module, token, None)
    }

    /// The same with a configuration file.
    ///
    /// # Errors
    /// When it does not start.
    pub fn configured(
        database: &str,
        module: PathBuf,
        token: Option<&str>,
        config: Option<PathBuf>,
    ) -> Result<Self> {
        let mut this = Self {
            child: None,
            database: database.to_owned(),
            module,
            config,
            http: free_address()?,
            grpc: free_address()?,
            token: token.unwrap_or_default().to_owned(),
        };
        this.start_again()?;
        Ok(this)
    }

    /// Starts it where it was, and waits until it is ready.
    ///
    /// # Errors
    /// When it does not get ready.
    pub fn start_again(&mut self) -> Result<()> {
        let config = self.config.iter();
        let mut child = Command::new(binary()?)
            .args(config.flat_map(|file| [OsStr::new("--config"), file.as_os_str()]))
            .args(["--database", &self.database, "--module"])
            .arg(&self.module)
            .args(["--listen", &self.http.to_string()])
            .args(["--grpc-listen", &self.grpc.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let out = child.stdout.take().context("no output")?;
        self.child = Some(child);
        if self.token.is_empty() {
            let mut line = String::new();
            BufReader::new(out).read_line(&mut line)?;
            let token = line.trim().rsplit(' ').next().unwrap_or_default();
            ensure!(token.starts_with("ig_"), "no token in `{line}`");
            self.token = token.to_owned();
        }
        let started = Instant::now();
        while self
            .try_call("GET", "/readyz", b"")
            .map(|answer| answer.0)
            .ok()
            != Some(200)
        {
            if started.elapsed() > Duration::from_secs(60) {
                bail!("the control plane is not ready");
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// As `kill -9` does it.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Ends it as SIGTERM does, and waits until it has.
    ///
    /// # Errors
    /// When it does not end well.
    pub fn stop(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(sent.success(), "kill: {sent}");
        let ended = child.wait()?;
        ensure!(ended.success(), "the control plane ended: {ended}");
        Ok(())
    }

    /// Status and body of a call.
    ///
    /// # Errors
    /// When it is not answered.
    pub fn try_call(&self, method: &str, path: &str, body: &[u8]) -> Result<(u16, Value)> {
        let url = format!("http://{}", self.http);
        let token = format!("Bearer {}", self.token);
        call(
            &url,
            &[("authorization", token.as_str())],
            method,
            path,
            body,
        )
    }

    /// As [`Self::try_call`]; status 0 is no answer.
    pub fn call(&self, method: &str, path: &str, body: impl AsRef<[u8]>) -> (u16, Value) {
        let answer = self.try_call(method, path, body.as_ref());
        answer.unwrap_or_else(|error| (0, Value::String(format!("{error:#}"))))
    }
}

impl Drop for ControlPlaneProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
