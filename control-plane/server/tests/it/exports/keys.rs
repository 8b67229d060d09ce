//! Keys of exports: the next one, those before, and those in files.

use ig_control_plane::{Config, ExportsConfig};
use ig_e2e::ControlPlane;
use ig_signing::{Password, PrivateKey};
use serde_json::Value;

use super::{Stage, one, own, verify};
use crate::databases::Database;

fn keys(control: &ControlPlane) -> Vec<Value> {
    let (status, keys) = control.call_as(None, "GET", "/exports/keys", "");
    assert_eq!(status, 200);
    assert!(!keys.to_string().contains("PRIVATE"), "{keys}");
    keys.as_array().unwrap().clone()
}

#[test]
fn what_a_key_signed_verifies_after_the_next_one() {
    for database in Database::each() {
        let stage = Stage::start(&database);
        let mut ada = stage.analyst("ada", 3);
        let mut made = Vec::new();
        for round in 0..3 {
            let key = format!("k-{round}");
            let proof = ada.proof();
            let (status, one) = stage.post(&own(&ada.person.header, &proof, &key), &one());
            assert_eq!(status, 201, "{one}");
            made.push(one);
            let (status, next) = stage.bench.control.call("POST", "/exports/keys", "");
            assert_eq!(status, 201, "{next}");
            let all = keys(&stage.bench.control);
            assert_eq!(all[0], next);
            assert!(all[1..].iter().all(|key| key["retiredAt"].is_i64()));
        }
        let all = keys(&stage.bench.control);
        assert_eq!(all.len(), 4);
        for one in &made {
            verify(&stage, one);
        }
        let used: Vec<_> = made.iter().map(|one| &one["keyId"]).collect();
        assert!(used[0] != used[1] && used[1] != used[2] && used[0] != used[2]);
        assert_eq!(stage.bench.audited("export-key.rotate"), 3);
        // Nowhere in the database is a key to be read.
        let sealed: String = stage.bench.query("SELECT sealed FROM export_keys").unwrap();
        assert!(!sealed.contains("BEGIN"));
        stage.bench.control.stop().unwrap();
    }
}

/// Two replicas agree on the key, whoever changes it.
#[test]
fn replicas_sign_with_the_same_key() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let stage = Stage::start(&database);
    let other = database.start();
    assert_eq!(keys(&other), keys(&stage.bench.control));
    let (status, next) = stage.bench.control.call("POST", "/exports/keys", "");
    assert_eq!(status, 201);
    let mut ada = stage.analyst("ada", 3);
    let proof = ada.proof();
    let headers = own(&ada.person.header, &proof, "k");
    let made = other.call_with(&headers, "POST", "/exports", one().to_string());
    assert_eq!((made.0, &made.1["keyId"]), (201, &next["keyId"]));
    other.stop().unwrap();
}

#[test]
fn a_key_in_a_file_signs_until_another_does() {
    for database in Database::each() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let write = |name: &str| {
            let key = PrivateKey::generate().unwrap();
            let password = Password::new(b"secret".to_vec());
            std::fs::write(at(name), key.to_encrypted_pem(&password).unwrap()).unwrap();
            key.public().key_id()
        };
        let (first, second) = (write("first.key"), write("second.key"));
        let start = |name: &str| {
            let exports = ExportsConfig {
                key: Some(at(name).into()),
                password: Some("secret".parse().unwrap()),
                ..ExportsConfig::default()
            };
            ControlPlane::start(Config {
                exports,
                ..database.config()
            })
        };
        let control = start("first.key").unwrap();
        let owner = format!("Bearer {}", control.token.as_ref().unwrap());
        assert_eq!(keys(&control)[0]["keyId"], first.as_str());
        assert_eq!(control.call("POST", "/exports/keys", "").0, 409);
        control.stop().unwrap();
        start("second.key").unwrap().stop().unwrap();
        // It was retired: whoever has it back by mistake is told.
        let error = start("first.key").err().unwrap();
        assert!(format!("{error:#}").contains("retired"), "{error:#}");
        let control = start("second.key").unwrap();
        let ids: Vec<_> = keys(&control)
            .iter()
            .map(|key| key["keyId"].clone())
            .collect();
        assert_eq!(ids, [second.as_str(), first.as_str()]);
        let (_, audit) = control.call_as(Some(&owner), "GET", "/audit?limit=1000", "");
        let entries = audit["items"].as_array().unwrap().iter();
        let changes = entries.filter(|one| one["action"] == "export-key.configure");
        let changes: Vec<_> = changes.map(|one| one["target"].clone()).collect();
        assert_eq!(changes, [second.as_str(), first.as_str()]);
        control.stop().unwrap();
        // Without a file nothing is taken over unasked.
        let control = database.start();
        assert_eq!(keys(&control)[0]["keyId"], second.as_str());
        control.stop().unwrap();
    }
}
