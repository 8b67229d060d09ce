//! An Envoy, and hosts behind it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ig_envoy::{Address, Guard, StaticOptions, Upstream, render};
use serde_json::Value;

pub(crate) const NO_OP: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024))"#;

/// A host that keeps what it was sent.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Host {
    /// Answers every request so, and closes.
    pub(crate) fn start(answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&seen);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let head = head_of(&stream);
                keep.lock().unwrap().push(head);
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
        Self { address, seen }
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }
}

pub(crate) const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
pub(crate) const BUSY: &str =
    "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbusy";
pub(crate) const NOTHING: &str = "";

pub(crate) fn head_of(mut stream: &TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// An address where nobody listens: no free port, which somebody may take.
pub(crate) fn nobody() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 2], 1))
}

/// A free port; another process may take it before it is used.
fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

pub(crate) fn address(of: SocketAddr) -> Address {
    Address::new(of.ip().to_string(), of.port())
}

/// Running, until it goes out of scope.
pub(crate) struct Proxy {
    child: Child,
    listen: SocketAddr,
    admin: SocketAddr,
    folder: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Proxy {
    /// With the options that `edit` makes.
    pub(crate) fn start(envoy: &Path, module: &str, edit: impl Fn(&mut StaticOptions)) -> Self {
        let started = (0..3).find_map(|_| Self::try_start(envoy, module, &edit));
        started.expect("Envoy is ready")
    }

    fn try_start(envoy: &Path, module: &str, edit: impl Fn(&mut StaticOptions)) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let wasm: PathBuf = folder.path().join("module.wasm");
        std::fs::write(&wasm, wat::parse_str(module).unwrap()).unwrap();
        let (listen, admin) = (free(), free());
        let upstream = Upstream::plain([address(nobody())]);
        let mut options = StaticOptions::new(address(listen), address(admin), upstream);
        options.guards.push(Guard::new(wasm, b"snapshot".to_vec()));
        edit(&mut options);
        let config = folder.path().join("envoy.json");
        std::fs::write(&config, render(&options).to_string()).unwrap();
        let log = std::fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::new(envoy)
            .args(["--concurrency", "1", "--log-level", "warning"])
            .args(["--disable-hot-restart", "-c"])
            .arg(&config)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut proxy = Self {
            child,
            listen,
            admin,
            folder,
        };
        let started = Instant::now();
        while !proxy.is_ready() {
            let has_ended = proxy.child.try_wait().unwrap().is_some();
            if has_ended || started.elapsed() > Duration::from_secs(30) {
                let log = std::fs::read_to_string(proxy.folder.path().join("log"));
                eprintln!("Envoy is not ready: {}", log.unwrap_or_default());
                return None;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Some(proxy)
    }

    fn is_ready(&self) -> bool {
        let answer = exchange(self.admin, "GET /ready HTTP/1.1\r\nhost: a\r\n\r\n");
        answer.is_ok_and(|answer| answer.status == 200)
    }

    pub(crate) fn send(&self, headers: &[(&str, &str)]) -> Answer {
        let mut request = "GET /graphql HTTP/1.1\r\nhost: a\r\n".to_owned();
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        exchange(self.listen, &(request + "connection: close\r\n\r\n")).unwrap()
    }
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn has(&self, header: &str) -> bool {
        self.head.lines().any(|line| line == header)
    }

    /// Status and code; it is JSON that no cache keeps.
    pub(crate) fn error(&self) -> (u16, String) {
        assert!(self.has("content-type: application/json"), "{self:?}");
        assert!(self.has("cache-control: no-store"), "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let code = body.pointer("/errors/0/extensions/code").unwrap();
        (self.status, code.as_str().unwrap().to_owned())
    }
}

fn exchange(to: SocketAddr, request: &str) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(request.as_bytes())?;
    let head = head_of(&stream);
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let mut body = String::new();
    stream
        .take(length.unwrap_or_default())
        .read_to_string(&mut body)?;
    Ok(Answer {
        status: status.unwrap_or_default(),
        head,
        body,
    })
}
