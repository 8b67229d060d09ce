//! Logs behind a URL: what is fetched, and what a host may do.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use crate::ledger::problems;
use crate::support::{Logged, ORIGIN, code, signer, text};

/// What a host does with a path; `None` serves the file.
type Whim = fn(path: &str, times: usize) -> Option<Vec<u8>>;

/// A web server of a folder, which ends with the test.
struct Host {
    port: u16,
    asked: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Host {
    fn serve(folder: PathBuf, whim: Whim) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
        let counted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (folder, counted) = (folder.clone(), Arc::clone(&counted));
                thread::spawn(move || answer(stream.unwrap(), &folder, &counted, whim));
            }
        });
        Self { port, asked }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/a/log", self.port)
    }

    fn asked(&self) -> BTreeMap<String, usize> {
        self.asked.lock().unwrap().clone()
    }
}

fn answer(
    mut stream: TcpStream,
    folder: &std::path::Path,
    counted: &Mutex<BTreeMap<String, usize>>,
    whim: Whim,
) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let Some(Ok(first)) = lines.next() else {
        return;
    };
    while lines
        .next()
        .is_some_and(|line| line.is_ok_and(|line| !line.is_empty()))
    {}
    let path = first.split(' ').nth(1).unwrap();
    let path = path
        .strip_prefix("/a/log/")
        .expect("below the URL")
        .to_owned();
    let times = {
        let mut counted = counted.lock().unwrap();
        let times = counted.entry(path.clone()).or_default();
        *times += 1;
        *times
    };
    let answer = whim(&path, times).unwrap_or_else(|| match fs::read(folder.join(&path)) {
        Ok(body) => with_body("200 OK", &body),
        Err(_) => with_body("404 Not Found", b""),
    });
    // Who reads no more has seen enough.
    let _ = stream.write_all(&answer);
}

fn with_body(status: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A log of full tiles on two levels, and of the rest.
fn large() -> Logged {
    let mut logged = Logged::new();
    logged.append(66_000);
    logged
}

fn keys() -> String {
    let [one, two] = signer(ORIGIN, 1).keys().clone();
    format!("--key {one} --key {two}")
}

#[test]
fn each_file_is_fetched_once_whatever_the_number_of_threads() {
    let logged = large();
    for jobs in [1, 3, 32] {
        let host = Host::serve(logged.export.path().join("log"), |_, _| None);
        let line = format!("ledger {} {} --jobs {jobs}", host.url(), keys());
        assert_eq!(problems(&logged, &line), (vec![], 0), "{jobs}");
        let asked = host.asked();
        // 258 bundles with their tiles, two tiles of level 1 and one above.
        assert_eq!(asked.len(), 1 + 2 * 258 + 2 + 1, "{jobs}");
        assert!(asked.values().all(|times| *times == 1), "{jobs}: {asked:?}");
    }
}

#[test]
fn growth_needs_a_few_tiles_only() {
    let logged = large();
    let host = Host::serve(logged.export.path().join("log"), |_, _| None);
    let line = format!(
        "ledger {} {} --checkpoint old.checkpoint --no-fsck",
        host.url(),
        keys()
    );
    assert_eq!(problems(&logged, &line), (vec![], 0));
    assert!(host.asked().len() < 8, "{:?}", host.asked());
    let line = format!(
        "manifest --manifest m.json --bundle m.sigstore.json --key cosign.pub \
         --trusted-root root.json --checkpoint old.checkpoint --ledger {}",
        host.url()
    );
    assert_eq!(problems(&logged, &line), (vec![], 0));
}

#[test]
fn what_fails_for_a_moment_is_asked_again() {
    let logged = Logged::new();
    let host = Host::serve(logged.export.path().join("log"), |path, times| match path {
        "tile/0/000" if times < 3 => Some(with_body("503 Service Unavailable", b"")),
        "tile/entries/000" if times == 1 => Some(Vec::new()),
        // Cut off in the middle.
        "checkpoint" if times == 1 => {
            Some(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nled".to_vec())
        }
        _ => None,
    });
    let line = format!("ledger {} --policy ledger.policy", host.url());
    assert_eq!(problems(&logged, &line), (vec![], 0));
    let asked = host.asked();
    assert_eq!(
        (
            asked["tile/0/000"],
            asked["tile/entries/000"],
            asked["checkpoint"]
        ),
        (3, 2, 2)
    );
}

#[test]
fn a_host_has_only_so_much_patience_and_memory() {
    let logged = Logged::new();
    let whims: [(Whim, &str, i32, &str); 6] = [
        (
            |path, _| (path == "tile/0/000").then(|| with_body("500 Oh", b"")),
            "unreadable tile/0/000",
            2,
            "status 500, 4 times",
        ),
        (
            |path, _| (path == "tile/0/000").then(|| with_body("403 No", b"")),
            "unreadable tile/0/000",
            2,
            "status 403",
        ),
        (
            |path, _| (path == "tile/entries/000").then(|| with_body("404 No", b"")),
            "missing tile/entries/000",
            1,
            "is missing",
        ),
        // A tile has at most 8,192 bytes.
        (
            |path, _| (path == "tile/0/000").then(|| with_body("200 OK", &[0; 8193])),
            "unreadable tile/0/000",
            2,
            "longer than 8192 bytes",
        ),
        (
            |path, _| (path == "checkpoint").then(|| with_body("200 OK", &vec![b'a'; 300_000])),
            "unreadable checkpoint",
            2,
            "longer than 262144 bytes",
        ),
        (
            |_, _| {
                Some(b"HTTP/1.1 302 Found\r\nlocation: /a/log/checkpoint\r\ncontent-length: 0\r\n\r\n".to_vec())
            },
            "unreadable checkpoint",
            2,
            "redirect",
        ),
    ];
    for (whim, expected, exit, why) in whims {
        let host = Host::serve(logged.export.path().join("log"), whim);
        let line = format!(
            "ledger {} --policy ledger.policy --remember seen",
            host.url()
        );
        assert_eq!(problems(&logged, &line), (vec![expected.into()], exit));
        let said = text(&logged.export.run(&line));
        assert!(said.contains(why), "{said}");
        assert!(!logged.export.path().join("seen").exists(), "{expected}");
    }
}

/// What is read first is what is checked.
#[test]
fn a_log_may_grow_meanwhile() {
    let mut logged = Logged::new();
    let old = logged.log.checkpoint().to_owned();
    logged.append(600);
    logged.export.write("log/checkpoint", old.as_bytes());
    // The tile of 44 hashes has become one of 256, and is gone.
    assert!(!logged.export.path().join("log/tile/0/001.p").exists());
    let host = Host::serve(logged.export.path().join("log"), |_, _| None);
    for place in ["log", &host.url()] {
        let line = format!("ledger {place} --policy ledger.policy");
        assert_eq!(problems(&logged, &line), (vec![], 0), "{place}");
    }
}

#[test]
fn a_host_that_is_none_is_said_to_be() {
    let logged = Logged::new();
    let out = logged
        .export
        .run("ledger http://127.0.0.1:1 --policy ledger.policy");
    assert_eq!(code(&out), 2, "{}", text(&out));
    assert!(
        text(&out).contains("`checkpoint` cannot be read"),
        "{}",
        text(&out)
    );
    // Not TLS.
    let host = Host::serve(logged.export.path().join("log"), |_, _| None);
    let url = host.url().replace("http:", "https:");
    logged
        .export
        .write("ca.pem", include_bytes!("../data/ca.pem"));
    let out = logged
        .export
        .run(&format!("ledger {url} --policy ledger.policy --ca ca.pem"));
    assert_eq!(code(&out), 2, "{}", text(&out));
}
