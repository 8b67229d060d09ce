//! What tokens count for, and until when.

use ig_contract::step_up::Spent;
use serde_json::json;

use super::{Bench, export, key, reason, seconds};
use crate::databases::Database;

#[test]
fn a_passkey_gives_tokens_that_count_once() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut key = key(3);
        let (status, said) = ada.post("/webauthn/authentication/options", &export(), None);
        assert_eq!(status, 409, "{said}");
        assert!(said["detail"].as_str().unwrap().contains("add one first"));
        ada.add(&mut key);
        let (token, id) = ada.token(&mut key, &export());
        assert!(token.starts_with("ey"));
        assert_eq!(bench.spend(&id), Spent::First);
        assert_eq!(bench.spend(&id), Spent::Again);
        assert_eq!(bench.spend("none"), Spent::Over);
        assert_eq!(bench.audited("passkey.add"), 1);
        assert_eq!(bench.audited("step-up.grant"), 1);
        // One of another graph, which this one knows nothing of.
        let (_, own) = ada.token(&mut key, &json!({"actions": ["passkey:add"]}));
        assert_eq!(bench.spend(&own), Spent::Over);
        bench.control.stop().unwrap();
    }
}

/// Of a crowd that uses one token, one has it.
#[test]
fn one_of_many_uses_a_token() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut key = key(3);
        ada.add(&mut key);
        let (_, id) = ada.token(&mut key, &export());
        let uses = std::thread::scope(|scope| {
            let id = &id;
            let bench = &bench;
            let uses: Vec<_> = (0..30)
                .map(|_| scope.spawn(move || bench.spend(id)))
                .collect();
            uses.into_iter()
                .map(|one| one.join().unwrap())
                .collect::<Vec<_>>()
        });
        let count = |spent: Spent| uses.iter().filter(|one| **one == spent).count();
        assert_eq!((count(Spent::First), count(Spent::Again)), (1, 29));
        bench.control.stop().unwrap();
    }
}

#[test]
fn a_token_dies_with_its_session_and_its_user() {
    let suspend = |active: bool| json!([{"op": "replace", "path": "active", "value": active}]);
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        ada.add(&mut own);
        let (_, id) = ada.token(&mut own, &export());
        assert_eq!(ada.post("/step-up/end", &json!({}), None).0, 204);
        assert_eq!(bench.spend(&id), Spent::Over);
        // The next one counts, though it may be of the same second.
        let (_, id) = ada.token(&mut own, &export());
        assert_eq!(bench.spend(&id), Spent::First);
        let (_, id) = ada.token(&mut own, &export());
        let begun = ada.begin(&export());
        let path = format!("/Users/{}", ada.id);
        assert_eq!(bench.scim.patch(&path, &suspend(false)).status, 200);
        assert_eq!(bench.spend(&id), Spent::Over);
        assert_eq!(ada.end(&begun, &own.get(&begun["publicKey"])).0, 401);
        // Coming back does not bring it back.
        assert_eq!(bench.scim.patch(&path, &suspend(true)).status, 200);
        assert_eq!(bench.spend(&id), Spent::Over);
        let answer = ada.end(&begun, &own.get(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, "ceremony"));
        let (_, id) = ada.token(&mut own, &export());
        assert_eq!(bench.scim.delete(&path).status, 204);
        assert_eq!(bench.spend(&id), Spent::Over);
        // Whoever comes after is somebody else, without a passkey.
        let next = bench.person("ada");
        let (status, _) = next.post("/webauthn/authentication/options", &export(), None);
        assert_eq!(status, 409);
        bench.control.stop().unwrap();
    }
}

/// Whoever ends a session again and again does not date the next proof into the
/// future.
#[test]
fn a_proof_is_of_now_however_often_tokens_ended() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        ada.add(&mut own);
        for _ in 0..20 {
            assert_eq!(ada.post("/step-up/end", &json!({}), None).0, 204);
        }
        let (status, granted) = ada.prove(&mut own, &export());
        assert_eq!(status, 200, "{granted}");
        assert!(granted["expiresAt"].as_u64().unwrap() <= seconds() + 121);
        assert_eq!(bench.spend(granted["id"].as_str().unwrap()), Spent::First);
        bench.control.stop().unwrap();
    }
}

/// A replica whose clock is ahead dates tokens ahead; they end all the same.
#[test]
fn tokens_of_a_clock_that_is_ahead_end_too() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        ada.add(&mut own);
        // Those of a user's first second are ahead as it is.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let (_, id) = ada.token(&mut own, &export());
        bench.sql("UPDATE step_up_tokens SET made_at = made_at + 4, ends_at = ends_at + 4");
        assert_eq!(ada.post("/step-up/end", &json!({}), None).0, 204);
        assert_eq!(bench.spend(&id), Spent::Over);
        // The next one is of after that.
        let (_, id) = ada.token(&mut own, &export());
        assert_eq!(bench.spend(&id), Spent::First);
        bench.control.stop().unwrap();
    }
}
