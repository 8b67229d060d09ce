//! The same request at the same time, and again: one export.

use std::collections::BTreeSet;
use std::thread;

use ig_contract::step_up::Spent;
use serde_json::Value;

use super::{Stage, one, own, verify};
use crate::databases::Database;

const CLIENTS: usize = 16;

/// Asks until nobody else is under way, and gives the id of the export.
fn until_made(ask: impl Fn() -> (u16, Value)) -> String {
    loop {
        let (status, answer) = ask();
        match status {
            201 => return answer["exportId"].as_str().unwrap().to_owned(),
            409 => thread::yield_now(),
            _ => panic!("{status} {answer}"),
        }
    }
}

#[test]
fn sixteen_clients_with_one_key_make_one_export() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let proof = ada.proof();
        let (stage, header, proof) = (&stage, ada.person.header.as_str(), proof.as_str());
        let ids: BTreeSet<String> = thread::scope(|scope| {
            let ask = move || until_made(|| stage.post(&own(header, proof, "k"), &one()));
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(ask)).collect();
            clients.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(ids.len(), 1);
        assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), 1);
        assert_eq!(stage.bench.audited("export.create"), 1);
    }
}

/// Each with a key of its own: the proof, or the decision, is one.
#[test]
fn sixteen_keys_for_one_proof_make_one_export() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let proof = ada.proof();
        let number = ada.number();
        let used_for = stage.used_for("ada", "decision-1");
        assert_eq!(stage.bench.spend_for(&number, used_for), Spent::First);
        let (stage, header, proof) = (&stage, ada.person.header.as_str(), proof.as_str());
        let made = thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    scope.spawn(move || {
                        let key = format!("k-{client}");
                        match client % 2 {
                            0 => stage.post(&own(header, proof, &key), &one()).0,
                            _ => stage.relay("decision-1", &[("idempotency-key", &key)]).0,
                        }
                    })
                })
                .collect();
            let statuses = clients.into_iter().map(|one| one.join().unwrap());
            statuses.filter(|status| *status == 201).count()
        });
        // One of the user's own, one of the service's.
        assert_eq!(made, 2);
        assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), 2);
    }
}

/// Two replicas on one database: the second answers with what the first made.
#[test]
fn another_replica_gives_the_same_answer() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let stage = Stage::start(&database);
    let other = database.start();
    let mut ada = stage.analyst("ada", 3);
    let proof = ada.proof();
    let (stage, header, proof) = (&stage, ada.person.header.as_str(), proof.as_str());
    let at_other = || {
        let headers = own(header, proof, "k");
        other.call_with(&headers, "POST", "/exports", one().to_string())
    };
    let ids: BTreeSet<String> = thread::scope(|scope| {
        let first = scope.spawn(|| until_made(|| stage.post(&own(header, proof, "k"), &one())));
        let second = scope.spawn(|| until_made(at_other));
        [first, second].map(|one| one.join().unwrap()).into()
    });
    assert_eq!(ids.len(), 1);
    assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), 1);
    other.stop().unwrap();
}

/// What was committed before a crash, and never answered, is what is answered.
#[test]
fn a_retry_after_a_crash_gets_the_same_export() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let proof = ada.proof();
        let headers = own(&ada.person.header, &proof, "k");
        let (status, made) = stage.post(&headers, &one());
        assert_eq!(status, 201, "{made}");
        // As if it had stopped before it asked the ledger.
        stage
            .bench
            .sql("UPDATE exports SET ledger_index = NULL, ledger_proof = NULL");
        let (status, again) = stage.post(&headers, &one());
        assert_eq!(status, 201, "{again}");
        assert_eq!(again["exportId"], made["exportId"]);
        assert_eq!(again["ledger"]["index"], made["ledger"]["index"]);
        verify(&stage, &again);
        assert_eq!(stage.bench.count("SELECT COUNT(*) FROM exports"), 1);
        stage.bench.control.stop().unwrap();
    }
}
