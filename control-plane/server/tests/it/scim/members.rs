//! Groups, who is in them, and what users show and filters find of that.

use std::collections::BTreeMap;

use ig_e2e::Scim;
use serde_json::{Value, json};
use sqlx::Connection as _;

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

/// Members of a group, as many as a test needs and no client sends.
async fn put_members(url: &str, group: &str, count: usize) {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url).await.unwrap();
    sqlx::query(
        "INSERT INTO scim_members (tenant, in_group, member, type) \
         WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
         SELECT 'alpha', g.number, 'member-' || i, 'User' FROM n, scim_resources g WHERE g.id = $2",
    )
    .bind(i64::try_from(count).unwrap())
    .bind(group.to_owned())
    .execute(&mut connection)
    .await
    .unwrap();
    connection.close().await.unwrap();
}

/// An answer is made in memory: how many members it has is bounded, whoever has
/// put how many into groups.
#[test]
fn an_answer_has_not_more_members_than_it_may() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let make = |name: &str, count: usize| {
            let id = scim.post("/Groups", &group(name, [])).id();
            runtime.block_on(put_members(&database.url, &id, count));
            format!("/Groups/{id}")
        };
        let first = make("first", 120_000);
        assert_eq!(scim.get("/Groups").status, 200);
        let second = make("second", 80_001);
        let third = make("third", 200_001);
        let search = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"]});
        let too_many = [
            (
                "a list",
                scim.get("/Groups?filter=displayName%20ne%20%22third%22"),
            ),
            ("a list of all", scim.get("")),
            ("a search", scim.post("/Groups/.search", &search)),
            ("a group", scim.get(&third)),
        ];
        for (what, answer) in too_many {
            assert_eq!(answer.status, 400, "{what}");
            assert_eq!(answer.body["scimType"], "tooMany", "{what}");
            let detail = answer.body["detail"].as_str().unwrap();
            let instead = if what == "a group" {
                "groups.value"
            } else {
                "count"
            };
            assert!(detail.contains("excludedAttributes=members"), "{detail}");
            assert!(detail.contains(instead), "{detail}");
        }
        for path in [&first, &second] {
            let shown = scim.get(path);
            assert_eq!(shown.status, 200);
            assert!(shown.body["members"].as_array().unwrap().len() > 80_000);
        }
        for path in [
            "/Groups?excludedAttributes=members".to_owned(),
            "/Groups?attributes=displayName".to_owned(),
            "/Groups?count=1".to_owned(),
            format!("{third}?excludedAttributes=members"),
        ] {
            assert_eq!(scim.get(&path).status, 200, "{path}");
        }
        // Changes go on, and say nothing of the members.
        let add = json!([{"op": "add", "path": "members", "value": [{"value": "one-more"}]}]);
        assert_eq!(scim.patch(&third, &add).status, 204);
        control.stop().unwrap();
    }
}
