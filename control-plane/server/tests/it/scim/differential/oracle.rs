//! scim2-server as a process.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ig_e2e::{Scim, free_address};

/// It ends with the value.
pub(super) struct Oracle {
    child: Child,
    pub(super) scim: Scim,
}

impl Oracle {
    pub(super) fn start(binary: &Path) -> Self {
        // Somebody else may take the port.
        for _ in 0..5 {
            if let Some(started) = Self::try_start(binary) {
                return started;
            }
        }
        panic!("scim2-server does not start");
    }

    fn try_start(binary: &Path) -> Option<Self> {
        let port = free_address().unwrap().port();
        let child = Command::new(binary)
            .args([
                "--port",
                &port.to_string(),
                "--tenant",
                "a",
                "--bearer-token",
                "t",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut this = Self {
            child,
            scim: Scim::new(format!("http://127.0.0.1:{port}/a/v2"), "t"),
        };
        let started = Instant::now();
        while started.elapsed() < Duration::from_secs(60) {
            if this.child.try_wait().unwrap().is_some() {
                return None;
            }
            if this.scim.answers() {
                return Some(this);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        None
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
