//! The ledger over HTTP: as anybody reads it, and what it says of the audit trail.

mod audit;
mod keys;
mod kill;
mod routes;
mod witness;

pub(crate) use kill::Killed;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ig_e2e::ControlPlane;
use ig_ledger::fsck;
use ig_ledger::layout::Resource;
use ig_ledger::storage::Files;
use ig_ledger::verify::{Policy, Proof, VerifierKey};
use serde_json::Value;

/// Status, headers and bytes of a call without a token.
pub(crate) fn ask(
    http: SocketAddr,
    method: &str,
    path: &str,
    body: &[u8],
) -> (u16, ureq::http::HeaderMap, Vec<u8>) {
    let agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .build()
        .new_agent();
    let request = ureq::http::Request::builder()
        .method(method)
        .uri(format!("http://{http}{path}"))
        .body(body)
        .unwrap();
    let mut answer = agent.run(request).unwrap();
    let bytes = answer
        .body_mut()
        .with_config()
        .limit(64 << 20)
        .read_to_vec();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, bytes.unwrap())
}

/// The log's files, as HTTP has them.
pub(crate) struct OverHttp(pub(crate) SocketAddr);

impl Files for OverHttp {
    fn read(&self, resource: Resource) -> io::Result<Option<Vec<u8>>> {
        match ask(self.0, "GET", &format!("/ledger/{resource}"), b"") {
            (200, _, bytes) => Ok(Some(bytes)),
            (404, ..) => Ok(None),
            other => Err(io::Error::other(format!("{other:?}"))),
        }
    }
}

/// The keys that the control plane says.
pub(crate) fn keys(http: SocketAddr) -> Value {
    let (status, _, bytes) = ask(http, "GET", "/ledger/keys", b"");
    assert_eq!(status, 200);
    serde_json::from_slice(&bytes).unwrap()
}

pub(crate) fn policy(http: SocketAddr, witnesses: Vec<VerifierKey>) -> Policy {
    let keys = keys(http);
    let own = keys["keys"].as_array().unwrap().iter();
    let own = own.map(|key| key.as_str().unwrap().parse().unwrap());
    let quorum = witnesses.len();
    let origin = keys["origin"].as_str().unwrap().parse().unwrap();
    Policy::new(origin, own.collect(), witnesses, quorum).unwrap()
}

/// All leaves, once the whole log was checked.
pub(crate) fn leaves(http: SocketAddr) -> Vec<Vec<u8>> {
    let mut leaves = Vec::new();
    fsck(
        &OverHttp(http),
        &policy(http, Vec::new()),
        &[],
        |index, leaf| {
            assert_eq!(index as usize, leaves.len());
            leaves.push(leaf.to_vec());
        },
    )
    .unwrap();
    leaves
}

pub(crate) fn proof(http: SocketAddr, index: u64) -> Proof {
    let path = format!("/ledger/entries/{index}/proof");
    let (status, _, bytes) = ask(http, "GET", &path, b"");
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&bytes));
    Proof::parse(&bytes).unwrap()
}

/// Tries until there is something; nothing here takes long.
pub(crate) fn wait<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// All records of the audit trail, the first one first, once the ledger has them.
pub(crate) fn records(control: &ControlPlane) -> Vec<Value> {
    wait("the ledger has all records", || {
        let mut all = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/audit?limit=1000{cursor}");
            let (status, page) = control.call("GET", &path, "");
            assert_eq!(status, 200, "{page}");
            all.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        all.reverse();
        let is_there = |record: &Value| record["ledgerIndex"].is_u64();
        all.iter().all(is_there).then_some(all)
    })
}

/// Runs SQL as somebody who has the database.
pub(crate) fn tamper(url: &str, sql: &str) {
    use sqlx::Connection as _;
    sqlx::any::install_default_drivers();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
}
