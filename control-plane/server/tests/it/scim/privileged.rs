//! Groups that give more than an identity provider may give by itself
//! (keycloak CVE-2026-94000, #50473).

use ig_contract::policy::CROSS_TENANT_GROUP;
use ig_e2e::{ControlPlane, Scim, workspace};
use serde_json::{Value, json};

use super::{ERROR, GROUP, USER, group, user};
use crate::databases::Database;

/// Somebody in `admins`, put there by who may.
struct Fixture {
    control: ControlPlane,
    /// May not confer.
    scim: Scim,
    /// May.
    conferrer: Scim,
    admins: String,
    /// In `admins`, by `inner`.
    inner: String,
    /// In `admins`.
    boss: String,
    /// In `inner`.
    deputy: String,
    ann: String,
}

fn start(database: &Database) -> Fixture {
    let control = database.start();
    let scim = control.provisioner("alpha", false).unwrap();
    let conferrer = control.provisioner("alpha", true).unwrap();
    let identity = json!({"privilegedGroups": ["admins", "Überwacher"]});
    let put = control.call("PUT", "/tenants/alpha/identity", identity.to_string());
    assert_eq!(put.0, 204, "{}", put.1);
    let make = |scim: &Scim, path: &str, body: &Value| {
        let made = scim.post(path, body);
        assert_eq!(made.status, 201, "{}", made.text);
        made.id()
    };
    let boss = make(&scim, "/Users", &user("boss"));
    let deputy = make(&scim, "/Users", &user("deputy"));
    let ann = make(&scim, "/Users", &user("ann"));
    let inner = make(&scim, "/Groups", &group("inner", [deputy.as_str()]));
    let members = [boss.as_str(), inner.as_str()];
    let admins = make(&conferrer, "/Groups", &group("Admins", members));
    Fixture {
        control,
        scim,
        conferrer,
        admins,
        inner,
        boss,
        deputy,
        ann,
    }
}

/// What confers a privileged group, one way or another.
fn conferring(of: &Fixture) -> Vec<(&'static str, &'static str, String, Value)> {
    let Fixture {
        admins,
        inner,
        boss,
        deputy,
        ann,
        ..
    } = of;
    let group_path = |id: &str| format!("/Groups/{id}");
    let user_path = |id: &str| format!("/Users/{id}");
    let patch = |operations: Value| json!({"Operations": operations});
    let add = |id: &str| patch(json!([{"op": "add", "path": "members", "value": [{"value": id}]}]));
    let set =
        |path: &str, value: &str| patch(json!([{"op": "replace", "path": path, "value": value}]));
    vec![
        (
            "a group of the name",
            "POST",
            "/Groups".into(),
            group("ÜBERWACHER", []),
        ),
        (
            "with members",
            "POST",
            "/Groups".into(),
            group("überwacher", [ann.as_str()]),
        ),
        (
            "renamed to it",
            "PATCH",
            group_path(inner),
            set("displayName", "überwacher"),
        ),
        (
            "renamed without a path",
            "PATCH",
            group_path(inner),
            patch(json!([{"op": "replace", "value": {"displayName": "überwacher"}}])),
        ),
        (
            "replaced by it",
            "PUT",
            group_path(inner),
            json!({"schemas": [GROUP], "displayName": "überwacher", "members": [deputy]}),
        ),
        ("a member", "PATCH", group_path(admins), add(ann)),
        (
            "all members",
            "PUT",
            group_path(admins),
            group("Admins", [ann.as_str(), boss.as_str(), inner.as_str()]),
        ),
        (
            "in the place of others",
            "PATCH",
            group_path(admins),
            patch(json!([{"op": "replace", "path": "members", "value": [{"value": ann}]}])),
        ),
        (
            "an id that nobody has yet",
            "PATCH",
            group_path(admins),
            add("somebody-to-come"),
        ),
        (
            "a member of a group in it",
            "PATCH",
            group_path(inner),
            add(ann),
        ),
        (
            "by a replacement of that",
            "PUT",
            group_path(inner),
            group("inner", [deputy.as_str(), ann.as_str()]),
        ),
        (
            "a new name for who is in it",
            "PATCH",
            user_path(boss),
            set("userName", "eve"),
        ),
        (
            "a new link",
            "PATCH",
            user_path(boss),
            set("externalId", "eve"),
        ),
        (
            "both, by a replacement",
            "PUT",
            user_path(boss),
            json!({"schemas": [USER], "userName": "eve", "externalId": "e"}),
        ),
        (
            "the same of a nested one",
            "PATCH",
            user_path(deputy),
            set("userName", "eve"),
        ),
        (
            "the same without a path",
            "PATCH",
            user_path(deputy),
            patch(json!([{"op": "add", "value": {"externalId": "eve"}}])),
        ),
    ]
}

fn everything(scim: &Scim) -> (String, String) {
    (scim.get("/Users").text, scim.get("/Groups").text)
}

#[test]
fn nobody_confers_it_without_a_token_that_may() {
    for database in Database::each() {
        let fixture = start(&database);
        let (scim, before) = (&fixture.scim, everything(&fixture.scim));
        for (what, method, path, body) in conferring(&fixture) {
            let answer = scim.send(method, &path, &[], body.to_string().as_bytes());
            assert_eq!(answer.status, 403, "{what}: {}", answer.text);
            assert_eq!(answer.body["schemas"], json!([ERROR]), "{what}");
            let operation = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
                "Operations": [{"method": method, "path": path, "bulkId": "b", "data": body}],
            });
            let answer = scim.post("/Bulk", &operation);
            let status = &answer.body["Operations"][0]["status"];
            assert_eq!(status, "403", "{what}: {}", answer.text);
            assert_eq!(everything(scim), before, "{what}");
        }
        // A group with members into it, by who is in none of them.
        let other = scim.post("/Groups", &group("other", [fixture.ann.as_str()]));
        let path = format!("/Groups/{}", fixture.admins);
        for (outer, inner) in [
            (&path, other.id()),
            (&format!("/Groups/{}", fixture.inner), other.id()),
        ] {
            let operations = json!([{"op": "add", "path": "members", "value": inner}]);
            let answer = scim.patch(outer, &operations);
            assert_eq!(answer.status, 403, "{}", answer.text);
        }
        fixture.control.stop().unwrap();
    }
}

#[test]
fn a_token_that_may_confer_does() {
    // Each on its own: some take the name that others need.
    for number in 0.. {
        for database in Database::each() {
            let fixture = start(&database);
            let Some((what, method, path, body)) = conferring(&fixture).into_iter().nth(number)
            else {
                return fixture.control.stop().unwrap();
            };
            let answer = fixture
                .conferrer
                .send(method, &path, &[], body.to_string().as_bytes());
            let is_done = [200, 201].contains(&answer.status);
            assert!(is_done, "{what}: {}", answer.text);
            fixture.control.stop().unwrap();
        }
    }
}

#[test]
fn taking_away_and_suspending_always_work() {
    for database in Database::each() {
        let fixture = start(&database);
        let scim = &fixture.scim;
        let Fixture {
            admins,
            inner,
            boss,
            deputy,
            ann,
            ..
        } = &fixture;
        let done = |method: &str, path: String, body: Value| {
            let body = match &body {
                Value::Null => String::new(),
                body => body.to_string(),
            };
            let answer = scim.send(method, &path, &[], body.as_bytes());
            assert!(
                [200, 204].contains(&answer.status),
                "{path} {body}: {}",
                answer.text
            );
        };
        let patch = |operations: Value| json!({"Operations": operations});
        let user_path = |id: &str| format!("/Users/{id}");
        let group_path = |id: &str| format!("/Groups/{id}");
        // What is no right is anybody's to change, also of somebody privileged.
        done(
            "PATCH",
            user_path(boss),
            patch(json!([{"op": "add", "path": "title", "value": "x"}])),
        );
        done(
            "PUT",
            user_path(boss),
            json!({"schemas": [USER], "userName": "boss", "title": "y"}),
        );
        let active =
            |value: bool| patch(json!([{"op": "replace", "path": "active", "value": value}]));
        done("PATCH", user_path(boss), active(false));
        done("PATCH", user_path(boss), active(true));
        done(
            "PATCH",
            user_path(ann),
            patch(json!([{"op": "replace", "path": "userName", "value": "anna"}])),
        );
        // Named again, they are in it already.
        let same = json!([{"op": "add", "path": "members", "value": [{"value": boss}]}]);
        done("PATCH", group_path(admins), patch(same));
        let all = group("Admins", [boss.as_str(), inner.as_str()]);
        done("PUT", group_path(admins), all);
        done(
            "PATCH",
            group_path(inner),
            patch(json!([{"op": "remove", "path": format!("members[value eq \"{deputy}\"]")}])),
        );
        // And not back.
        let back = json!([{"op": "add", "path": "members", "value": deputy}]);
        assert_eq!(scim.patch(&group_path(inner), &back).status, 403);
        done("PUT", group_path(admins), group("Admins", [inner.as_str()]));
        done(
            "PATCH",
            user_path(boss),
            patch(json!([{"op": "replace", "path": "userName", "value": "b"}])),
        );
        done(
            "PATCH",
            group_path(admins),
            patch(json!([{"op": "remove", "path": "members"}])),
        );
        // It is no privileged group's member any more.
        done("PATCH", group_path(inner), patch(back));
        done("DELETE", user_path(deputy), Value::Null);
        done(
            "PATCH",
            group_path(admins),
            patch(json!([{"op": "replace", "path": "displayName", "value": "was"}])),
        );
        done("DELETE", group_path(admins), Value::Null);
        fixture.control.stop().unwrap();
    }
}

/// What no owner said: a fresh tenant's provisioner may not have it all the same.
#[test]
fn the_starter_bundles_group_is_privileged_without_a_word() {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let ann = scim.post("/Users", &user("ann")).id();
        let other = scim.post("/Groups", &group("other", [ann.as_str()]));
        assert_eq!(other.status, 201, "{}", other.text);
        let path = format!("/Groups/{}", other.id());
        let refused = || {
            for name in [CROSS_TENANT_GROUP, &CROSS_TENANT_GROUP.to_uppercase()] {
                for members in [vec![], vec![ann.as_str()]] {
                    let made = scim.post("/Groups", &group(name, members));
                    assert_eq!(made.status, 403, "{name}: {}", made.text);
                }
                let set = json!([{"op": "replace", "path": "displayName", "value": name}]);
                assert_eq!(scim.patch(&path, &set).status, 403, "{name}");
                let replaced = scim.put(&path, &group(name, [ann.as_str()]));
                assert_eq!(replaced.status, 403, "{name}: {}", replaced.text);
            }
        };
        refused();
        // Nor does who lists others, or none, take it off.
        for identity in [json!({}), json!({"privilegedGroups": ["others"]})] {
            let put = control.call("PUT", "/tenants/alpha/identity", identity.to_string());
            assert_eq!(put.0, 204, "{}", put.1);
            refused();
        }
        let conferrer = control.provisioner("alpha", true).unwrap();
        let made = conferrer.post("/Groups", &group(CROSS_TENANT_GROUP, [ann.as_str()]));
        assert_eq!(made.status, 201, "{}", made.text);
        control.stop().unwrap();
    }
}

/// A group that the bundle looks at by name is one that is always privileged.
#[test]
fn the_starter_bundle_knows_no_other_group() {
    let mut folders = vec![workspace().join("policies")];
    let mut looks = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.display().to_string();
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rego") && !name.ends_with("_test.rego") {
                let text = std::fs::read_to_string(&path).unwrap();
                let looks_at = |line: &&str| {
                    line.contains("actor.groups") && !line.contains("is_array(input.actor.groups)")
                };
                for line in text.lines().filter(looks_at) {
                    let known = format!("not \"{CROSS_TENANT_GROUP}\" in input.actor.groups");
                    assert_eq!(line.trim(), known, "{name}");
                    looks += 1;
                }
            }
        }
    }
    assert_eq!(looks, 1);
}

/// What a provisioner may is said by owners, and from then on.
#[test]
fn owners_say_what_is_privileged() {
    for database in Database::each() {
        let fixture = start(&database);
        let identity = |body: &Value| {
            let put = fixture
                .control
                .call("PUT", "/tenants/alpha/identity", body.to_string());
            put.0
        };
        let path = format!("/Groups/{}", fixture.admins);
        let add = json!([{"op": "add", "path": "members", "value": fixture.ann}]);
        assert_eq!(fixture.scim.patch(&path, &add).status, 403);
        let (status, is) = fixture.control.call("GET", "/tenants/alpha/identity", "");
        assert_eq!(status, 200);
        assert_eq!(is["privilegedGroups"], json!(["admins", "Überwacher"]));
        assert_eq!(identity(&json!({"privileged": []})), 422);
        assert_eq!(identity(&json!({})), 204);
        assert_eq!(fixture.scim.patch(&path, &add).status, 200);
        // Of tokens, it is said for provisioners only.
        for role in ["viewer", "owner", "tenant-admin"] {
            let new =
                json!({"tenant": (role == "tenant-admin").then_some("alpha"), "mayConfer": true});
            assert!(fixture.control.make_token(role, &new).is_err(), "{role}");
        }
        fixture.control.stop().unwrap();
    }
}
