//! The control plane is killed in the middle of exports, again and again.
//! `IG_EXPORTS=10000` makes as many as that.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use ig_control_plane::check_ledger;
use serde_json::{Value, json};

use super::rate::used;
use super::{Stage, of, relayed};
use crate::databases::Database;
use crate::ledger::{Killed, ask, wait};

const CLIENTS: usize = 16;
const KILLS: usize = 20;
const EXPORTS: usize = 500;

/// How many exports are made.
pub(super) fn count() -> usize {
    std::env::var("IG_EXPORTS").map_or(EXPORTS, |said| said.parse().unwrap())
}

/// What a client keeps of an export: that is all it has to find it again by.
fn receipt(made: &Value) -> Value {
    let entry = &made["bundle"]["verificationMaterial"]["tlogEntries"][0];
    json!({
        "exportId": made["exportId"], "index": made["ledger"]["index"],
        "proof": made["ledger"]["proof"], "entry": entry["canonicalizedBody"],
    })
}

/// Asks until it is made, whoever answers meanwhile, or nobody.
fn export(
    http: &Mutex<SocketAddr>,
    service: &str,
    number: usize,
    kills: &AtomicUsize,
    interrupted: &AtomicUsize,
) -> Value {
    let decision = format!("decision-{number}");
    // Equal manifests would be equal leaves.
    let mut body = of(3);
    body["items"][0]["id"] = json!(decision);
    let body = body.to_string();
    loop {
        let url = format!("http://{}", http.lock().unwrap());
        let headers = relayed(service, &decision);
        let before = kills.load(Ordering::SeqCst);
        match ig_e2e::call(&url, &headers, "POST", "/exports", body.as_bytes()) {
            Ok((201, made)) => return receipt(&made),
            // Nobody is there.
            Err(_) => {
                // Somebody was, when it was sent.
                if kills.load(Ordering::SeqCst) > before {
                    interrupted.fetch_add(1, Ordering::Relaxed);
                }
                thread::sleep(Duration::from_millis(5));
            }
            // It is being answered, or the ledger is late.
            Ok((409 | 503, _)) => thread::sleep(Duration::from_millis(5)),
            Ok((status, said)) => panic!("{decision}: {status} {said}"),
        }
    }
}

fn checkpoint(http: SocketAddr) -> String {
    let (status, _, bytes) = ask(http, "GET", "/ledger/checkpoint", b"");
    assert_eq!(status, 200);
    String::from_utf8(bytes).unwrap()
}

/// A reader without any code of ours looks at the log's files.
fn read_independently(http: SocketAddr, receipts: &[Value], checkpoints: &[String]) {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept.json");
    let said = json!({"receipts": receipts, "checkpoints": checkpoints});
    std::fs::write(&kept, said.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/interop/bin/exports.js");
    let ran = Command::new("node")
        .arg(script)
        .args([&format!("http://{http}"), folder.path().to_str().unwrap()])
        .arg(kept)
        .output();
    match ran {
        Err(missing) => {
            assert!(std::env::var_os("CI").is_none(), "node: {missing}");
            eprintln!("SKIPPED: nobody else read the log; node: {missing}");
        }
        Ok(ran) => {
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert!(ran.status.success(), "{said}");
            println!("{}", String::from_utf8_lossy(&ran.stdout));
        }
    }
}

#[test]
fn every_acknowledged_export_is_in_the_ledger_once() {
    let total = count();
    for database in Database::each() {
        let stage = Stage::start(&database);
        let user = stage.analyst("ada", 3).person.id.clone();
        used(&stage, &user, total);
        let service = stage.service.clone();
        stage.bench.control.stop().unwrap();
        let mut running = vec![Killed::start(&database.url)];
        let http = Mutex::new(running[0].http);
        let (next, receipts) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
        let mut checkpoints = vec![checkpoint(running[0].http)];
        let (kills, interrupted) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..CLIENTS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= total {
                            return;
                        }
                        let receipt = export(&http, &service, number, &kills, &interrupted);
                        receipts.lock().unwrap().push(receipt);
                    }
                });
            }
            for kill in 1..=KILLS {
                let enough = total * kill / (KILLS + 1);
                wait("enough is acknowledged", || {
                    (receipts.lock().unwrap().len() >= enough).then_some(())
                });
                // Somewhere in what it does next.
                thread::sleep(Duration::from_micros(1_700 * kill as u64));
                kills.fetch_add(1, Ordering::SeqCst);
                running.clear();
                let next = Killed::start(&database.url);
                *http.lock().unwrap() = next.http;
                checkpoints.push(checkpoint(next.http));
                running.push(next);
            }
        });
        let receipts = receipts.into_inner().unwrap();
        assert_eq!(receipts.len(), total);
        assert!(interrupted.into_inner() >= KILLS, "kills met no request");
        read_independently(running[0].http, &receipts, &checkpoints);
        running.clear();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let checked = runtime.block_on(check_ledger(&database.config(), None));
        let checked = checked.unwrap();
        // Each has an entry of its own, beside that of its audit record; two are of
        // snapshots that were published.
        assert_eq!(checked.entries, checked.records + total as u64 + 2);
    }
}
