//! Running commands: output captured or shown, time-outs, and errors that name
//! the command line and how it ended.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::background;

/// How often a command under a time-out is looked at.
const POLL: Duration = Duration::from_millis(20);
/// How long the output pipes may stay open after the command has ended (a
/// daemon that it started may hold them).
const DRAIN: Duration = Duration::from_secs(2);
/// How many lines of a failed command's output its error repeats.
const TAIL_LINES: usize = 15;

/// Why a command did not succeed.
#[derive(Debug)]
pub struct ProcessError {
    command: String,
    /// What happened: `exit code 101`, `took longer than 60 s`, …
    pub reason: String,
    /// What the command wrote to standard error, or else to standard output.
    pub output: String,
}

impl ProcessError {
    /// The line that says what went wrong, with the reason: for one-line reports.
    pub fn short(&self) -> String {
        let said = || {
            self.output
                .lines()
                .map(str::trim)
                .filter(|line| !line.is_empty())
        };
        let is_error = |line: &&str| {
            ["error", "ERROR", "E: ", "npm error"]
                .iter()
                .any(|start| line.starts_with(start))
        };
        match said().find(is_error).or_else(|| said().next_back()) {
            Some(line) => format!("{line} ({})", self.reason),
            None => self.reason.clone(),
        }
    }
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.command, self.reason)?;
        let lines: Vec<&str> = self.output.trim_end().lines().collect();
        for line in lines
            .get(lines.len().saturating_sub(TAIL_LINES)..)
            .unwrap_or_default()
        {
            write!(f, "\n{line}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ProcessError {}

/// What a command that succeeded wrote.
#[derive(Debug)]
pub struct Captured {
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A command line to run. It never reads the terminal, and it is not a shell.
#[derive(Debug)]
pub struct Process {
    command: Command,
    timeout: Option<Duration>,
}

impl Process {
    /// A command without arguments.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(program);
        command.stdin(Stdio::null());
        // What cargo says of the package it runs us for. A build script that
        // watches these (ring's does) would be run anew for each caller.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&name);
            }
        }
        Self {
            command,
            timeout: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.command.env(key, value);
        self
    }

    /// Takes away an inherited environment variable.
    #[must_use]
    pub fn env_remove(mut self, key: impl AsRef<OsStr>) -> Self {
        self.command.env_remove(key);
        self
    }

    /// Sets the working directory.
    #[must_use]
    pub fn current_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.command.current_dir(dir);
        self
    }

    /// Ends the command, and what it started, after this time.
    ///
    /// Such a command runs in a process group of its own, so Ctrl-C does not
    /// reach it: keep time-outs short, and use none for builds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The command line as a person would type it.
    pub fn command_line(&self) -> String {
        let words: Vec<OsString> = std::iter::once(self.command.get_program())
            .chain(self.command.get_args())
            .map(OsStr::to_owned)
            .collect();
        words
            .iter()
            .map(|word| quoted(&word.to_string_lossy()))
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs the command and returns what it wrote.
    ///
    /// # Errors
    /// When it cannot start, runs too long or exits with another code than 0.
    pub fn capture(mut self) -> Result<Captured, ProcessError> {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.spawn()?;
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        let ended = self.wait(&mut child);
        let captured = Captured {
            stdout: collect(&stdout),
            stderr: collect(&stderr),
        };
        self.judge(ended, &captured)?;
        Ok(captured)
    }

    /// Runs the command with its output shown as it comes.
    ///
    /// # Errors
    /// As [`Process::capture`].
    pub fn inherit(mut self) -> Result<(), ProcessError> {
        let mut child = self.spawn()?;
        let ended = self.wait(&mut child);
        self.judge(
            ended,
            &Captured {
                stdout: String::new(),
                stderr: String::new(),
            },
        )
    }

    /// As [`Process::inherit`], but all output goes to standard error, so that
    /// ours stays machine-readable.
    ///
    /// # Errors
    /// As [`Process::capture`].
    pub fn inherit_as_log(mut self) -> Result<(), ProcessError> {
        self.command.stdout(Stdio::from(io::stderr()));
        self.inherit()
    }

    /// Gives the prepared command to [`background::Background`].
    pub(crate) fn into_command(self) -> Command {
        self.command
    }

    fn spawn(&mut self) -> Result<Child, ProcessError> {
        if self.timeout.is_some() {
            self.command.process_group(0);
        }
        let child = self.command.spawn();
        child.map_err(|error| self.error(format!("cannot start: {error}"), ""))
    }

    fn wait(&self, child: &mut Child) -> Result<ExitStatus, String> {
        let Some(timeout) = self.timeout else {
            return child.wait().map_err(|error| error.to_string());
        };
        let started = Instant::now();
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) if started.elapsed() < timeout => thread::sleep(POLL),
                Ok(None) => {
                    background::kill_group(child);
                    return Err(format!(
                        "took longer than {} s, ended",
                        timeout.as_secs_f32()
                    ));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    fn judge(
        &self,
        ended: Result<ExitStatus, String>,
        captured: &Captured,
    ) -> Result<(), ProcessError> {
        let reason = match ended {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => match status.code() {
                Some(code) => format!("exit code {code}"),
                None => status.to_string(),
            },
            Err(reason) => reason,
        };
        let said = if captured.stderr.trim().is_empty() {
            &captured.stdout
        } else {
            &captured.stderr
        };
        Err(self.error(reason, said))
    }

    fn error(&self, reason: String, output: &str) -> ProcessError {
        ProcessError {
            command: self.command_line(),
            reason,
            output: output.to_owned(),
        }
    }
}

/// Runs a step that uses the network, and once more if it fails.
///
/// # Errors
/// The second attempt's.
pub fn retry_once<T, E: fmt::Display>(
    what: &str,
    mut step: impl FnMut() -> Result<T, E>,
) -> Result<T, E> {
    step().or_else(|error| {
        eprintln!("  {what} failed, trying once more: {error}");
        step()
    })
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Reads a pipe in a thread, so that neither pipe can fill up and block the child.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    if let Some(mut pipe) = pipe {
        thread::spawn(move || {
            let mut buffer = vec![0; 8192];
            while let Ok(count) = pipe.read(&mut buffer) {
                let chunk = buffer.get(..count).unwrap_or_default();
                if count == 0 || sender.send(chunk.to_vec()).is_err() {
                    return;
                }
            }
        });
    }
    receiver
}

fn collect(chunks: &Receiver<Vec<u8>>) -> String {
    let mut all = Vec::new();
    while let Ok(chunk) = chunks.recv_timeout(DRAIN) {
        all.extend(chunk);
    }
    String::from_utf8_lossy(&all).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        Process::new("sh").args(["-c", script])
    }

    #[test]
    fn output_is_captured() {
        let done = shell("echo out; echo err >&2").capture().unwrap();
        assert_eq!(
            (done.stdout.as_str(), done.stderr.as_str()),
            ("out\n", "err\n")
        );
    }

    #[test]
    fn more_output_than_a_pipe_holds_is_captured() {
        let done = shell("head -c 300000 /dev/zero | tr '\\0' x")
            .capture()
            .unwrap();
        assert_eq!(done.stdout.len(), 300_000);
    }

    #[test]
    fn an_error_names_command_code_and_last_words() {
        let error = shell("echo broken >&2; exit 3").capture().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`sh -c 'echo broken >&2; exit 3'`: exit code 3\nbroken"
        );
        assert_eq!(error.short(), "broken (exit code 3)");
        let error = shell("echo info; echo error: full; echo '  at main'; exit 1").capture();
        assert_eq!(error.unwrap_err().short(), "error: full (exit code 1)");
    }

    #[test]
    fn a_program_that_does_not_exist_is_named() {
        let error = Process::new("no-such-program").capture().unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("`no-such-program`: cannot start"),
            "{error}"
        );
    }

    #[test]
    fn a_timeout_ends_the_command_and_what_it_started() {
        let started = Instant::now();
        let error = shell("sleep 30 & sleep 30")
            .timeout(Duration::from_millis(200))
            .capture()
            .unwrap_err();
        assert!(error.reason.contains("took longer than 0.2 s"), "{error}");
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "the pipes closed with the group"
        );
    }

    #[test]
    fn a_step_is_tried_twice() {
        let mut tries = 0;
        let mut step = || {
            tries += 1;
            if tries == 2 {
                Ok(tries)
            } else {
                Err("no network")
            }
        };
        assert_eq!(retry_once("a step", &mut step), Ok(2));
        assert!(retry_once("a step", || Err::<(), _>("no network")).is_err());
    }
}
