//! A replica of the control plane: a process that is killed, stopped and started.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ig_e2e::free_address;
use rustix::process::{Pid, Signal, kill_process};

/// How long a replica may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a replica is started with.
#[derive(Clone, Debug)]
pub struct With {
    /// The program.
    pub program: PathBuf,
    /// The database's URL.
    pub database: String,
    /// Configuration file.
    pub config: Option<PathBuf>,
    /// Redis' URL.
    pub redis: String,
    /// The guard's module.
    pub module: PathBuf,
    /// Where its log goes.
    pub log: PathBuf,
}

/// A replica.
pub struct Replica {
    child: Option<Child>,
    with: With,
    /// Address of the API.
    pub http: SocketAddr,
    /// Address of gRPC.
    pub grpc: SocketAddr,
}

impl Replica {
    /// One on free ports, which it keeps; and, if it is the database's first, the
    /// token that it printed.
    ///
    /// # Errors
    /// When it does not get ready.
    pub fn start(with: With, is_first: bool) -> Result<(Self, Option<String>)> {
        let mut this = Self {
            child: None,
            with,
            http: free_address()?,
            grpc: free_address()?,
        };
        this.spawn()?;
        let mut token = None;
        if is_first {
            let child = this.child.as_mut().context("no process")?;
            let mut line = String::new();
            BufReader::new(child.stdout.take().context("no output")?).read_line(&mut line)?;
            let said = line.trim().rsplit(' ').next().unwrap_or_default();
            ensure!(said.starts_with("ig_"), "no token in `{line}`");
            token = Some(said.to_owned());
        }
        this.wait()?;
        Ok((this, token))
    }

    fn spawn(&mut self) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.with.log)?;
        let config = self.with.config.iter();
        let child = Command::new(&self.with.program)
            .args(config.flat_map(|file| [OsStr::new("--config"), file.as_os_str()]))
            .args(["--database", &self.with.database])
            .args(["--redis", &self.with.redis])
            .arg("--module")
            .arg(&self.with.module)
            .args(["--listen", &self.http.to_string()])
            .args(["--grpc-listen", &self.grpc.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("{} does not start", self.with.program.display()))?;
        self.child = Some(child);
        Ok(())
    }

    /// Starts it again where it was, if it is not running. It gets ready when it can.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn start_again(&mut self) -> Result<()> {
        // One that was started while its database was away may have ended by itself.
        let is_running = match &mut self.child {
            Some(child) => child.try_wait()?.is_none(),
            None => false,
        };
        match is_running {
            true => Ok(()),
            false => self.spawn(),
        }
    }

    fn wait(&mut self) -> Result<()> {
        let started = Instant::now();
        let url = format!("http://{}", self.http);
        while !ig_e2e::call(&url, &[], "GET", "/readyz", b"").is_ok_and(|said| said.0 == 200) {
            let child = self.child.as_mut().context("no process")?;
            let is_over = child.try_wait()?.is_some() || started.elapsed() > PATIENCE;
            ensure!(!is_over, "not ready: see {}", self.with.log.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Its process, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// If it is not there.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let child = self.child.as_ref().context("it is not running")?;
        let pid = Pid::from_raw(i32::try_from(child.id())?).context("no process id")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Ends it by a signal and waits for its end.
    ///
    /// # Errors
    /// If it is not there, or does not end.
    pub fn end(&mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        let (started, child) = (Instant::now(), self.child.as_mut());
        let child = child.context("it is not running")?;
        while child.try_wait()?.is_none() {
            ensure!(
                started.elapsed() < PATIENCE,
                "it does not end by {signal:?}"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        self.child = None;
        Ok(())
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
