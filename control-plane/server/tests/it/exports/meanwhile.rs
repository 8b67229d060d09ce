//! What ends while an export is under way: nothing is signed after that.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use ig_contract::step_up::Spent;
use serde_json::json;

use super::files::{Upload, body, first, part};
use super::{Stage, of, one, own, relayed};
use crate::databases::Database;
use crate::ledger::{tamper, wait};
use crate::step_up::Answer;

fn files() -> Vec<u8> {
    body(&[first(json!({})), part("a", b"abc"), part("b", b"def")])
}

fn verdict(answer: &Answer) -> (u16, &str) {
    (answer.0, answer.1["reason"].as_str().unwrap_or_default())
}

/// A body of the service that is on its way, for a decision that counts.
fn relaying(stage: &Stage, number: &str, decision: &str) -> Upload {
    let used_for = stage.used_for("ada", decision);
    assert_eq!(stage.bench.spend_for(number, used_for), Spent::First);
    let upload = Upload::begin(stage, &relayed(&stage.service, decision), files());
    assert!(upload.is_awaited());
    upload
}

#[test]
fn a_service_whose_token_is_revoked_meanwhile_exports_nothing() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let (first, second) = (ada.number(), ada.number());
        // One that is asked for again: what was made is not told either.
        let used_for = stage.used_for("ada", "decision-1");
        assert_eq!(stage.bench.spend_for(&first, used_for), Spent::First);
        let headers = relayed(&stage.service, "decision-1");
        assert_eq!(Upload::begin(&stage, &headers, files()).end().0, 201);
        let again = Upload::begin(&stage, &headers, files());
        assert!(again.is_awaited());
        let upload = relaying(&stage, &second, "decision-2");
        let revoked = stage.bench.control.call("DELETE", "/tokens/upstream", "");
        assert_eq!(revoked.0, 204);
        for upload in [upload, again] {
            let answer = upload.end();
            assert_eq!(answer.0, 401, "{answer:?}");
        }
        assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), 1);
        stage.bench.control.stop().unwrap();
    }
}

#[test]
fn who_is_suspended_meanwhile_exports_nothing() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let (number, proof) = (ada.number(), ada.proof());
        let upload = relaying(&stage, &number, "decision-1");
        let headers = own(&ada.person.header, &proof, "k");
        let direct = Upload::begin(&stage, &headers, files());
        assert!(direct.is_awaited());
        assert_eq!(ada.person.set_active(false), 200);
        assert_eq!(verdict(&upload.end()), (403, "suspended"));
        assert_eq!(verdict(&direct.end()), (403, "suspended"));
        assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), 0);
        stage.bench.control.stop().unwrap();
    }
}

#[test]
fn a_tenant_that_is_deleted_meanwhile_exports_nothing() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let (number, proof) = (ada.number(), ada.proof());
        let upload = relaying(&stage, &number, "decision-1");
        let headers = own(&ada.person.header, &proof, "k");
        let direct = Upload::begin(&stage, &headers, files());
        assert!(direct.is_awaited());
        let control = &stage.bench.control;
        assert_eq!(control.call("DELETE", "/tenants/alpha", "").0, 204);
        // A later one of the name is another.
        let region = r#"{"region": "eu-west-1"}"#;
        assert_eq!(control.call("PUT", "/tenants/alpha", region).0, 204);
        assert_eq!(verdict(&upload.end()), (403, "tenant-unknown"));
        let direct = direct.end();
        assert_eq!(direct.0, 403, "{direct:?}");
        assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), 0);
        stage.bench.control.stop().unwrap();
    }
}

/// Many ask, and the token is revoked in the midst of it: once that is answered, no
/// export comes any more.
#[test]
fn no_export_comes_after_the_token_was_revoked() {
    const CLIENTS: usize = 8;
    const EACH: usize = 40;
    for database in Database::each() {
        let stage = Stage::start(&database);
        let ada = stage.analyst("ada", 3);
        super::rate::used(&stage, &ada.person.id, CLIENTS * EACH);
        let made = AtomicUsize::new(0);
        let (stage, made) = (&stage, &made);
        let at_the_end = thread::scope(|scope| {
            for client in 0..CLIENTS {
                scope.spawn(move || {
                    for number in 0..EACH {
                        let decision = format!("decision-{}", client * EACH + number);
                        match stage.relay_of(&decision, &[], &of(1)).0 {
                            201 => made.fetch_add(1, Ordering::SeqCst),
                            401 => return,
                            status => panic!("{status}"),
                        };
                    }
                });
            }
            while made.load(Ordering::SeqCst) < CLIENTS {
                thread::yield_now();
            }
            let control = &stage.bench.control;
            assert_eq!(control.call("DELETE", "/tokens/upstream", "").0, 204);
            stage.bench.count("SELECT COUNT(*) FROM exports")
        });
        let later = stage.bench.count("SELECT COUNT(*) FROM exports");
        assert_eq!(later, at_the_end);
        assert!((at_the_end as usize) < CLIENTS * EACH, "it was too late");
    }
}

/// A log that cannot be appended to: who asks is told so, and not to ask again in a
/// moment; and nothing new is signed, nor a proof used.
#[test]
fn nothing_is_signed_while_the_ledger_is_closed() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let (first, second) = (ada.proof(), ada.proof());
        let ask = |proof: &str, key: &str| stage.post(&own(&ada.person.header, proof, key), &one());
        tamper(
            &database.url,
            "UPDATE ledger_log SET checkpoint = checkpoint || 'x'",
        );
        let (status, said) = ask(&first, "k-1");
        assert_eq!(status, 503, "{said}");
        let detail = said["detail"].as_str().unwrap();
        assert!(detail.contains("ledger fsck"), "{detail}");
        let made = stage.bench.count("SELECT COUNT(*) FROM exports");
        let (status, said) = ask(&second, "k-2");
        assert_eq!(status, 503, "{said}");
        assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), made);
        tamper(
            &database.url,
            "UPDATE ledger_log SET checkpoint = substr(checkpoint, 1, length(checkpoint) - 1)",
        );
        wait("the log is mended", || {
            (stage.bench.control.call("GET", "/readyz", "").0 == 200).then_some(())
        });
        for (proof, key) in [(&first, "k-1"), (&second, "k-2")] {
            let (status, made) = ask(proof, key);
            assert_eq!(status, 201, "{made}");
            super::verify(&stage, &made);
        }
        stage.bench.control.stop().unwrap();
    }
}
