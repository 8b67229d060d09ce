//! Whoever comes after somebody else begins with nothing proved.

use std::thread::sleep;
use std::time::Duration;

use serde_json::json;

use super::{Bench, key};
use crate::databases::Database;

/// Guards take tokens by their subject, issuer and tenant. When a subject is another
/// user's, what was proved for it before does not count: neither for a user that is
/// made again, nor for one who was there and is linked now, nor in a tenant of the
/// same name.
#[test]
fn tokens_of_a_predecessor_do_not_count() {
    const MADE: &str = "SELECT MAX(made_at) FROM step_up_tokens";
    for database in Database::each() {
        let mut bench = Bench::start(&database);
        let intent = json!({"graph": "demo", "actions": ["case:close"]});
        let made = |bench: &Bench, seed: u8| {
            let ada = bench.facts("ada");
            let begins = ada.step_up_from;
            let ada = super::Person {
                bench,
                id: ada.user.unwrap(),
                header: bench.login("ada", &json!({})),
            };
            let mut own = key(seed);
            ada.add(&mut own);
            ada.token(&mut own, &intent);
            let made = u64::try_from(bench.count(MADE)).unwrap();
            // What is proved now counts.
            assert!(begins <= made, "{begins} {made}");
            assert!(bench.facts("ada").step_up_from <= made);
            sleep(Duration::from_millis(1100));
            (ada.id.clone(), made)
        };
        bench.user(&bench.scim, "ada");
        let other = bench.user(&bench.scim, "other");
        let (first, before) = made(&bench, 3);
        let path = |user: &str| format!("/Users/{user}");
        assert_eq!(bench.scim.delete(&path(&first)).status, 204);
        bench.user(&bench.scim, "ada");
        assert!(bench.facts("ada").step_up_from > before);
        let (second, before) = made(&bench, 4);
        assert_eq!(bench.scim.delete(&path(&second)).status, 204);
        let renamed = json!([{"op": "replace", "path": "externalId", "value": "ada"}]);
        assert_eq!(bench.scim.patch(&path(&other), &renamed).status, 200);
        let facts = bench.facts("ada");
        assert_eq!(facts.user.as_deref(), Some(other.as_str()));
        assert!(facts.step_up_from > before);
        let (_, before) = made(&bench, 5);
        assert_eq!(bench.control.call("DELETE", "/tenants/alpha", "").0, 204);
        bench.scim = bench.control.provisioner("alpha", true).unwrap();
        bench.put_tenants();
        bench.user(&bench.scim, "ada");
        assert!(bench.facts("ada").step_up_from > before);
        made(&bench, 6);
        bench.control.stop().unwrap();
    }
}
