//! Starting and stopping the real Envoy.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// A tool, or why a test that needs it is skipped.
pub type Found<T> = std::result::Result<T, String>;

/// Root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The Envoy to test with: `IG_ENVOY`, the one `cargo xtask setup` installed,
/// or the one on the path.
pub fn envoy_binary() -> Found<PathBuf> {
    if let Some(path) = std::env::var_os("IG_ENVOY") {
        return Ok(path.into());
    }
    let venv = workspace().join(".tools/venv/lib");
    let installed = std::fs::read_dir(venv).into_iter().flatten().flatten();
    let mut installed =
        installed.map(|python| python.path().join("site-packages/envoy/_bin/envoy"));
    if let Some(path) = installed.find(|path| path.is_file()) {
        return Ok(path);
    }
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&on_path)
        .map(|folder| folder.join("envoy"))
        .find(|path| path.is_file())
        .ok_or_else(|| "no Envoy: run `cargo xtask setup`".to_owned())
}

/// A built module: `ig_guard`, `ig_guard_policy`, …
pub fn module(name: &str) -> Found<PathBuf> {
    let path = workspace().join("target/wasm").join(format!("{name}.wasm"));
    let path = std::env::var_os("IG_WASM_DIR").map_or(path, |folder| {
        PathBuf::from(folder).join(format!("{name}.wasm"))
    });
    match path.is_file() {
        true => Ok(path),
        false => Err(format!(
            "{} is not built: run `cargo xtask build --variant all`",
            path.display()
        )),
    }
}

/// A running Envoy; it ends with the value.
pub struct Envoy {
    child: Child,
    /// Where it listens.
    pub gateway: SocketAddr,
    /// Its admin interface.
    pub admin: SocketAddr,
    folder: tempfile::TempDir,
}

/// A free loopback port. Another process may take it before it is used; the
/// caller tries again.
///
/// # Errors
/// When there is none.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

impl Envoy {
    /// Starts Envoy with the bootstrap that `make` gives for two addresses:
    /// gateway and admin.
    ///
    /// # Errors
    /// If it is not ready within 30 seconds, with its log.
    pub async fn start(
        workers: u32,
        make: impl Fn(SocketAddr, SocketAddr) -> Result<Value>,
    ) -> Result<Self> {
        let binary = envoy_binary().map_err(anyhow::Error::msg)?;
        let mut last = None;
        for _ in 0..3 {
            let (gateway, admin) = (free_address()?, free_address()?);
            match Self::start_at(&binary, workers, gateway, admin, &make(gateway, admin)?).await {
                Ok(envoy) => return Ok(envoy),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(|| anyhow::anyhow!("Envoy did not start")))
    }

    /// Starts Envoy where it is known already.
    ///
    /// # Errors
    /// If it is not ready within 30 seconds, with its log.
    pub async fn start_on(
        workers: u32,
        gateway: SocketAddr,
        admin: SocketAddr,
        bootstrap: &Value,
    ) -> Result<Self> {
        let binary = envoy_binary().map_err(anyhow::Error::msg)?;
        Self::start_at(&binary, workers, gateway, admin, bootstrap).await
    }

    async fn start_at(
        binary: &Path,
        workers: u32,
        gateway: SocketAddr,
        admin: SocketAddr,
        bootstrap: &Value,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let config = folder.path().join("envoy.json");
        std::fs::write(&config, serde_json::to_vec(bootstrap)?)?;
        let log = std::fs::File::create(folder.path().join("envoy.log"))?;
        let child = Command::new(binary)
            .arg("--config-path")
            .arg(&config)
            .args(["--concurrency", &workers.to_string()])
            .args(["--log-level", "warning", "--disable-hot-restart"])
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        let mut envoy = Self {
            child,
            gateway,
            admin,
            folder,
        };
        let started = Instant::now();
        loop {
            if envoy.child.try_wait()?.is_some() || started.elapsed() > Duration::from_secs(30) {
                bail!("Envoy is not ready:\n{}", envoy.log());
            }
            if envoy
                .get_admin("/ready")
                .await
                .is_ok_and(|answer| answer.contains("LIVE"))
            {
                return Ok(envoy);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Reads a page of the admin interface, head included.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn get_admin(&self, path: &str) -> Result<String> {
        self.ask_admin("GET", path).await
    }

    /// Has the admin interface do something.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn post_admin(&self, path: &str) -> Result<String> {
        self.ask_admin("POST", path).await
    }

    async fn ask_admin(&self, method: &str, path: &str) -> Result<String> {
        let mut stream = TcpStream::connect(self.admin).await?;
        let request =
            format!("{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    /// What Envoy wrote to its log, the access log aside.
    pub fn log(&self) -> String {
        let is_log = |line: &&str| !line.starts_with('{');
        self.output()
            .lines()
            .filter(is_log)
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The access log: what was written until now.
    pub fn access_log(&self) -> Vec<Value> {
        let output = self.output();
        let lines = output.lines().filter(|line| line.starts_with('{'));
        lines
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    fn output(&self) -> String {
        let bytes = std::fs::read(self.folder.path().join("envoy.log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Process id.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }
}
