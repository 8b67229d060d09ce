//! Pages by index and by cursor (RFC 7644 §3.4.2.4, RFC 9865), while users
//! come and go.

use std::collections::BTreeSet;

use ig_e2e::{Scim, ScimAnswer};
use serde_json::{Value, json};

use super::{Random, USER, group, user};
use crate::databases::Database;

const COUNT: usize = 250;

/// Ties, missing values, and an order that is not that of names.
fn new(number: usize) -> Value {
    let shuffled = (number * 97) % COUNT;
    let mut new = user(&format!("u{shuffled:03}"));
    if !number.is_multiple_of(5) {
        new["title"] = format!("Title {}", shuffled % 7).into();
    }
    if number.is_multiple_of(3) {
        new["externalId"] = format!("e{}", shuffled % 50).into();
    }
    new["active"] = (!number.is_multiple_of(4)).into();
    new
}

fn seed(scim: &Scim) {
    let operation = |number| json!({"method": "POST", "path": "/Users", "bulkId": format!("{number}"), "data": new(number)});
    let body = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
        "Operations": (0..COUNT).map(operation).collect::<Vec<_>>(),
    });
    let answer = scim.post("/Bulk", &body);
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(scim.get("/Users").body["totalResults"], COUNT);
}

/// A list and its sort.
#[derive(Clone, Copy, Debug)]
struct List {
    path: &'static str,
    parameters: &'static [(&'static str, &'static str)],
}

impl List {
    fn page(self, scim: &Scim, more: &[(&str, &str)]) -> ScimAnswer {
        let parameters = [self.parameters, more].concat();
        let answer = scim.list(self.path, &parameters);
        assert_eq!(answer.status, 200, "{self:?} {more:?}: {}", answer.text);
        answer
    }

    fn all(self, scim: &Scim) -> Vec<String> {
        self.page(scim, &[("count", "500")]).each("/id")
    }
}

fn cursor<'a>(answer: &'a ScimAnswer, name: &str) -> Option<&'a str> {
    answer.body.get(name).map(|cursor| cursor.as_str().unwrap())
}

const SORTS: &[&[(&str, &str)]] = &[
    &[],
    &[("sortBy", "userName")],
    &[("sortBy", "userName"), ("sortOrder", "descending")],
    &[("sortBy", "title")],
    &[("sortBy", "title"), ("sortOrder", "descending")],
    &[("sortBy", "externalId")],
    &[("sortBy", "externalId"), ("sortOrder", "descending")],
    &[("sortBy", "active"), ("sortOrder", "descending")],
    &[("sortBy", "meta.lastModified"), ("sortOrder", "descending")],
    &[("sortBy", "id")],
    // Nobody has it.
    &[("sortBy", "nickName"), ("sortOrder", "descending")],
    &[("sortBy", "title"), ("filter", "active eq true")],
    &[("filter", "title pr and externalId pr")],
];

#[test]
fn pages_by_index_and_by_cursor_are_the_list() {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        seed(&scim);
        for number in 0..7 {
            assert_eq!(
                scim.post("/Groups", &group(&format!("Title {number}"), []))
                    .status,
                201
            );
        }
        let users = SORTS.iter().map(|parameters| List {
            path: "/Users",
            parameters,
        });
        // Of both types: what one does not have is missing.
        let both = SORTS[..8].iter().map(|parameters| List {
            path: "",
            parameters,
        });
        let by_display = List {
            path: "",
            parameters: &[("sortBy", "displayName")],
        };
        for list in users.chain(both).chain([by_display]) {
            let all = list.all(&scim);
            let total = u64::try_from(all.len()).unwrap();
            assert_eq!(
                all.iter().collect::<BTreeSet<_>>().len(),
                all.len(),
                "{list:?}"
            );
            by_index(&scim, list, &all);
            by_cursor(&scim, list, &all);
            let none = list.page(&scim, &[("count", "0")]);
            assert_eq!(none.body["totalResults"], total);
            assert_eq!(none.body["Resources"], json!([]));
        }
        control.stop().unwrap();
    }
}

fn by_index(scim: &Scim, list: List, all: &[String]) {
    let mut found = Vec::new();
    while found.len() < all.len() {
        let start = (found.len() + 1).to_string();
        let page = list.page(scim, &[("startIndex", &start), ("count", "70")]);
        let ids = page.each("/id");
        assert_eq!(page.body["itemsPerPage"], ids.len());
        assert_eq!(page.body["totalResults"], all.len());
        assert!(!ids.is_empty() && ids.len() <= 70, "{list:?}");
        assert!(page.body.get("nextCursor").is_none());
        found.extend(ids);
    }
    assert_eq!(found, all, "{list:?}");
    let start = (all.len() + 1).to_string();
    let behind = list.page(scim, &[("startIndex", &start)]);
    assert_eq!(behind.body["Resources"], json!([]));
}

/// There and back again.
fn by_cursor(scim: &Scim, list: List, all: &[String]) {
    let mut pages = vec![list.page(scim, &[("cursor", ""), ("count", "60")])];
    assert!(cursor(&pages[0], "previousCursor").is_none(), "{list:?}");
    while let Some(next) = cursor(pages.last().unwrap(), "nextCursor") {
        let page = list.page(scim, &[("cursor", next), ("count", "60")]);
        assert_eq!(page.body["totalResults"], all.len());
        assert!(page.body.get("startIndex").is_none());
        pages.push(page);
    }
    let found: Vec<_> = pages.iter().flat_map(|page| page.each("/id")).collect();
    assert_eq!(found, all, "{list:?}");
    assert_eq!(pages.len(), all.len().div_ceil(60), "{list:?}");
    let mut page = pages.pop().unwrap();
    while let Some(expected) = pages.pop() {
        let back = cursor(&page, "previousCursor").unwrap();
        page = list.page(scim, &[("cursor", back), ("count", "60")]);
        assert_eq!(page.each("/id"), expected.each("/id"), "{list:?}");
        let next = cursor(&page, "nextCursor").unwrap();
        let again = list.page(scim, &[("cursor", next), ("count", "1")]);
        assert_eq!(again.each("/id").len(), 1, "{list:?}");
    }
    assert!(cursor(&page, "previousCursor").is_none(), "{list:?}");
}

/// Who is there all the time is seen once, whoever comes and goes, in order.
#[test]
fn cursors_hold_while_users_come_and_go() {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        seed(&scim);
        let mut random = Random(7);
        for (round, parameters) in SORTS[..11].iter().enumerate().step_by(2) {
            let list = List {
                path: "/Users",
                parameters,
            };
            let stays: BTreeSet<String> = list.all(&scim).into_iter().collect();
            let mut gone = BTreeSet::new();
            let mut seen = Vec::new();
            let mut next = String::new();
            for page in 0.. {
                let answer = list.page(&scim, &[("cursor", &next), ("count", "40")]);
                let ids = answer.each("/id");
                seen.extend(ids.clone());
                let Some(cursor) = cursor(&answer, "nextCursor") else {
                    break;
                };
                next = cursor.to_owned();
                assert!(page < 20, "{list:?} does not end");
                // The last of the page, which the cursor is of, and others.
                let mut leave = vec![ids.last().unwrap().clone()];
                let all: Vec<_> = stays.difference(&gone).cloned().collect();
                leave.extend((0..3).map(|_| random.of(&all).unwrap().clone()));
                for id in leave {
                    if gone.insert(id.clone()) {
                        assert_eq!(scim.delete(&format!("/Users/{id}")).status, 204);
                    }
                }
                for side in ["a", "u1", "z"] {
                    let mut new = user(&format!("{side}{round}-{page}"));
                    new["title"] = format!("Title {}", random.below(9)).into();
                    assert_eq!(scim.post("/Users", &new).status, 201);
                }
            }
            let once: BTreeSet<String> = seen.iter().cloned().collect();
            assert_eq!(once.len(), seen.len(), "{list:?} shows somebody twice");
            let missed: Vec<_> = stays
                .difference(&gone)
                .filter(|id| !once.contains(*id))
                .collect();
            assert!(missed.is_empty(), "{list:?} misses {missed:?}");
            // In order, those that are still there.
            let order: Vec<String> = list.all(&scim);
            let still: BTreeSet<&String> = order.iter().collect();
            let seen: Vec<&String> = seen.iter().filter(|id| still.contains(id)).collect();
            let known: BTreeSet<&String> = seen.iter().copied().collect();
            let order: Vec<&String> = order.iter().filter(|id| known.contains(id)).collect();
            assert_eq!(seen, order, "{list:?}");
        }
        let total = scim.get("/Users?count=0").body["totalResults"].clone();
        let names = List {
            path: "/Users",
            parameters: &[],
        }
        .page(&scim, &[("count", "500")]);
        assert_eq!(total, names.each("/id").len());
        control.stop().unwrap();
    }
}

#[test]
fn a_cursor_is_good_for_its_list_only() {
    for database in Database::each() {
        let control = database.start();
        let scim = control.provisioner("alpha", false).unwrap();
        let bravo = control.provisioner("bravo", false).unwrap();
        for side in [&scim, &bravo] {
            for number in 0..5 {
                let new =
                    json!({"schemas": [USER], "userName": format!("u{number}"), "title": "t"});
                assert_eq!(side.post("/Users", &new).status, 201);
            }
        }
        let query = [("sortBy", "title"), ("filter", "title pr"), ("count", "2")];
        let with = |scim: &Scim, path: &str, parameters: &[(&str, &str)], cursor: &str| {
            scim.list(path, &[parameters, &[("cursor", cursor)]].concat())
        };
        let first = with(&scim, "/Users", &query, "");
        let next = cursor(&first, "nextCursor").unwrap().to_owned();
        let refused = |answer: ScimAnswer, what: &str| {
            assert_eq!(answer.status, 400, "{what}: {}", answer.text);
            assert_eq!(answer.body["scimType"], "invalidCursor", "{what}");
        };
        refused(with(&bravo, "/Users", &query, &next), "another tenant");
        refused(
            with(&scim, "/Groups", &[("count", "2")], &next),
            "another type",
        );
        refused(with(&scim, "", &query, &next), "all types");
        refused(
            with(&scim, "/Users", &query[..1], &next),
            "without the filter",
        );
        refused(
            with(&scim, "/Users", &query[1..], &next),
            "without the sort",
        );
        let other = [("sortBy", "title"), ("filter", "title pr or active pr")];
        refused(with(&scim, "/Users", &other, &next), "another filter");
        let other = [query[0], query[1], ("sortOrder", "descending")];
        refused(with(&scim, "/Users", &other, &next), "another order");
        refused(with(&scim, "/Users", &query, "x"), "made up");
        refused(with(&scim, "/Users", &query, &next[1..]), "cut");
        refused(with(&scim, "/Users", &query, &format!("{next}A")), "longer");
        for position in 0..next.len() {
            let mut changed = next.clone().into_bytes();
            changed[position] = if changed[position] == b'A' {
                b'B'
            } else {
                b'A'
            };
            let changed = String::from_utf8(changed).unwrap();
            refused(with(&scim, "/Users", &query, &changed), "changed");
        }
        // It says nothing of where it is.
        assert!(!first.text.contains("number") && next.len() > 40);
        let index = scim.list("/Users", &[("cursor", &next), ("startIndex", "2")]);
        assert_eq!(
            (index.status, index.body["scimType"].as_str()),
            (400, Some("invalidValue"))
        );
        // Another count and another projection are of the same list; so is a
        // search by POST.
        let more = [
            query[0],
            query[1],
            ("count", "500"),
            ("attributes", "userName"),
        ];
        assert_eq!(
            with(&scim, "/Users", &more, &next).each("/userName"),
            ["u2", "u3", "u4"]
        );
        let body = json!({"sortBy": "title", "filter": "title pr", "count": 500, "cursor": next});
        let posted = scim.post("/Users/.search", &body);
        assert_eq!(
            posted.each("/userName"),
            ["u2", "u3", "u4"],
            "{}",
            posted.text
        );
        // A restart and another replica know it, too.
        drop(control);
        let again = database.start();
        let mut restarted = scim.clone();
        restarted.base = format!("http://{}/scim/v2", again.http);
        let answer = with(&restarted, "/Users", &query, &next);
        assert_eq!(answer.each("/userName"), ["u2", "u3"], "{}", answer.text);
        again.stop().unwrap();
    }
}
