//! Many at once: nothing is lost, nothing is there twice, and nobody is told
//! that the server failed.

use ig_e2e::{Scim, ScimAnswer};
use serde_json::{Value, json};

use super::{GROUP, USER, group, user};
use crate::databases::Database;

/// As many calls at once.
fn at_once(count: usize, call: impl Fn(usize) -> ScimAnswer + Sync) -> Vec<ScimAnswer> {
    std::thread::scope(|scope| {
        let call = &call;
        let calls: Vec<_> = (0..count)
            .map(|number| scope.spawn(move || call(number)))
            .collect();
        calls.into_iter().map(|one| one.join().unwrap()).collect()
    })
}

fn count(answers: &[ScimAnswer], status: u16) -> usize {
    answers.iter().filter(|one| one.status == status).count()
}

fn told(answers: &[ScimAnswer]) -> Vec<(u16, &str)> {
    let told = answers.iter().map(|one| (one.status, one.text.as_str()));
    told.collect()
}

fn on_each(test: impl Fn(&Scim)) {
    for database in Database::each() {
        let control = database.start();
        test(&control.provisioner("alpha", false).unwrap());
        control.stop().unwrap();
    }
}

fn add(id: &str) -> Value {
    json!([{"op": "add", "path": "members", "value": [{"value": id}]}])
}

/// fleetdm/fleet #50724, scimmyjs/scimmy #79.
#[test]
fn parallel_patches_of_a_group_lose_nobody() {
    on_each(|scim| {
        let path = format!("/Groups/{}", scim.post("/Groups", &group("g", [])).id());
        let answers = at_once(100, |number| {
            scim.patch(&path, &add(&format!("member-{number}")))
        });
        assert_eq!(count(&answers, 200), 100, "{:?}", told(&answers));
        let after = scim.get(&path);
        let members = after.body["members"].as_array().unwrap();
        assert_eq!(members.len(), 100);
        assert_eq!(after.body["meta"]["version"], "W/\"101\"");
        // Each of them saw another version.
        let mut versions: Vec<_> = answers.iter().map(|one| one.header("etag")).collect();
        versions.sort();
        versions.dedup();
        assert_eq!(versions.len(), 100);
        // All of them go, by both ways of saying so, while others come.
        let answers = at_once(100, |number| {
            let id = format!("member-{number}");
            match number % 2 {
                0 => scim.patch(
                    &path,
                    &json!([
                        {"op": "remove", "path": format!("members[value eq \"{id}\"]")},
                        {"op": "add", "path": "members", "value": format!("new-{number}")},
                    ]),
                ),
                _ => scim.patch(
                    &path,
                    &json!([{"op": "Remove", "path": "members", "value": [{"value": id}]}]),
                ),
            }
        });
        assert_eq!(count(&answers, 200), 100, "{:?}", told(&answers));
        let after = scim.get(&path);
        let members = after.body["members"].as_array().unwrap();
        assert_eq!(members.len(), 50);
        let is_new = |one: &Value| one["value"].as_str().unwrap().starts_with("new-");
        assert!(members.iter().all(is_new), "{members:?}");
        assert_eq!(after.body["meta"]["version"], "W/\"201\"");
    });
}

/// snapotter-hq/SnapOtter #980.
#[test]
fn a_name_is_given_once() {
    on_each(|scim| {
        let names = ["dup", "DUP", "Dup", "dUP"];
        let answers = at_once(20, |number| {
            scim.post("/Users", &user(names[number % names.len()]))
        });
        assert_eq!(count(&answers, 201), 1, "{:?}", told(&answers));
        assert_eq!(count(&answers, 409), 19, "{:?}", told(&answers));
        let answers = at_once(20, |_| scim.post("/Groups", &group("dup", [])));
        assert_eq!(count(&answers, 201), 1, "{:?}", told(&answers));
        assert_eq!(count(&answers, 409), 19, "{:?}", told(&answers));
        // Renamed to one name, by all who have another.
        let ids: Vec<String> = (0..10)
            .map(|number| scim.post("/Users", &user(&format!("u{number}"))).id())
            .collect();
        let answers = at_once(10, |number| {
            scim.put(&format!("/Users/{}", ids[number]), &user("one"))
        });
        assert_eq!(count(&answers, 200), 1, "{:?}", told(&answers));
        assert_eq!(count(&answers, 409), 9, "{:?}", told(&answers));
        let listed = scim.list("/Users", &[("filter", "userName eq \"one\"")]);
        assert_eq!(listed.body["totalResults"], 1);
        // Deleted by all, and made again by all: the count is right.
        let path = format!("/Users/{}", ids[0]);
        let answers = at_once(10, |_| scim.delete(&path));
        assert_eq!(count(&answers, 204), 1, "{:?}", told(&answers));
        assert_eq!(count(&answers, 404), 9, "{:?}", told(&answers));
        let total = scim.get("/Users").body["totalResults"].as_u64();
        assert_eq!(total, Some(10));
        let resources = scim.get("/Users").body["Resources"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(resources, 10);
    });
}

#[test]
fn groups_are_never_in_themselves() {
    on_each(|scim| {
        for round in 0..10 {
            let ids: Vec<String> = (0..3)
                .map(|number| {
                    let name = format!("g{round}-{number}");
                    scim.post("/Groups", &group(&name, [])).id()
                })
                .collect();
            // A circle of three, whose arcs are drawn at once.
            let answers = at_once(3, |number| {
                let inner = &ids[(number + 1) % 3];
                scim.patch(&format!("/Groups/{}", ids[number]), &add(inner))
            });
            assert_eq!(count(&answers, 200), 2, "{:?}", told(&answers));
            assert_eq!(count(&answers, 400), 1, "{:?}", told(&answers));
            let two = at_once(2, |number| {
                let [outer, inner] = match number {
                    0 => [0, 1],
                    _ => [1, 0],
                };
                let body = group(&format!("g{round}-{outer}"), [ids[inner].as_str()]);
                scim.put(&format!("/Groups/{}", ids[outer]), &body)
            });
            assert!(count(&two, 200) <= 1, "{:?}", told(&two));
            assert_eq!(count(&two, 200) + count(&two, 400), 2, "{:?}", told(&two));
        }
        let own = scim.post("/Groups", &group("own", [])).id();
        assert_eq!(
            scim.patch(&format!("/Groups/{own}"), &add(&own)).status,
            400
        );
    });
}

#[test]
fn nobody_overwrites_what_they_did_not_see() {
    on_each(|scim| {
        let made = scim.post("/Users", &user("ann"));
        let path = format!("/Users/{}", made.id());
        let tag = made.header("etag").unwrap();
        let answers = at_once(10, |number| {
            let body = json!({"Operations": [
                {"op": "replace", "path": "title", "value": format!("t{number}")},
            ]});
            let headers = [("if-match", tag)];
            scim.send("PATCH", &path, &headers, body.to_string().as_bytes())
        });
        assert_eq!(count(&answers, 200), 1, "{:?}", told(&answers));
        assert_eq!(count(&answers, 412), 9, "{:?}", told(&answers));
        let winner = answers.iter().find(|one| one.status == 200).unwrap();
        let after = scim.get(&path);
        assert_eq!(after.body["title"], winner.body["title"]);
        assert_eq!(after.body["meta"]["version"], "W/\"2\"");
        // Without a condition all of them happen, one after the other.
        let answers = at_once(20, |number| {
            let name = if number % 2 == 0 { "title" } else { "nickName" };
            scim.patch(
                &path,
                &json!([{"op": "add", "path": name, "value": format!("v{number}")}]),
            )
        });
        assert_eq!(count(&answers, 200), 20, "{:?}", told(&answers));
        let after = scim.get(&path);
        assert_eq!(after.body["meta"]["version"], "W/\"22\"");
        assert!(after.body["title"].is_string() && after.body["nickName"].is_string());
    });
}

/// A user who is deleted while groups take them in is in none.
#[test]
fn members_go_with_the_user() {
    on_each(|scim| {
        for round in 0..5 {
            let user = scim.post("/Users", &user(&format!("u{round}"))).id();
            let groups: Vec<String> = (0..4)
                .map(|number| {
                    let name = format!("g{round}-{number}");
                    scim.post("/Groups", &group(&name, [])).id()
                })
                .collect();
            let answers = at_once(5, |number| match groups.get(number) {
                Some(id) => scim.patch(&format!("/Groups/{id}"), &add(&user)),
                None => scim.delete(&format!("/Users/{user}")),
            });
            assert_eq!(count(&answers, 204), 1, "{:?}", told(&answers));
            assert_eq!(count(&answers, 200), 4, "{:?}", told(&answers));
            assert_eq!(scim.get(&format!("/Users/{user}")).status, 404);
        }
    });
}

fn bulk(scim: &Scim, fail_on: Option<u32>, operations: &Value) -> Vec<Value> {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "failOnErrors": fail_on, "Operations": operations,
    });
    let answer = scim.post("/Bulk", &body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body["Operations"].as_array().unwrap().clone()
}

fn statuses(results: &[Value]) -> Vec<&str> {
    let statuses = results.iter().map(|one| one["status"].as_str());
    statuses.map(Option::unwrap).collect()
}

fn id_of(result: &Value) -> &str {
    let location = result["location"].as_str().unwrap();
    location.rsplit('/').next().unwrap()
}

#[test]
fn bulk_requests_refer_to_what_they_make() {
    on_each(|scim| {
        let new = |name: &str, bulk_id: &str, members: &[&str]| match members {
            [] => json!({"method": "POST", "path": "/Users", "bulkId": bulk_id,
                "data": {"schemas": [USER], "userName": name}}),
            _ => {
                let members: Vec<_> = members
                    .iter()
                    .map(|id| json!({"value": format!("bulkId:{id}")}))
                    .collect();
                json!({"method": "post", "path": "/Groups", "bulkId": bulk_id,
                    "data": {"schemas": [GROUP], "displayName": name, "members": members}})
            }
        };
        // Forward and backward.
        let results = bulk(
            scim,
            None,
            &json!([
                new("team", "t", &["a", "b"]),
                new("ann", "a", &[]),
                new("bob", "b", &[])
            ]),
        );
        assert_eq!(statuses(&results), ["201", "201", "201"], "{results:?}");
        assert_eq!(results[0]["bulkId"], "t");
        let team = scim.get(&format!("/Groups/{}", id_of(&results[0])));
        let mut members: Vec<_> = team.body["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["value"].as_str().unwrap())
            .collect();
        members.sort_unstable();
        let mut expected = [id_of(&results[1]), id_of(&results[2])];
        expected.sort_unstable();
        assert_eq!(members, expected);
        // In paths, and of what is nested.
        let results = bulk(
            scim,
            None,
            &json!([
                {"method": "PATCH", "path": "/Users/bulkId:c", "data": {"Operations": [
                    {"op": "add", "path": "title", "value": "x"}]}},
                new("cat", "c", &[]),
                new("outer", "o", &["i"]),
                new("inner", "i", &["c"]),
                {"method": "DELETE", "path": "/Users/bulkId:gone"},
                new("gone", "gone", &[]),
            ]),
        );
        assert_eq!(
            statuses(&results),
            ["200", "201", "201", "201", "204", "201"],
            "{results:?}"
        );
        let cat = scim.get(&format!("/Users/{}", id_of(&results[1])));
        assert_eq!(cat.body["title"], "x");
        let groups = cat.body["groups"].as_array().unwrap();
        let kinds: Vec<_> = groups
            .iter()
            .map(|one| (&one["display"], &one["type"]))
            .collect();
        assert_eq!(groups.len(), 2, "{kinds:?}");
        // A circle: neither can be first (RFC 7644 §3.7.1 has it possible, not
        // required).
        let results = bulk(
            scim,
            None,
            &json!([
                new("x", "x", &["y"]),
                new("y", "y", &["x"]),
                new("dan", "d", &[])
            ]),
        );
        assert_eq!(statuses(&results), ["409", "409", "201"], "{results:?}");
        assert_eq!(results[0]["response"]["status"], "409");
        // What was not made.
        let results = bulk(
            scim,
            None,
            &json!([
                new("z", "z", &["e"]),
                new("ANN", "e", &[]),
                new("q", "q", &["nobody"])
            ]),
        );
        assert_eq!(statuses(&results), ["400", "409", "400"], "{results:?}");
        assert_eq!(results[1]["response"]["scimType"], "uniqueness");
        let groups = scim.get("/Groups").body["totalResults"].as_u64();
        assert_eq!(groups, Some(3));
    });
}

#[test]
fn bulk_requests_stop_at_their_errors() {
    on_each(|scim| {
        let new = |name: &str, bulk_id: &str| {
            json!({"method": "POST", "path": "/Users", "bulkId": bulk_id,
                "data": {"schemas": [USER], "userName": name}})
        };
        let operations = json!([
            new("a", "1"),
            new("A", "2"),
            new("b", "3"),
            new("B", "4"),
            new("c", "5"),
        ]);
        let results = bulk(scim, Some(2), &operations);
        assert_eq!(
            statuses(&results),
            ["201", "409", "201", "409"],
            "{results:?}"
        );
        let results = bulk(scim, Some(1), &json!([new("a", "1"), new("d", "2")]));
        assert_eq!(statuses(&results), ["409"]);
        let results = bulk(
            scim,
            None,
            &json!([
                {"method": "GET", "path": "/Users"},
                {"method": "POST", "path": "/Users", "data": {"userName": "x"}},
                {"method": "POST", "path": "/Nothing", "bulkId": "n", "data": {}},
                {"method": "PUT", "path": "/Users", "data": {}},
                {"method": "DELETE", "path": "/Users/unknown"},
                {"method": "PATCH", "path": "/Users/unknown", "version": "W/\"1\"", "data": {}},
                new("e", "same"), new("f", "same"), 5, {},
            ]),
        );
        assert_eq!(
            statuses(&results),
            [
                "400", "400", "404", "400", "404", "400", "201", "400", "400", "400"
            ],
            "{results:?}"
        );
        // By version.
        let made = scim.post("/Users", &user("v"));
        let path = format!("/Users/{}", made.id());
        let data = json!({"Operations": [{"op": "add", "path": "title", "value": "x"}]});
        let patch = |version: &str| {
            let one = json!([{"method": "PATCH", "path": path, "version": version, "data": data}]);
            bulk(scim, None, &one)[0].clone()
        };
        assert_eq!(patch("W/\"9\"")["status"], "412");
        let done = patch("W/\"1\"");
        assert_eq!(
            (&done["status"], &done["version"]),
            (&json!("200"), &json!("W/\"2\""))
        );
        // What is no request at all, or too much of one.
        let send = |body: &Value| scim.post("/Bulk", body).status;
        let schemas = json!(["urn:ietf:params:scim:api:messages:2.0:BulkRequest"]);
        assert_eq!(send(&json!({"Operations": []})), 400);
        assert_eq!(send(&json!({"schemas": schemas})), 400);
        let none = json!({"schemas": schemas, "failOnErrors": 0, "Operations": []});
        assert_eq!(send(&none), 400);
        let many = json!({"schemas": schemas, "Operations": vec![json!({}); 1001]});
        assert_eq!(send(&many), 413);
        let large = json!({"schemas": schemas, "Operations": ["x".repeat(1 << 20)]});
        assert_eq!(send(&large), 413);
    });
}

/// A request costs what it is long, whatever refers to what in it: as many
/// operations as may be, each waiting for the next, and a first one with as many
/// references to nothing as a body has room for.
#[test]
fn bulk_requests_cost_what_they_are_long() {
    on_each(|scim| {
        let operation = |number: usize, data: Value| {
            let id = format!("b{number}");
            json!({"method": "POST", "path": "/Users", "bulkId": id, "data": data})
        };
        let nothing = vec![json!("bulkId:zzz"); 60_000];
        let mut operations = vec![operation(0, json!({"title": "bulkId:b1", "x": nothing}))];
        operations.extend((1..999).map(|number| {
            let next = format!("bulkId:b{}", number + 1);
            operation(number, json!({"title": next}))
        }));
        operations.push(operation(999, json!({})));
        let results = bulk(scim, None, &json!(operations));
        assert_eq!(results.len(), 1000);
        assert!(results.iter().all(|one| one["status"] == "400"));
    });
}
