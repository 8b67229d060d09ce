//! A tenant's policy holds for each proof, not only for adding.

use ig_e2e::{Authenticator, Maker, flags};
use serde_json::{Value, json};

use super::{Bench, export, key, reason};
use crate::databases::Database;

fn attested(makers: &[(&Maker, u8)]) -> Value {
    let authorities: Vec<Value> = makers
        .iter()
        .map(|(maker, model)| {
            let model = uuid::Uuid::from_bytes([*model; 16]);
            json!({"certificate": maker.pem, "models": [model]})
        })
        .collect();
    json!({"attestation": {"policy": "attested", "authorities": authorities}})
}

fn made_by(maker: &Maker, seed: u8) -> Authenticator {
    let mut made = key(seed);
    made.maker = Some(maker.clone());
    made
}

#[test]
fn proofs_are_held_to_the_policy_of_now() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let (acme, other) = (
            Maker::new("acme", 1).unwrap(),
            Maker::new("other", 2).unwrap(),
        );
        let (ada, bob) = (bench.person("ada"), bench.person("bob"));
        let mut plain = key(4);
        bob.add(&mut plain);
        bench.put_identity(attested(&[(&acme, 1)]));
        // Of another maker, or another model of this one.
        for (maker, model) in [(&other, 2), (&acme, 9)] {
            let mut wrong = made_by(maker, 5);
            wrong.maker.as_mut().unwrap().model = [model; 16];
            let (_, begun) = ada.begin_adding(None);
            let answer = ada.end_adding(&begun, &wrong.create(&begun["publicKey"]));
            assert_eq!(reason(&answer), (403, "attestation"), "{}", answer.1);
        }
        let mut own = made_by(&acme, 3);
        ada.add(&mut own);
        let strength = |key: &mut Authenticator| {
            let (status, granted) = ada.prove(key, &export());
            assert_eq!(status, 200, "{granted}");
            granted["acr"].as_str().unwrap().to_owned()
        };
        assert_eq!(strength(&mut own), "phrh");
        bench.put_identity(attested(&[(&other, 2), (&acme, 1)]));
        assert_eq!(strength(&mut own), "phrh");
        // One that was added before gives no proof but to add one that is taken.
        let begun = bob.post("/webauthn/authentication/options", &export(), None);
        assert_eq!(reason(&begun), (403, "attestation"), "{}", begun.1);
        let (token, _) = bob.token(&mut plain, &json!({"actions": ["passkey:add"]}));
        let (_, begun) = bob.begin_adding(Some(&token));
        let answer = bob.end_adding(&begun, &key(6).create(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, "attestation"), "{}", answer.1);
        let mixed = json!({"actions": ["passkey:add", "passkey:remove"]});
        let begun = bob.post("/webauthn/authentication/options", &mixed, None);
        assert_eq!(reason(&begun), (403, "attestation"), "{}", begun.1);
        let of_graph = json!({"graph": "demo", "actions": ["passkey:add"]});
        let begun = bob.post("/webauthn/authentication/options", &of_graph, None);
        assert_eq!(reason(&begun), (403, "attestation"), "{}", begun.1);
        // Its model, or its maker, is not taken any more; also in the midst of it.
        for now in [&[(&acme, 9), (&other, 2)][..], &[(&other, 1)]] {
            bench.put_identity(attested(&[(&acme, 1)]));
            let begun = ada.begin(&export());
            bench.put_identity(attested(now));
            let answer = ada.end(&begun, &own.get(&begun["publicKey"]));
            assert_eq!(reason(&answer), (403, "attestation"), "{}", answer.1);
            let begun = ada.post("/webauthn/authentication/options", &export(), None);
            assert_eq!(reason(&begun), (403, "attestation"), "{}", begun.1);
        }
        // Where nobody is asked to vouch, nobody does.
        bench.put_identity(json!({}));
        assert_eq!(strength(&mut own), "phr");
        bench.control.stop().unwrap();
    }
}

/// What stays on its device does not begin to be copied; where the tenant takes any,
/// a passkey may.
#[test]
fn what_stays_on_its_device_stays_there() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let acme = Maker::new("acme", 1).unwrap();
        let bound = json!({"attestation": {"policy": "device-bound"}});
        let policies = [(bound, None), (attested(&[(&acme, 1)]), Some(acme.clone()))];
        for (seed, (policy, maker)) in (3..).zip(policies) {
            bench.put_identity(policy);
            let user = bench.person(&format!("user-{seed}"));
            let mut own = key(seed);
            own.maker = maker;
            user.add(&mut own);
            user.token(&mut own, &export());
            for more in [
                flags::BACKUP_ELIGIBLE,
                flags::BACKED_UP,
                flags::BACKUP_ELIGIBLE | flags::BACKED_UP,
            ] {
                let mut copied = own.clone();
                copied.flags |= more;
                let answer = user.prove(&mut copied, &export());
                assert_eq!(reason(&answer), (403, "backup"), "{more}: {}", answer.1);
            }
            user.token(&mut own, &export());
            // Attested once is attested: also where that is not asked for any more.
            if own.maker.is_some() {
                bench.put_identity(json!({}));
                let mut copied = own.clone();
                copied.flags |= flags::BACKUP_ELIGIBLE;
                let answer = user.prove(&mut copied, &export());
                assert_eq!(reason(&answer), (403, "backup"), "{}", answer.1);
            }
        }
        bench.put_identity(json!({}));
        let mut own = key(9);
        ada.add(&mut own);
        own.flags |= flags::BACKUP_ELIGIBLE;
        ada.token(&mut own, &export());
        bench.put_identity(json!({"attestation": {"policy": "device-bound"}}));
        let begun = ada.post("/webauthn/authentication/options", &export(), None);
        assert_eq!(reason(&begun), (403, "device-bound"), "{}", begun.1);
        bench.control.stop().unwrap();
    }
}
