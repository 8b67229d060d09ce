//! Groups, who is in them, and what users show and filters find of that.

use std::collections::BTreeMap;

use ig_e2e::Scim;
use serde_json::{Value, json};

use super::{group, user};
use crate::databases::Database;

fn names(scim: &Scim, filter: &str) -> String {
    let answer = scim.list("/Users", &[("filter", filter)]);
    assert_eq!(answer.status, 200, "{filter}: {}", answer.text);
    answer.each("/userName").join(" ")
}

/// Names and types of the groups that a user shows.
fn groups(scim: &Scim, id: &str) -> String {
    let user = scim.get(&format!("/Users/{id}"));
    let groups = user.body["groups"].as_array().cloned().unwrap_or_default();
    let shown: BTreeMap<&str, &str> = groups
        .iter()
        .map(|one| {
            let of = |name: &str| one[name].as_str().unwrap();
            assert!(of("$ref").ends_with(&format!("/Groups/{}", of("value"))));
            (of("display"), of("type"))
        })
        .collect();
    let shown = shown.iter().map(|(name, kind)| format!("{name}:{kind}"));
    shown.collect::<Vec<_>>().join(" ")
}

/// What a filter finds is what the user shows, also of groups in groups.
#[test]
fn users_are_found_by_the_groups_that_they_show() {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let make = |path: &str, body: &Value| {
            let made = scim.post(path, body);
            assert_eq!(made.status, 201, "{}", made.text);
            made.id()
        };
        let [ann, bob, cat, dan] =
            ["ann", "bob", "cat", "dan"].map(|name| make("/Users", &user(name)));
        let inner = make("/Groups", &group("Inner", [ann.as_str(), bob.as_str()]));
        let middle = make("/Groups", &group("Middle", [inner.as_str(), cat.as_str()]));
        let outer = make("/Groups", &group("Outer", [middle.as_str(), ann.as_str()]));
        assert_eq!(
            groups(&scim, &ann),
            "Inner:direct Middle:indirect Outer:direct"
        );
        assert_eq!(
            groups(&scim, &bob),
            "Inner:direct Middle:indirect Outer:indirect"
        );
        assert_eq!(groups(&scim, &cat), "Middle:direct Outer:indirect");
        assert_eq!(groups(&scim, &dan), "");
        let cases = [
            (format!("groups.value eq \"{inner}\""), "ann bob"),
            (format!("groups.value eq \"{middle}\""), "ann bob cat"),
            (format!("groups.value eq \"{outer}\""), "ann bob cat"),
            (format!("groups eq \"{outer}\""), "ann bob cat"),
            (
                format!("groups[value eq \"{outer}\" and display eq \"OUTER\"]"),
                "ann bob cat",
            ),
            (
                format!("groups[value eq \"{outer}\" and display eq \"Inner\"]"),
                "",
            ),
            (format!("groups.value ne \"{inner}\""), "cat dan"),
            (format!("not (groups.value eq \"{outer}\")"), "dan"),
            ("groups.display eq \"outer\"".into(), "ann bob cat"),
            ("groups.display sw \"IN\"".into(), "ann bob"),
            ("groups pr".into(), "ann bob cat"),
            ("not (groups pr)".into(), "dan"),
            ("groups eq null".into(), "dan"),
            (format!("groups.value eq \"{}\"", inner.to_uppercase()), ""),
        ];
        for (filter, expected) in &cases {
            assert_eq!(names(&scim, filter), *expected, "{filter}");
        }
        let groups_with = |filter: &str| {
            let answer = scim.list("/Groups", &[("filter", filter), ("sortBy", "displayName")]);
            answer.each("/displayName").join(" ")
        };
        // Members are those that the group shows: direct ones.
        assert_eq!(
            groups_with(&format!("members.value eq \"{ann}\"")),
            "Inner Outer"
        );
        assert_eq!(groups_with("members.type eq \"Group\""), "Middle Outer");
        // A group in between goes.
        assert_eq!(scim.delete(&format!("/Groups/{middle}")).status, 204);
        assert_eq!(groups(&scim, &bob), "Inner:direct");
        assert_eq!(groups(&scim, &ann), "Inner:direct Outer:direct");
        assert_eq!(names(&scim, &format!("groups.value eq \"{outer}\"")), "ann");
        assert_eq!(scim.delete(&format!("/Users/{ann}")).status, 204);
        assert_eq!(names(&scim, "groups pr"), "bob");
        assert_eq!(
            scim.get(&format!("/Groups/{outer}")).body.get("members"),
            None
        );
        control.stop().unwrap();
    }
}

/// AzureAD/SCIMReferenceCode #10, langwatch PR #7136: what is not understood is
/// refused, and nobody loses a membership by it.
#[test]
fn nobody_is_removed_by_mistake() {
    let cases = [
        json!({"op": "remove", "path": "members["}),
        json!({"op": "remove", "path": "members[]"}),
        json!({"op": "remove", "path": "members[value eq]"}),
        json!({"op": "remove", "path": "members[value eq ann]"}),
        json!({"op": "remove", "path": "members[nobody eq \"x\"]"}),
        json!({"op": "remove", "path": "members[value eq \"x\""}),
        json!({"op": "remove", "path": "members[value eq \"x\"]x"}),
        json!({"op": "remove", "path": "members[value eq \"x\"].nobody"}),
        json!({"op": "remove", "path": "members[value eq \"x\"].value"}),
        json!({"op": "remove", "path": "members.value"}),
        json!({"op": "remove", "path": "members.value", "value": "x"}),
        json!({"op": "remove", "path": "member"}),
        json!({"op": "remove", "path": "members", "value": [{}]}),
        json!({"op": "remove", "path": "members", "value": [null]}),
        json!({"op": "remove", "path": "members", "value": ""}),
        json!({"op": "remove", "path": "members", "value": [{"value": null}]}),
        json!({"op": "remove", "path": "members", "value": 5}),
        json!({"op": "remove", "path": "members", "value": {"members": []}}),
        json!({"op": "remove", "value": {"members": [{"value": "x"}]}}),
        json!({"op": "remove", "path": ""}),
        json!({"op": "remove", "path": ["members"]}),
        json!({"op": "delete", "path": "members"}),
        json!({"op": "replace", "path": "members"}),
        json!({"op": "replace", "path": "members", "value": [{"id": "x"}]}),
        json!({"op": "replace", "path": "members[value eq \"x\"]", "value": []}),
        json!({"op": "replace", "value": [{"members": []}]}),
        json!({"op": "replace", "value": "members"}),
        json!({"op": "add", "path": "members", "value": [{"value": "x".repeat(300)}]}),
        json!({"op": "add", "path": "members", "value": "a\u{0}b"}),
    ];
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let ann = scim.post("/Users", &user("ann")).id();
        let made = scim.post("/Groups", &group("g", [ann.as_str(), "pending"]));
        let path = format!("/Groups/{}", made.id());
        for operation in &cases {
            let answer = scim.patch(&path, &json!([operation]));
            assert_eq!(answer.status, 400, "{operation}: {}", answer.text);
            // Not by half, either.
            let title = json!({"op": "replace", "path": "displayName", "value": "other"});
            let answer = scim.patch(&path, &json!([title, operation]));
            assert_eq!(answer.status, 400, "{operation}: {}", answer.text);
            assert_eq!(scim.get(&path).text, made.text, "{operation}");
        }
        // Nobody who is meant is there: nothing is done, nothing is wrong.
        for operation in [
            json!({"op": "remove", "path": "members[value eq \"nobody\"]"}),
            json!({"op": "remove", "path": "members[type eq \"Group\"]"}),
            json!({"op": "remove", "path": "members", "value": []}),
            json!({"op": "add", "path": "members", "value": []}),
            json!({"op": "add", "path": "members", "value": {"value": ann}}),
        ] {
            let answer = scim.patch(&path, &json!([operation]));
            assert_eq!(answer.status, 200, "{operation}: {}", answer.text);
            assert_eq!(answer.text, made.text, "{operation}");
        }
        let other = json!([{"op": "remove", "path": format!("members[not (value eq \"{ann}\")]")}]);
        let answer = scim.patch(&path, &other);
        assert_eq!(answer.body["members"].as_array().map(Vec::len), Some(1));
        assert_eq!(answer.body["members"][0]["value"], ann);
        control.stop().unwrap();
    }
}
