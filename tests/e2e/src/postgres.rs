//! A PostgreSQL of our own, for one run of tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::Found;
use crate::envoy::free_address;

/// A running PostgreSQL; it ends with the value.
pub struct Postgres {
    child: Child,
    port: u16,
    next: AtomicUsize,
    folder: tempfile::TempDir,
    bin: PathBuf,
}

/// Where Debian's PostgreSQL is, or the one on the path.
///
/// # Errors
/// What to do, if it is not here.
pub fn postgres_binaries() -> Found<PathBuf> {
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten();
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    debian
        .map(|version| version.path().join("bin"))
        .chain(std::env::split_paths(&on_path))
        .find(|bin| bin.join("initdb").is_file())
        .ok_or_else(|| "no PostgreSQL: run `cargo xtask setup --with postgres`".to_owned())
}

/// A command as a user that is not root, which PostgreSQL refuses to run as.
fn as_postgres(program: &Path) -> Command {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|me| {
        use std::os::unix::fs::MetadataExt as _;
        me.uid() == 0
    });
    if !is_root {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args([
            "--reuid=postgres",
            "--regid=postgres",
            "--clear-groups",
            "--",
        ])
        .arg(program);
    command
}

/// The one that tests of this process share.
static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());

impl Postgres {
    /// The one that tests of this process share; it ends with the last of them.
    ///
    /// # Errors
    /// When it does not start.
    pub fn shared() -> Result<Arc<Self>> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(running) = shared.upgrade() {
            return Ok(running);
        }
        let started = Arc::new(Self::start()?);
        *shared = Arc::downgrade(&started);
        Ok(started)
    }

    /// Starts one on a free port.
    ///
    /// # Errors
    /// When it does not start, with its log.
    pub fn start() -> Result<Self> {
        // Other folders may be closed to its user.
        Self::start_on(Path::new("/tmp"))
    }

    /// Starts one whose files are below a folder that everybody may read.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn start_on(folder: &Path) -> Result<Self> {
        let bin = postgres_binaries().map_err(anyhow::Error::msg)?;
        let folder = tempfile::Builder::new()
            .prefix("ig-postgres-")
            .tempdir_in(folder)?;
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(folder.path(), open)?;
        let data = folder.path().join("data");
        let made = as_postgres(&bin.join("initdb"))
            .args([
                "--auth=trust",
                "--username=ig",
                "--encoding=UTF8",
                "--no-sync",
                "-D",
            ])
            .arg(&data)
            .current_dir(folder.path())
            .output()
            .context("initdb")?;
        if !made.status.success() {
            bail!("initdb: {}", String::from_utf8_lossy(&made.stderr));
        }
        let port = free_address()?.port();
        let child = serve(&bin, folder.path(), port)?;
        let this = Self {
            child,
            port,
            next: AtomicUsize::new(0),
            folder,
            bin,
        };
        this.wait()?;
        Ok(this)
    }

    fn wait(&self) -> Result<()> {
        let started = Instant::now();
        while self.sql("postgres", "SELECT 1").is_err() {
            if started.elapsed() > Duration::from_secs(30) {
                let log = std::fs::read_to_string(self.folder.path().join("log"));
                bail!("PostgreSQL is not ready: {}", log.unwrap_or_default());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// As `kill -9` does it to the whole of a machine's PostgreSQL: nothing is written
    /// any more.
    ///
    /// # Errors
    /// If it has ended.
    pub fn kill(&mut self) -> Result<()> {
        // Children notice that their parent is gone, and end.
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Tells it to end, as an orchestrator does: it lets nobody new in, and waits for
    /// those who are there.
    ///
    /// # Errors
    /// If it has ended.
    pub fn terminate(&self) -> Result<()> {
        ensure!(
            send("TERM", &[self.child.id().to_string()])?,
            "it has ended"
        );
        Ok(())
    }

    /// Sends those away who are there, and waits until it has ended.
    ///
    /// # Errors
    /// If it does not end.
    pub fn end(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_none() {
            send("INT", &[self.child.id().to_string()])?;
        }
        let started = Instant::now();
        while self.child.try_wait()?.is_none() {
            let is_over = started.elapsed() > Duration::from_secs(30);
            ensure!(!is_over, "PostgreSQL does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Sends a signal, by its name, to all of its processes.
    ///
    /// # Errors
    /// If it has ended.
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.child.id();
        ensure!(send(name, &[id.to_string()])?, "it has ended");
        // Each child leads a group of its own. Where the first is stopped, there are no
        // new ones; one that has ended meanwhile needs no signal.
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
        let children: Vec<_> = children.split_whitespace().map(ToOwned::to_owned).collect();
        if !children.is_empty() {
            send(name, &children)?;
        }
        Ok(())
    }

    /// Again, at the same port, recovered from its log.
    ///
    /// # Errors
    /// If it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        // Until those of the one before have ended, it says so and ends.
        let started = Instant::now();
        loop {
            self.child = serve(&self.bin, self.folder.path(), self.port)?;
            loop {
                if self.sql("postgres", "SELECT 1").is_ok() {
                    return Ok(());
                }
                if self.child.try_wait()?.is_some() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            if started.elapsed() > Duration::from_secs(30) {
                let log = std::fs::read_to_string(self.folder.path().join("log"));
                bail!("PostgreSQL is not ready: {}", log.unwrap_or_default());
            }
        }
    }

    /// Again, if it has ended by itself; and until it answers.
    ///
    /// # Errors
    /// If it does not get ready.
    pub fn start_if_ended(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(_) => self.start_again(),
            None => self.wait(),
        }
    }

    /// Port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What a statement says of a database, by its name: rows and nothing else.
    ///
    /// # Errors
    /// What it says against it.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let url = format!("postgres://ig@127.0.0.1:{}/{database}", self.port);
        let ran = Command::new(self.bin.join("psql"))
            .args(["--quiet", "--no-psqlrc", "--no-align", "--tuples-only"])
            .args(["-v", "ON_ERROR_STOP=1", "-c", sql])
            .arg(url)
            .output()?;
        match ran.status.success() {
            true => Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned()),
            false => bail!("{}", String::from_utf8_lossy(&ran.stderr)),
        }
    }

    /// URL of a new, empty database.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn database(&self) -> Result<String> {
        let name = format!("t{}", self.next.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(format!("postgres://ig@127.0.0.1:{}/{name}", self.port))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, and its processes with it. Who is stopped hears of it once they go on.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = send("QUIT", &[self.child.id().to_string()]);
            let _ = self.signal("CONT");
        }
        let _ = self.child.wait();
        let data = self.folder.path().join("data");
        let _ = as_postgres(Path::new("rm")).arg("-rf").arg(data).status();
    }
}

/// Sends a signal, by its name, to processes; whether all were there.
fn send(name: &str, ids: &[String]) -> Result<bool> {
    let sent = Command::new("kill")
        .arg(format!("-{name}"))
        .args(ids)
        .stderr(Stdio::null())
        .status()
        .context("kill")?;
    Ok(sent.success())
}

fn serve(bin: &Path, folder: &Path, port: u16) -> Result<Child> {
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))?;
    let child = as_postgres(&bin.join("postgres"))
        .arg("-D")
        .arg(folder.join("data"))
        .args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"])
        .args([
            "-c",
            "unix_socket_directories=",
            "-c",
            "max_connections=200",
        ])
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .current_dir(folder)
        .spawn()?;
    Ok(child)
}
