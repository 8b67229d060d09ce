//! Clients, replacing, and what is refused unless it is forced.

use serde_json::{Value, json};

use crate::databases::Database;

const FIELDS: usize = 10;

fn sdl() -> String {
    let fields: Vec<_> = (0..FIELDS)
        .map(|number| format!("f{number}: Int"))
        .collect();
    format!("type Query {{ {} }}", fields.join(" "))
}

/// A map of the operations with these numbers.
fn map(numbers: impl IntoIterator<Item = usize>) -> String {
    let one = |number| {
        (
            format!("id-{number}"),
            json!(format!("query Q{number} {{ f{number} }}")),
        )
    };
    Value::Object(numbers.into_iter().map(one).collect()).to_string()
}

#[test]
fn a_push_may_replace_what_is_there() {
    for database in Database::each() {
        let control = database.start();
        assert_eq!(control.call("PUT", "/schemas/demo/dev", sdl()).0, 201);
        let push = |query: &str, body: String| {
            control.call("POST", &format!("/catalogue/demo?tag=dev{query}"), body)
        };
        let (status, answer) = push("", map(0..FIELDS));
        assert_eq!(
            (status, &answer["added"]),
            (200, &json!(FIELDS)),
            "{answer}"
        );
        // Three of ten are more than a fifth.
        let (status, answer) = push("&replace=true", map(0..7));
        assert_eq!(status, 409, "{answer}");
        assert!(
            answer["detail"].as_str().unwrap().contains("3 of 10"),
            "{answer}"
        );
        let (status, answer) = push("&replace=true", map(0..8));
        assert_eq!(
            (status, answer["replaced"].as_array().unwrap().len()),
            (200, 2)
        );
        let (status, answer) = push("&replace=true&force=true", map(0..1));
        assert_eq!(
            (status, answer["replaced"].as_array().unwrap().len()),
            (200, 7)
        );
        let (_, listed) = control.call("GET", "/catalogue/demo", "");
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        let (_, listed) = control.call("GET", "/catalogue/demo?retired=true", "");
        assert_eq!(listed["items"].as_array().unwrap().len(), FIELDS);
        control.stop().unwrap();
    }
}

#[test]
fn clients_share_documents() {
    let database = Database::sqlite();
    let control = database.start();
    control.call("PUT", "/schemas/demo/dev", sdl());
    let push = |query: &str, body: String| {
        let (status, answer) =
            control.call("POST", &format!("/catalogue/demo?tag=dev{query}"), body);
        assert_eq!(status, 200, "{answer}");
        answer
    };
    let clients = || -> Vec<Value> {
        let (_, listed) = control.call("GET", "/catalogue/demo", "");
        let items = listed["items"].as_array().unwrap().clone();
        let mut named: Vec<_> = items
            .into_iter()
            .map(|one| json!([one["ids"][0], one["clients"]]))
            .collect();
        named.sort_by_key(ToString::to_string);
        named
    };
    push("&client=kiosk", map(0..2));
    assert_eq!(push("&client=portal", map(1..3))["widened"], 1);
    let ids: Vec<_> = clients().into_iter().map(|one| one[1].clone()).collect();
    for wanted in [
        json!(["kiosk"]),
        json!(["kiosk", "portal"]),
        json!(["portal"]),
    ] {
        assert!(ids.contains(&wanted), "{ids:?}");
    }
    // One client's build takes away what is its own, not what others use.
    let answer = push("&client=kiosk&replace=true&force=true", map(0..1));
    assert_eq!(answer["replaced"].as_array().unwrap().len(), 1);
    let ids: Vec<_> = clients().into_iter().map(|one| one[1].clone()).collect();
    assert_eq!(
        ids.iter().filter(|one| **one == json!(["portal"])).count(),
        2
    );
    // For everybody is for those too who had it alone.
    assert_eq!(push("", map(0..1))["widened"], 1);
    assert_eq!(push("&client=kiosk", map(0..1))["widened"], 0);
    control.stop().unwrap();
}

#[test]
fn lists_come_in_pages() {
    for database in Database::each() {
        let control = database.start();
        control.call("PUT", "/schemas/demo/dev", sdl());
        control.call("POST", "/catalogue/demo?tag=dev", map(0..FIELDS));
        for number in 0..FIELDS {
            control.call("PUT", &format!("/tenants/t{number}"), "{}");
        }
        for (path, key, total) in [
            ("/catalogue/demo", "hash", FIELDS),
            ("/audit", "number", FIELDS + 2),
        ] {
            let mut seen = Vec::new();
            let mut cursor = String::new();
            loop {
                let (status, page) = control.call("GET", &format!("{path}?limit=3{cursor}"), "");
                assert_eq!(status, 200, "{page}");
                let items = page["items"].as_array().unwrap();
                seen.extend(items.iter().map(|one| one[key].to_string()));
                match page["next"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
            assert_eq!((seen.len(), distinct.len()), (total, total), "{path}");
        }
        control.stop().unwrap();
    }
}
