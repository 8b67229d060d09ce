//! Who holds what, as reviewers are shown it.

use serde_json::{Value, json};

use crate::databases::Database;
use crate::directory::{GROUP, user};

#[test]
fn a_review_has_everybody_with_what_they_hold() {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", true).unwrap();
        let identity = json!({"adminGroups": ["Admins"], "privilegedGroups": ["auditors"]});
        let put = control.call("PUT", "/tenants/alpha/identity", identity.to_string());
        assert_eq!(put.0, 204, "{}", put.1);
        let make = |name: &str| scim.post("/Users", &user(name)).id();
        let (ada, bea, cid) = (make("ada"), make("bea"), make("cid"));
        let group = |name: &str, members: Value| {
            let body = json!({"schemas": [GROUP], "displayName": name, "members": members});
            scim.post("/Groups", &body).id()
        };
        let inner = group("inner", json!([{"value": bea}]));
        group(
            "admins",
            json!([{"value": ada}, {"value": inner, "type": "Group"}]),
        );
        group("auditors", json!([{"value": cid}]));
        let suspend = json!([{"op": "replace", "path": "active", "value": false}]);
        assert_eq!(scim.patch(&format!("/Users/{bea}"), &suspend).status, 200);
        let (status, all) = control.call("GET", "/tenants/alpha/access", "");
        assert_eq!(status, 200, "{all}");
        let held = |one: &Value| {
            let flags = ["active", "admin", "privileged"].map(|name| one[name].as_bool().unwrap());
            (
                one["id"].as_str().unwrap().to_owned(),
                flags,
                one["groups"].clone(),
            )
        };
        let items: Vec<_> = all["items"].as_array().unwrap().iter().map(held).collect();
        let expected = [
            (cid, [true, false, true], json!(["auditors"])),
            // In a group of the group, and suspended.
            (bea, [false, true, true], json!(["admins", "inner"])),
            (ada, [true, true, true], json!(["admins"])),
        ];
        assert_eq!(items, expected);
        // By pages, the same.
        let mut paged = Vec::new();
        let mut path = "/tenants/alpha/access?limit=1".to_owned();
        for _ in 0..4 {
            let (_, page) = control.call("GET", &path, "");
            paged.extend(page["items"].as_array().unwrap().iter().map(held));
            let Some(next) = page["next"].as_str() else {
                break;
            };
            path = format!("/tenants/alpha/access?limit=1&cursor={next}");
        }
        assert_eq!(paged, expected);
        // Nobody of another tenant is in it, and who is deleted holds nothing.
        let other = control.provisioner("bravo", false).unwrap();
        other.post("/Users", &user("eve"));
        assert_eq!(
            scim.delete(&format!("/Users/{}", expected[0].0)).status,
            204
        );
        let (_, all) = control.call("GET", "/tenants/alpha/access", "");
        assert_eq!(all["items"].as_array().unwrap().len(), 2);
        assert_eq!(control.call("GET", "/tenants/none/access", "").0, 404);
        assert_eq!(
            control.call("GET", "/tenants/alpha/access?limit=0", "").0,
            422
        );
        let (status, roles) = control.call("GET", "/access/roles", "");
        assert_eq!((status, &roles["issuer"]), (200, &Value::Null), "{roles}");
        control.stop().unwrap();
    }
}
