//! Processes that run beside us: a log file each, stopped as a group.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process};

use crate::process::Process;

const POLL: Duration = Duration::from_millis(20);

/// A running command with its output in a file. Dropping it ends it.
#[derive(Debug)]
pub struct Background {
    child: Option<Child>,
    log: PathBuf,
}

impl Background {
    /// Starts the command in a process group of its own.
    ///
    /// # Errors
    /// When the log file cannot be made or the command cannot start.
    pub fn start(process: Process, log: &Path) -> Result<Self> {
        let line = process.command_line();
        if let Some(folder) = log.parent() {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let out = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let both = out.try_clone().context("cannot share the log file")?;
        let child = process
            .into_command()
            .stdout(Stdio::from(out))
            .stderr(Stdio::from(both))
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start `{line}`"))?;
        Ok(Self {
            child: Some(child),
            log: log.to_owned(),
        })
    }

    /// Its process id, which is its process group too.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Where its output goes.
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child
            .as_mut()
            .and_then(|child| child.try_wait().ok().flatten())
    }

    /// Asks it to end, and ends it after `grace`.
    pub fn stop(mut self, grace: Duration) {
        if let Some(mut child) = self.child.take() {
            signal_group(child.id(), Signal::TERM);
            let started = Instant::now();
            while started.elapsed() < grace {
                if matches!(child.try_wait(), Ok(Some(_))) {
                    break;
                }
                thread::sleep(POLL);
            }
            kill_group(&mut child);
        }
    }

    /// Lets it go on after us; [`stop_id`] ends it later.
    pub fn detach(mut self) -> Option<u32> {
        self.child.take().map(|child| child.id())
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            kill_group(&mut child);
        }
    }
}

/// Ends a detached process group: asks, waits up to `grace`, then insists.
/// Returns whether there was one to end.
pub fn stop_id(id: u32, grace: Duration) -> bool {
    if !signal_group(id, Signal::TERM) {
        return false;
    }
    let started = Instant::now();
    while started.elapsed() < grace && is_running(id) {
        thread::sleep(POLL);
    }
    signal_group(id, Signal::KILL);
    true
}

/// Whether a process of this id exists.
pub fn is_running(id: u32) -> bool {
    pid(id).is_some_and(|pid| test_kill_process(pid).is_ok())
}

/// Ends a child that leads a process group, and all in that group.
pub(crate) fn kill_group(child: &mut Child) {
    signal_group(child.id(), Signal::KILL);
    // Reaps it; a child that is gone already is no error.
    let _ = child.wait();
}

fn signal_group(id: u32, signal: Signal) -> bool {
    pid(id).is_some_and(|pid| kill_process_group(pid, signal).is_ok())
}

fn pid(id: u32) -> Option<Pid> {
    // 0 and 1 as a group would mean our own and everyone's.
    i32::try_from(id)
        .ok()
        .filter(|id| *id > 1)
        .and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("xtask-{}-{name}.log", std::process::id()))
    }

    #[test]
    fn a_background_command_logs_and_stops() {
        let log = log("stops");
        let running =
            Background::start(Process::new("sh").args(["-c", "echo up; sleep 30"]), &log).unwrap();
        let id = running.id().unwrap();
        thread::sleep(Duration::from_millis(200));
        assert!(is_running(id));
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "up\n");
        running.stop(Duration::from_secs(5));
        assert!(!is_running(id));
        std::fs::remove_file(log).unwrap();
    }

    #[test]
    fn no_id_can_mean_every_process() {
        for id in [0, 1, u32::MAX] {
            assert!(!is_running(id), "{id}");
            assert!(!stop_id(id, Duration::ZERO), "{id}");
        }
    }
}
