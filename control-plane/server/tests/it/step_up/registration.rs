//! Which passkeys are added, and by whom.

use ig_e2e::{Authority, flags};
use serde_json::json;

use super::{Bench, Person, key, reason, seconds};
use crate::databases::Database;

#[test]
fn a_passkey_is_added_after_a_fresh_login_or_a_proof() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        for at in [
            json!(null),
            json!(seconds() - 400),
            json!(seconds() + 60),
            json!("now"),
        ] {
            let stale = ada.with(&json!({"auth_time": at}), "ada");
            let answer = stale.begin_adding(None);
            assert_eq!(reason(&answer), (401, "stale-login"), "{at}");
        }
        let mut own = key(3);
        ada.add(&mut own);
        // From now on with a proof only, for this and nothing else.
        let answer = ada.begin_adding(None);
        assert_eq!(reason(&answer), (401, "step-up-required"));
        let add = json!({"actions": ["passkey:add"]});
        let (other, _) = ada.token(&mut own, &json!({"actions": ["passkey:remove"]}));
        let answer = ada.begin_adding(Some(&other));
        assert_eq!(reason(&answer), (401, "step-up-action"));
        let (of_graph, _) = ada.token(
            &mut own,
            &json!({"graph": "demo", "actions": ["passkey:add"]}),
        );
        let answer = ada.begin_adding(Some(&of_graph));
        assert_eq!(reason(&answer), (401, "step-up-invalid"));
        let (token, _) = ada.token(&mut own, &add);
        let bob = bench.person("bob");
        let mut bobs = key(9);
        bob.add(&mut bobs);
        let answer = bob.begin_adding(Some(&token));
        assert_eq!(reason(&answer), (401, "step-up-subject"));
        let (status, begun) = ada.begin_adding(Some(&token));
        assert_eq!(status, 200, "{begun}");
        let answer = ada.begin_adding(Some(&token));
        assert_eq!(reason(&answer), (401, "step-up-used"));
        // A credential that somebody has already.
        let answer = ada.end_adding(&begun, &bobs.create(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, "passkey"), "{}", answer.1);
        let (token, _) = ada.token(&mut own, &add);
        let (_, begun) = ada.begin_adding(Some(&token));
        let (status, second) = ada.end_adding(&begun, &key(4).create(&begun["publicKey"]));
        assert_eq!(status, 201, "{second}");
        let list = bench
            .control
            .call_as(Some(&ada.header), "GET", "/webauthn/passkeys", "");
        assert_eq!(list.1.as_array().unwrap().len(), 2);
        // Taking one away needs a proof, too, and is for one's own.
        let path = format!("/webauthn/passkeys/{}", second["id"].as_str().unwrap());
        let remove = |who: &Person<'_>, token: Option<&str>| {
            let mut headers = vec![("authorization", who.header.as_str())];
            headers.extend(token.map(|token| ("x-ig-step-up", token)));
            bench.control.call_with(&headers, "DELETE", &path, "")
        };
        assert_eq!(reason(&remove(&ada, None)), (401, "step-up-required"));
        let intent = json!({"actions": ["passkey:remove"]});
        let (token, _) = bob.token(&mut bobs, &intent);
        assert_eq!(remove(&bob, Some(&token)).0, 404);
        let (token, _) = ada.token(&mut own, &intent);
        assert_eq!(remove(&ada, Some(&token)).0, 204);
        bench.control.stop().unwrap();
    }
}

/// Of two that begin as the first, one is.
#[test]
fn two_first_passkeys_are_one() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let begun: Vec<_> = (0..4).map(|_| ada.begin_adding(None).1).collect();
        let statuses = std::thread::scope(|scope| {
            let ends: Vec<_> = begun
                .iter()
                .zip(1..)
                .map(|(begun, seed)| {
                    let credential = key(seed).create(&begun["publicKey"]);
                    let ada = &ada;
                    scope.spawn(move || ada.end_adding(begun, &credential).0)
                })
                .collect();
            ends.into_iter()
                .map(|one| one.join().unwrap())
                .collect::<Vec<_>>()
        });
        assert_eq!(
            statuses.iter().filter(|status| **status == 201).count(),
            1,
            "{statuses:?}"
        );
        bench.control.stop().unwrap();
    }
}

#[test]
fn a_tenant_says_which_passkeys_it_takes() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    bench.put_identity(json!({"attestation": {"policy": "device-bound"}}));
    let ada = bench.person("ada");
    let (_, begun) = ada.begin_adding(None);
    let mut synced = key(3);
    synced.flags |= flags::BACKUP_ELIGIBLE | flags::BACKED_UP;
    let answer = ada.end_adding(&begun, &synced.create(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "device-bound"));
    ada.add(&mut key(4));
    // Without an authority there is nobody to vouch.
    let empty = json!({"attestation": {"policy": "attested", "authorities": []}});
    let (status, _) = bench
        .control
        .call("PUT", "/tenants/alpha/identity", empty.to_string());
    assert_eq!(status, 422);
    let authority = Authority::new("maker").unwrap().pem;
    let model = "11111111-2222-3333-4444-555555555555";
    bench.put_identity(
        json!({"attestation": {"policy": "attested", "authorities": [
            {"certificate": authority, "models": [model]},
        ]}}),
    );
    let bob = bench.person("bob");
    let (status, begun) = bob.begin_adding(None);
    assert_eq!(status, 200, "{begun}");
    assert_eq!(begun["publicKey"]["attestation"], "direct");
    let answer = bob.end_adding(&begun, &key(5).create(&begun["publicKey"]));
    assert_eq!(reason(&answer), (403, "attestation"));
    bench.control.stop().unwrap();
}
