//! What provisioning leaves behind for those who look after it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{group, user};
use crate::databases::Database;

/// Every act is audited under its name, with whom it is of and who did it.
#[test]
fn every_act_is_recorded() {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let add = json!([{"op": "add", "value": {"externalId": "e"}}]);
        let mut targets = BTreeMap::new();
        for (kind, path, body) in [
            ("User", "/Users", user("ann")),
            ("Group", "/Groups", group("team", ["somebody"])),
        ] {
            let id = scim.post(path, &body).id();
            let at = format!("{path}/{id}");
            assert_eq!(scim.patch(&at, &add).status, 200);
            // Nothing is done by what is there already, or refused.
            assert_eq!(scim.patch(&at, &add).status, 200);
            assert_eq!(scim.put(&at, &json!({})).status, 400);
            assert_eq!(scim.put(&at, &body).status, 200);
            assert_eq!(scim.delete(&at).status, 204);
            assert_eq!(scim.delete(&at).status, 404);
            targets.insert(kind.to_lowercase(), format!("alpha/{kind}/{id}"));
        }
        let (_, audit) = control.call("GET", "/audit?limit=1000", "");
        let items = audit["items"].as_array().unwrap();
        let text = |item: &Value, name: &str| item[name].as_str().unwrap_or_default().to_owned();
        let acts = items
            .iter()
            .filter(|item| text(item, "action").starts_with("scim."));
        let mut recorded: Vec<_> = acts
            .map(|item| {
                assert!(text(item, "actor").starts_with("provisioner-"), "{item}");
                (text(item, "action"), text(item, "target"))
            })
            .collect();
        recorded.reverse();
        let expected = ["user", "group"].into_iter().flat_map(|kind| {
            let target = &targets[kind];
            ["create", "patch", "replace", "delete"]
                .map(|how| (format!("scim.{kind}.{how}"), target.clone()))
        });
        assert_eq!(recorded, expected.collect::<Vec<_>>());
        control.stop().unwrap();
    }
}

/// Time to answer, by method and route.
#[test]
fn answers_are_measured() {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let made = scim.post("/Users", &user("ann"));
        scim.get(&format!("/Users/{}", made.id()));
        let (status, text) = control.call("GET", "/metrics", "");
        assert_eq!(status, 200);
        let text = text.as_str().unwrap();
        for (method, route) in [("POST", "/scim/v2/Users"), ("GET", "/scim/v2/Users/{id}")] {
            let count = format!(
                "ig_scim_duration_seconds_count{{method=\"{method}\",route=\"{route}\"}} 1"
            );
            assert!(text.contains(&count), "{count}\n{text}");
        }
        control.stop().unwrap();
    }
}
