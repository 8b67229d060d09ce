//! The control plane is killed while many change something, again and again.

use std::io::Read as _;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use ig_control_plane::check_ledger;
use ig_e2e::free_address;

use super::{leaves, records, wait};
use crate::databases::Database;

const SDL: &str = "type Query { me: String }";

/// A process; it ends with the value.
pub(crate) struct Killed {
    child: Child,
    pub(crate) http: SocketAddr,
}

impl Killed {
    pub(crate) fn start(url: &str) -> Self {
        Self::start_with(url, |_| {})
    }

    /// With more arguments and variables.
    pub(crate) fn start_with(url: &str, more: impl FnOnce(&mut Command)) -> Self {
        let (http, grpc) = (free_address().unwrap(), free_address().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_ig-control-plane"));
        command
            .args(["--database", url])
            .args(["--listen", &http.to_string()])
            .args(["--grpc-listen", &grpc.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        more(&mut command);
        let child = command.spawn().unwrap();
        let mut this = Self { child, http };
        wait("it is ready", || {
            let ended = this.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended by itself");
            let ready = call(http, "", "GET", "/readyz", "");
            (ready == Some(200)).then_some(())
        });
        this
    }
}

impl Drop for Killed {
    /// As `kill -9` does it.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn call(http: SocketAddr, token: &str, method: &str, path: &str, body: &str) -> Option<u16> {
    let token = format!("Bearer {token}");
    let headers = [("authorization", token.as_str())];
    let answer = ig_e2e::call(
        &format!("http://{http}"),
        &headers,
        method,
        path,
        body.as_bytes(),
    );
    Some(answer.ok()?.0)
}

#[test]
fn what_was_acknowledged_is_in_the_ledger_once() {
    for database in Database::each() {
        let acknowledged = Mutex::new(Vec::new());
        let mut token = String::new();
        for life in 0..5 {
            let mut running = Killed::start(&database.url);
            if token.is_empty() {
                let mut line = [0; 256];
                let out = running.child.stdout.as_mut().unwrap();
                let read = out.read(&mut line).unwrap();
                let line = String::from_utf8_lossy(&line[..read]).into_owned();
                token = line.trim().rsplit(' ').next().unwrap().to_owned();
            }
            let before = acknowledged.lock().unwrap().len();
            std::thread::scope(|scope| {
                for client in 0..16 {
                    let (http, token, acknowledged) = (running.http, &token, &acknowledged);
                    scope.spawn(move || {
                        for number in 0.. {
                            let target = format!("demo/{life}-{client}-{number}");
                            let path = format!("/schemas/{target}");
                            match call(http, token, "PUT", &path, SDL) {
                                Some(201) => acknowledged.lock().unwrap().push(target),
                                Some(503) => {}
                                // It is gone.
                                _ => return,
                            }
                        }
                    });
                }
                wait("enough is acknowledged", || {
                    let now = acknowledged.lock().unwrap().len();
                    (now >= before + 10 + 17 * life).then_some(())
                });
                std::thread::sleep(Duration::from_millis(3 * life as u64));
                running.child.kill().unwrap();
            });
        }
        let mut control = database.start();
        control.token = Some(token);
        let records = records(&control);
        let leaves = leaves(control.http);
        for target in acknowledged.lock().unwrap().iter() {
            let of = records.iter().filter(|record| record["target"] == **target);
            assert_eq!(of.count(), 1, "{target}");
        }
        assert_eq!(leaves.len(), records.len());
        control.stop().unwrap();
        // Each record has a leaf, and each leaf its record.
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let checked = runtime
            .block_on(check_ledger(&database.config(), None))
            .unwrap();
        assert_eq!(checked.records as usize, records.len());
        assert_eq!(checked.entries, checked.records);
    }
}
