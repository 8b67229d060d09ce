//! Who may provision: a provisioner, its own tenant, and nobody else.

use ig_e2e::Scim;
use serde_json::json;

use super::{ERROR, group, user};
use crate::databases::Database;

const CALLS: &[(&str, &str)] = &[
    ("GET", "/ServiceProviderConfig"),
    ("GET", "/Schemas"),
    ("GET", "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User"),
    ("GET", "/ResourceTypes"),
    ("GET", "/ResourceTypes/User"),
    ("GET", "/Me"),
    ("GET", ""),
    ("POST", "/.search"),
    ("POST", "/Bulk"),
    ("GET", "/Users"),
    ("POST", "/Users"),
    ("POST", "/Users/.search"),
    ("GET", "/Users/x"),
    ("PUT", "/Users/x"),
    ("PATCH", "/Users/x"),
    ("DELETE", "/Users/x"),
    ("GET", "/Groups"),
    ("POST", "/Groups"),
    ("POST", "/Groups/.search"),
    ("GET", "/Groups/x"),
    ("PUT", "/Groups/x"),
    ("PATCH", "/Groups/x"),
    ("DELETE", "/Groups/x"),
];

#[test]
fn other_roles_provision_nothing() {
    for database in Database::each() {
        let control = database.start_with_failures(100_000);
        let provisioner = control.provisioner("alpha", false).unwrap();
        let made = provisioner.post("/Users", &user("ann"));
        let ann = format!("/Users/{}", made.id());
        let tokens = [
            ("viewer", json!({})),
            ("publisher", json!({})),
            ("owner", json!({})),
            ("tenant-admin", json!({"tenant": "alpha"})),
        ];
        let mut clients: Vec<(&str, u16, Scim)> = tokens
            .into_iter()
            .map(|(role, of)| {
                let token = control.make_token(role, &of).unwrap();
                (role, 403, Scim::new(provisioner.base.as_str(), token))
            })
            .collect();
        for token in ["", "x", "ig_0", &provisioner.token.to_uppercase()] {
            clients.push(("nobody", 401, Scim::new(provisioner.base.as_str(), token)));
        }
        for (role, expected, client) in &clients {
            let known = [("GET", ann.as_str()), ("DELETE", ann.as_str())];
            for (method, path) in CALLS.iter().copied().chain(known) {
                let body = if method == "GET" { "" } else { "{}" };
                let answer = client.send(method, path, &[], body.as_bytes());
                let text = &answer.text;
                assert_eq!(answer.status, *expected, "{role} {method} {path}: {text}");
                assert_eq!(
                    answer.body["schemas"],
                    json!([ERROR]),
                    "{role} {method} {path}"
                );
                assert_eq!(answer.body["status"], expected.to_string());
                let challenge = answer.header("www-authenticate");
                assert_eq!(challenge.is_some(), *expected == 401);
                assert!(!answer.text.contains("ann"), "{role} {method} {path}");
            }
        }
        for (method, path) in CALLS {
            let answer = provisioner.send(method, path, &[], b"{}");
            assert!(![401, 403].contains(&answer.status), "{method} {path}");
        }
        assert_eq!(provisioner.get(&ann).text, made.text);
        control.stop().unwrap();
    }
}

/// A token ends with its tenant; a later tenant of the name is another one.
#[test]
fn tokens_and_users_end_with_their_tenant() {
    for database in Database::each() {
        let control = database.start();
        let first = control.provisioner("alpha", false).unwrap();
        let bravo = control.provisioner("bravo", false).unwrap();
        let ann = first.post("/Users", &user("ann")).id();
        assert_eq!(bravo.post("/Users", &user("ann")).status, 201);
        assert_eq!(control.call("DELETE", "/tenants/alpha", "").0, 204);
        assert_eq!(first.get("/Users").status, 401);
        let second = control.provisioner("alpha", false).unwrap();
        assert_eq!(second.get("/Users").body["totalResults"], 0);
        assert_eq!(second.get(&format!("/Users/{ann}")).status, 404);
        assert_eq!(second.post("/Users", &user("ANN")).status, 201);
        assert_eq!(first.get("/Users").status, 401);
        assert_eq!(bravo.get("/Users").body["totalResults"], 1);
        control.stop().unwrap();
    }
}

/// Whoever writes while a tenant is deleted writes to that one, or not at all:
/// nothing is there in the next one of the name.
#[test]
fn what_races_with_a_deletion_is_not_in_the_next_tenant() {
    const ROUNDS: usize = 12;
    for database in Database::each() {
        let control = database.start();
        for round in 0..ROUNDS {
            let scim = control.provisioner("alpha", false).unwrap();
            let write = |writer: usize| {
                for number in 0.. {
                    let name = format!("{round}-{writer}-{number}");
                    let user = scim.post("/Users", &user(&name));
                    let group = scim.post("/Groups", &group(&name, [user.id().as_str()]));
                    let statuses = [user.status, group.status];
                    let is_known = |status: &u16| [201, 401].contains(status);
                    assert!(statuses.iter().all(is_known), "{statuses:?}");
                    if statuses.contains(&401) {
                        return number;
                    }
                }
                0
            };
            let written: usize = std::thread::scope(|scope| {
                let write = &write;
                let writers: Vec<_> = (0..6)
                    .map(|number| scope.spawn(move || write(number)))
                    .collect();
                while scim.get("/Users?count=0").body["totalResults"] == 0 {}
                assert_eq!(control.call("DELETE", "/tenants/alpha", "").0, 204);
                assert_eq!(control.call("PUT", "/tenants/alpha", "{}").0, 204);
                writers.into_iter().map(|one| one.join().unwrap()).sum()
            });
            let next = control.provisioner("alpha", false).unwrap();
            for path in ["/Users", "/Groups", "/Users?filter=userName%20pr"] {
                let list = next.get(path);
                let count = list.each("/id").len();
                assert_eq!(list.body["totalResults"], 0, "{written} {}", list.text);
                assert_eq!(count, 0, "{}", list.text);
            }
            assert_eq!(control.call("DELETE", "/tenants/alpha", "").0, 204);
        }
        control.stop().unwrap();
    }
}

/// Guessing is slow, and does not keep out who has a token.
#[test]
fn guesses_are_bounded() {
    for database in Database::each() {
        let control = database.start_with_failures(5);
        let scim = control.provisioner("alpha", false).unwrap();
        assert_eq!(scim.get("/Users").status, 200);
        let guess =
            |number: usize| Scim::new(scim.base.as_str(), format!("ig_{number}")).get("/Users");
        let answers: Vec<_> = (0..20).map(guess).collect();
        assert!(answers[..5].iter().all(|one| one.status == 401));
        let last = answers.last().unwrap();
        assert_eq!(last.status, 429, "{}", last.text);
        assert_eq!(last.body["schemas"], json!([ERROR]));
        assert!(last.header("retry-after").is_some());
        assert_eq!(scim.get("/Users").status, 200);
        control.stop().unwrap();
    }
}
