//! The log as files, for anybody.

use ig_ledger::verify::VerifyError;
use serde_json::json;

use super::{ask, leaves, policy, proof, records, tamper, wait};
use crate::databases::Database;

const SDL: &str = "type Query { me: String }";

#[test]
fn anybody_reads_the_log() {
    for database in Database::each() {
        let control = database.start();
        for number in 0..5 {
            let path = format!("/schemas/demo/t{number}");
            assert_eq!(control.call("PUT", &path, SDL).0, 201);
        }
        let size = records(&control).len();
        assert!(size >= 5);
        let leaves = leaves(control.http);
        assert_eq!(leaves.len(), size);
        let policy = policy(control.http, Vec::new());
        for (index, leaf) in (0..).zip(&leaves) {
            let proof = proof(control.http, index);
            assert_eq!(proof.index, index);
            proof.verify(&policy, leaf).unwrap();
            let other = proof.verify(&policy, b"something else");
            assert!(matches!(other, Err(VerifyError::Proof(_))), "{other:?}");
        }
        control.stop().unwrap();
    }
}

#[test]
fn files_have_their_types_and_names() {
    let database = Database::sqlite();
    let control = database.start();
    assert_eq!(control.call("PUT", "/schemas/demo/dev", SDL).0, 201);
    let size = records(&control).len();
    let partial = |width: usize| format!("/ledger/tile/0/000.p/{width}");
    const TEXT: &str = "text/plain; charset=utf-8";
    const BYTES: &str = "application/octet-stream";
    const FOREVER: &str = "public, max-age=31536000, immutable";
    for (path, media_type, cached) in [
        ("/ledger/checkpoint".to_owned(), TEXT, "no-cache"),
        ("/ledger/entries/0/proof".to_owned(), TEXT, "no-cache"),
        (partial(size), BYTES, FOREVER),
        (format!("/ledger/tile/entries/000.p/{size}"), BYTES, FOREVER),
        // One that is narrower than what is there by now.
        (partial(1), BYTES, FOREVER),
    ] {
        let (status, headers, _) = ask(control.http, "GET", &path, b"");
        assert_eq!(status, 200, "{path}");
        assert_eq!(headers["content-type"], media_type, "{path}");
        assert_eq!(headers["cache-control"], cached, "{path}");
    }
    for (path, expected) in [
        (partial(size + 1), 404),
        ("/ledger/tile/0/000".to_owned(), 404),
        ("/ledger/tile/entries/000".to_owned(), 404),
        ("/ledger/tile/1/000.p/1".to_owned(), 404),
        // One spelling of each path.
        ("/ledger/tile/00/000.p/1".to_owned(), 404),
        ("/ledger/tile/0/x000/000.p/1".to_owned(), 404),
        ("/ledger/tile/0/000.p/01".to_owned(), 404),
        ("/ledger/tile/../checkpoint".to_owned(), 404),
        ("/ledger/tile/8/000".to_owned(), 404),
        ("/ledger/tile/".to_owned(), 404),
        (format!("/ledger/tile/{}", "x001/".repeat(40)), 404),
        (format!("/ledger/entries/{size}/proof"), 404),
        ("/ledger/entries/18446744073709551615/proof".to_owned(), 404),
        ("/ledger/entries/18446744073709551616/proof".to_owned(), 400),
        ("/ledger/entries/-1/proof".to_owned(), 400),
    ] {
        let (status, headers, _) = ask(control.http, "GET", &path, b"");
        assert_eq!(status, expected, "{path}");
        assert_eq!(
            headers["content-type"], "application/problem+json",
            "{path}"
        );
    }
    control.stop().unwrap();
}

/// A log that is not the signed one: the control plane starts, says so, proves
/// nothing, and queues what happens until the log is mended.
#[test]
fn a_log_that_cannot_be_opened_is_said() {
    for database in Database::each() {
        let control = database.start();
        let token = control.token.clone();
        for tag in ["a", "b"] {
            let path = format!("/schemas/demo/{tag}");
            assert_eq!(control.call("PUT", &path, SDL).0, 201);
        }
        records(&control);
        control.stop().unwrap();
        tamper(&database.url, "UPDATE ledger_tiles SET level = 7");
        let mut control = database.start();
        control.token = token;
        let (status, said) = control.call("GET", "/readyz", "");
        assert_eq!(status, 503, "{said}");
        let detail = said["detail"].as_str().unwrap();
        assert!(detail.contains("ledger fsck"), "{detail}");
        let (status, ..) = ask(control.http, "GET", "/ledger/entries/0/proof", b"");
        assert_eq!(status, 503);
        assert_eq!(control.call("PUT", "/schemas/demo/next", SDL).0, 201);
        tamper(&database.url, "UPDATE ledger_tiles SET level = 0");
        wait("the log is mended", || {
            (control.call("GET", "/readyz", "").0 == 200).then_some(())
        });
        let records = records(&control);
        assert_eq!(records.last().unwrap()["target"], "demo/next");
        assert_eq!(leaves(control.http).len(), records.len());
        control.stop().unwrap();
    }
}

#[test]
fn it_is_measured() {
    let database = Database::sqlite();
    let control = database.start();
    assert_eq!(control.call("PUT", "/schemas/demo/dev", SDL).0, 201);
    let size = records(&control).len();
    wait("metrics say the size", || {
        let (_, text) = control.call("GET", "/metrics", "");
        let text = text.as_str().unwrap().to_owned();
        let has = |line: &str| text.lines().any(|one| one == line);
        (has(&format!("ig_ledger_size {size}")) && has("ig_ledger_queued 0")).then_some(())
    });
    control.stop().unwrap();
}

/// A snapshot that is published is a leaf: its revision, and nothing of whom it is
/// for.
#[test]
fn what_is_published_is_in_the_ledger() {
    let database = Database::sqlite();
    let control = database.start();
    ig_e2e::fill(|method, path, body| control.call(method, path, body)).unwrap();
    let (status, published) = control.call("POST", "/snapshots/demo", "");
    assert_eq!(status, 200, "{published}");
    let release = json!({"kind": "release/v1", "sha256": published["revision"]}).to_string();
    let until = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64
        + 60_000;
    let break_glass = json!({"until": until, "actions": ["export:*"]});
    let (status, said) = control.call("PUT", "/tenants/alpha/break-glass", break_glass.to_string());
    assert_eq!(status, 204, "{said}");
    records(&control);
    let leaves = leaves(control.http);
    let is = |leaf: &Vec<u8>| leaf == release.as_bytes();
    assert_eq!(leaves.iter().filter(|leaf| is(leaf)).count(), 1);
    let declared = leaves
        .iter()
        .filter(|leaf| leaf.starts_with(br#"{"kind":"break-glass/v1","sha256":""#));
    assert_eq!(declared.count(), 1);
    // Nothing of anybody is in what can never be erased.
    for leaf in &leaves {
        let text = String::from_utf8(leaf.clone()).unwrap();
        for word in ["alpha", "demo", "bootstrap", "export:"] {
            assert!(!text.contains(word), "{text}");
        }
    }
    control.stop().unwrap();
}
