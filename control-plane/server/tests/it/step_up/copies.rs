//! Passkeys that may have been copied: their counters tell.

use serde_json::json;

use super::{Bench, export, key, reason};
use crate::databases::Database;

/// Neither of the two counts from then on, until it is taken away and another one is
/// added after a fresh login.
#[test]
fn a_copy_of_a_passkey_is_found_out() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        own.counter = 1;
        ada.add(&mut own);
        let mut copy = own.clone();
        ada.token(&mut own, &export());
        ada.token(&mut own, &export());
        // Begun, and given, before anybody knew.
        let (adding, _) = ada.token(&mut own, &json!({"actions": ["passkey:add"]}));
        let (status, registration) = ada.begin_adding(Some(&adding));
        assert_eq!(status, 200, "{registration}");
        let (_, given) = ada.token(&mut own, &export());
        let before = ada.begin(&export());
        let answer = ada.prove(&mut copy, &export());
        assert_eq!(reason(&answer), (403, "counter"), "{}", answer.1);
        assert_eq!(bench.spend(&given), ig_contract::step_up::Spent::Over);
        let created = json!({
            "ceremony": registration["ceremony"],
            "credential": key(9).create(&registration["publicKey"]),
        });
        let answer = ada.post("/webauthn/registration/verify", &created, None);
        assert_eq!(reason(&answer), (403, "ceremony"), "{}", answer.1);
        assert_eq!(bench.audited("passkey.suspect"), 1);
        for one in [&mut own, &mut copy] {
            let answer = ada.post("/webauthn/authentication/options", &export(), None);
            assert_eq!(reason(&answer), (403, "suspect"), "{}", answer.1);
            one.counter += 100;
        }
        let answer = ada.end(&before, &own.get(&before["publicKey"]));
        assert_eq!(reason(&answer), (403, "ceremony"), "{}", answer.1);
        assert_eq!(bench.audited("passkey.suspect"), 1);
        // It cannot be replaced by whoever has a session only.
        assert_eq!(ada.begin_adding(None).0, 401);
        let path = format!("/tenants/alpha/users/{}/passkeys", ada.id);
        let (_, listed) = bench.control.call("GET", &path, "");
        assert!(listed[0]["suspectAt"].is_i64(), "{listed}");
        let one = format!("{path}/{}", listed[0]["id"].as_str().unwrap());
        assert_eq!(bench.control.call("DELETE", &one, "").0, 204);
        assert_eq!(bench.control.call("DELETE", &one, "").0, 404);
        ada.add(&mut key(4));
        ada.token(&mut key(4), &export());
        bench.control.stop().unwrap();
    }
}

/// Two ceremonies that were begun before either ended both know the old counter.
#[test]
fn what_was_overtaken_is_no_copy() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        let ada = bench.person("ada");
        let mut own = key(3);
        own.counter = 1;
        ada.add(&mut own);
        let (first, second) = (ada.begin(&export()), ada.begin(&export()));
        let slow = own.get(&first["publicKey"]);
        let fast = own.get(&second["publicKey"]);
        assert_eq!(ada.end(&second, &fast).0, 200);
        let answer = ada.end(&first, &slow);
        assert_eq!(reason(&answer), (403, "overtaken"), "{}", answer.1);
        assert_eq!(bench.audited("passkey.suspect"), 0);
        ada.token(&mut own, &export());
        // No authenticator counts to the same number twice.
        let (first, second) = (ada.begin(&export()), ada.begin(&export()));
        let mut copy = own.clone();
        assert_eq!(ada.end(&first, &own.get(&first["publicKey"])).0, 200);
        let answer = ada.end(&second, &copy.get(&second["publicKey"]));
        assert_eq!(reason(&answer), (403, "counter"), "{}", answer.1);
        assert_eq!(bench.audited("passkey.suspect"), 1);
        // Those that do not count have no counter that goes back.
        let bob = bench.person("bob");
        let mut still = key(5);
        bob.add(&mut still);
        for _ in 0..3 {
            bob.token(&mut still, &export());
        }
        assert_eq!(bench.audited("passkey.suspect"), 1);
        bench.control.stop().unwrap();
    }
}

/// What an admin removes ends the user's tokens, as the user's own removal does; and
/// an admin who is a user proves to be there first.
#[test]
fn admins_remove_passkeys_of_their_tenants_users() {
    use ig_contract::step_up::Spent;
    for database in Database::each() {
        let bench = Bench::start(&database);
        bench.put_identity(json!({"adminGroups": ["Admins"]}));
        let (ada, bob) = (bench.person("ada"), bench.person("bob"));
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "Admins", "members": [{"value": bob.id}],
        });
        assert_eq!(bench.scim.post("/Groups", &group).status, 201);
        let (mut own, mut bobs) = (key(3), key(4));
        ada.add(&mut own);
        bob.add(&mut bobs);
        let (_, id) = ada.token(&mut own, &export());
        let begun = ada.begin(&export());
        let path_of = |user: &str| {
            let path = format!("/tenants/alpha/users/{user}/passkeys");
            let (status, listed) = bench.control.call_as(Some(&bob.header), "GET", &path, "");
            assert_eq!(status, 200, "{listed}");
            format!("{path}/{}", listed[0]["id"].as_str().unwrap())
        };
        let remove = |path: &str, token: Option<&str>| {
            let mut headers = vec![("authorization", bob.header.as_str())];
            headers.extend(token.map(|token| ("x-ig-step-up", token)));
            bench.control.call_with(&headers, "DELETE", path, "")
        };
        // Neither another's nor the own without a proof; and not as another user's.
        for user in [&ada.id, &bob.id] {
            let answer = remove(&path_of(user), None);
            assert_eq!(reason(&answer), (401, "step-up-required"), "{}", answer.1);
        }
        let intent = json!({"actions": ["passkey:remove"]});
        let (token, _) = bob.token(&mut bobs, &intent);
        let wrong = path_of(&ada.id).replace(&ada.id, &bob.id);
        assert_eq!(remove(&wrong, Some(&token)).0, 404);
        let (status, _) = bench
            .control
            .call_as(Some(&ada.header), "DELETE", &path_of(&bob.id), "");
        assert_eq!(status, 403);
        let other = path_of(&ada.id).replace("alpha", "bravo");
        assert_eq!(remove(&other, Some(&token)).0, 404);
        let position = bench.facts("ada").position;
        let (token, _) = bob.token(&mut bobs, &intent);
        assert_eq!(remove(&path_of(&ada.id), Some(&token)).0, 204);
        assert_eq!(bench.audited("passkey.remove"), 1);
        assert_eq!(bench.spend(&id), Spent::Over);
        assert!(bench.facts("ada").position > position);
        let answer = ada.end(&begun, &own.get(&begun["publicKey"]));
        assert_eq!(reason(&answer), (403, "ceremony"), "{}", answer.1);
        bench.control.stop().unwrap();
    }
}
