//! Starting, and starting again.

use std::io::Read as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use ig_control_plane::{Config, Server};
use serde_json::Value;

use crate::databases::Database;

const SDL: &str = "type Query { me: String }";
const BINARY: &str = env!("CARGO_BIN_EXE_ig-control-plane");

#[test]
fn a_restart_keeps_everything_and_makes_no_second_token() {
    for database in Database::each() {
        let first = database.start();
        let token = first.token.clone();
        assert_eq!(first.call("PUT", "/schemas/demo/dev", SDL).0, 201);
        first.stop().unwrap();
        let mut second = database.start();
        assert_eq!(second.token, None);
        second.token = token;
        let (status, sdl) = second.call("GET", "/schemas/demo/dev", "");
        assert_eq!((status, sdl), (200, Value::String(SDL.into())));
        second.stop().unwrap();
    }
}

#[test]
fn replicas_that_start_at_once_make_one_token() {
    for database in Database::each() {
        let start = || database.start();
        let both = std::thread::scope(|scope| {
            let starting = [scope.spawn(start), scope.spawn(start)];
            starting.map(|one| one.join().unwrap())
        });
        let made = both.iter().filter(|one| one.token.is_some()).count();
        assert_eq!(made, 1);
        for one in both {
            one.stop().unwrap();
        }
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_opened_is_a_clear_error() {
    let missing = Config::local("sqlite:/nowhere/at/all/test.db", "module.wasm");
    let started = Instant::now();
    let refused = Server::bind(&missing).await.map(drop).unwrap_err();
    assert!(refused.to_string().contains("database"), "{refused}");
    // Waiting makes no folder.
    assert!(started.elapsed() < Duration::from_secs(20));
}

/// Nobody listens: it is tried again, with longer and longer pauses, and given
/// up with a clear error.
#[test]
fn a_database_that_is_away_is_waited_for() {
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let config = "version = 1\nlisten = \"127.0.0.1:0\"\ngrpc-listen = \"127.0.0.1:0\"\n\
                  database-patience-seconds = 3\n";
    std::fs::write(&file, config).unwrap();
    let ran = Command::new(BINARY)
        .arg("--config")
        .arg(&file)
        .args([
            "--database",
            &format!("postgres://ig:secret@127.0.0.1:{port}/ig"),
        ])
        .output()
        .unwrap();
    let said = String::from_utf8(ran.stderr).unwrap();
    assert!(!ran.status.success());
    assert!(
        said.contains("error: the database cannot be reached; gave up after"),
        "{said}"
    );
    assert!(!said.contains("secret"), "{said}");
    // 250, 500, 1000 ms: not one try, and no busy loop.
    let tries = said.matches("trying again").count();
    assert!((2..=4).contains(&tries), "{tries}: {said}");
}

#[test]
fn configurations_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let ran = Command::new(BINARY)
            .args(["--check-config", "--config"])
            .arg(&file)
            .output()
            .unwrap();
        (ran.status.success(), String::from_utf8(ran.stderr).unwrap())
    };
    assert!(check("version = 1\n").0);
    let (valid, said) = check("version = 1\nlistn = \"x\"\n[decisions]\nkeep = 1\n");
    assert!(!valid);
    assert!(said.contains("listn: unknown key"), "{said}");
    assert!(said.contains("decisions.keep: unknown key"), "{said}");
    let (valid, said) = check("version = 1\n[tls]\ncertificate = \"/no\"\nkey = \"/no\"\n");
    assert!(!valid);
    assert!(said.contains("/no"), "{said}");
}

/// A disk without space, of a mount namespace of its own: changes are refused,
/// what was acknowledged stays, and once there is space all goes on.
#[test]
fn a_full_disk_refuses_changes_and_keeps_what_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let script = "mount -t tmpfs -o size=3m none \"$1\" && cd \"$1\" && exec \"$0\" \
                  --listen 127.0.0.1:0 --grpc-listen 127.0.0.1:0 --database sqlite:test.db";
    let child = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--mount",
            "sh",
            "-c",
            script,
            BINARY,
        ])
        .arg(&disk)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Running(child);
    let lines = Lines::of(child.0.stderr.take().unwrap());
    let Some(address) = lines.until(listening) else {
        let said = lines.all();
        assert!(
            std::env::var_os("CI").is_none(),
            "no mount namespaces: {said}"
        );
        eprintln!("SKIPPED: no mount namespaces here: {said}");
        return;
    };
    let mut token = [0; 4096];
    let read = child.0.stdout.as_mut().unwrap().read(&mut token).unwrap();
    let token = String::from_utf8_lossy(&token[..read]).into_owned();
    let token = format!("Bearer {}", token.trim().rsplit(' ').next().unwrap());
    let call = |method: &str, path: &str, body: &str| {
        ig_e2e::call(
            &format!("http://{address}"),
            &[("authorization", token.as_str())],
            method,
            path,
            body.as_bytes(),
        )
        .unwrap()
    };
    let big = format!("type Query {{ me: String }}\n# {}", "x".repeat(200_000));
    let mut kept = Vec::new();
    let refused = loop {
        let path = format!("/schemas/demo/t{}", kept.len());
        match call("PUT", &path, &big) {
            (201, _) => kept.push(path),
            (status, answer) => break (status, answer),
        }
        assert!(kept.len() < 100);
    };
    assert_eq!(refused.0, 503, "{refused:?}");
    assert!(!kept.is_empty());
    for path in &kept {
        assert_eq!(call("GET", path, "").0, 200, "{path}");
    }
    let (_, listed) = call("GET", "/schemas/demo", "");
    assert_eq!(listed.as_array().unwrap().len(), kept.len());
}

/// A process; it ends with the value.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Lines of a process, as they come.
struct Lines {
    received: std::sync::mpsc::Receiver<String>,
}

impl Lines {
    fn of(output: impl std::io::Read + Send + 'static) -> Self {
        use std::io::BufRead as _;
        let (send, received) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let lines = std::io::BufReader::new(output).lines();
            for line in lines.map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        Self { received }
    }

    fn until<T>(&self, wanted: impl Fn(&str) -> Option<T>) -> Option<T> {
        while let Ok(line) = self.received.recv_timeout(Duration::from_secs(20)) {
            if let Some(found) = wanted(&line) {
                return Some(found);
            }
        }
        None
    }

    fn all(&self) -> String {
        self.received.try_iter().collect::<Vec<_>>().join("\n")
    }
}

/// The API's address, of the line that has it.
fn listening(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line["fields"]["message"] == "listening")
        .then(|| line["fields"]["http"].as_str().map(Into::into))?
}
