//! A Redis of our own, for one test.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::{Found, free_address};

/// A running Redis; it ends with the value.
pub struct Redis {
    server: PathBuf,
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

/// Where Redis is.
///
/// # Errors
/// What to do, if it is not here.
pub fn redis_server() -> Found<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join("redis-server"))
        .find(|file| file.is_file())
        .ok_or_else(|| "no Redis: run `cargo xtask setup --with redis`".to_owned())
}

impl Redis {
    /// One that is empty, on a free port.
    ///
    /// # Errors
    /// If it does not answer within 20 seconds.
    pub fn start() -> Result<Self> {
        let server = redis_server().map_err(anyhow::Error::msg)?;
        let folder = tempfile::tempdir()?;
        let port = free_address()?.port();
        Ok(Self {
            child: serve(&server, port, &folder)?,
            server,
            port,
            folder,
        })
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// As `kill -9` does.
    ///
    /// # Errors
    /// If it has ended.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Tells it to end, and waits for that.
    ///
    /// # Errors
    /// If it has ended.
    pub fn terminate(&mut self) -> Result<()> {
        self.signal("TERM")?;
        self.child.wait()?;
        Ok(())
    }

    /// Again, empty, at the same port.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    pub fn restart(&mut self) -> Result<()> {
        self.child = serve(&self.server, self.port, &self.folder)?;
        Ok(())
    }

    /// Sends a signal by its name.
    ///
    /// # Errors
    /// If it has ended.
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status()?;
        ensure!(sent.success(), "kill: {sent}");
        Ok(())
    }

    /// The first line of its answer to a command of one line.
    ///
    /// # Errors
    /// If it does not answer.
    pub fn say(&self, command: &str) -> Result<String> {
        say(self.port, command).context("Redis does not answer")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(server: &PathBuf, port: u16, folder: &tempfile::TempDir) -> Result<Child> {
    let child = Command::new(server)
        .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .current_dir(folder.path())
        .spawn()?;
    let started = Instant::now();
    while say(port, "PING").is_none_or(|answer| answer != "+PONG") {
        ensure!(started.elapsed() < Duration::from_secs(20), "no Redis");
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(child)
}

fn say(port: u16, command: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let patience = Some(Duration::from_secs(5));
    stream.set_read_timeout(patience).ok()?;
    stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n") {
        stream.read_exact(&mut byte).ok()?;
        answer.extend(byte);
    }
    Some(String::from_utf8(answer).ok()?.trim_end().to_owned())
}
