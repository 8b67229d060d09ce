//! Publishing, rolling back, and replicas.

use std::thread;

use ig_e2e::{ControlPlane, fill, policy_bundle};
use serde_json::{Value, json};

use crate::databases::Database;

fn demo(control: &ControlPlane) {
    fill(|method, path, body| control.call(method, path, body)).unwrap();
}

fn publish(control: &ControlPlane) -> Value {
    let (status, answer) = control.call("POST", "/snapshots/demo", "");
    assert_eq!(status, 200, "{answer}");
    answer
}

#[test]
fn the_same_rows_are_the_same_revision_everywhere() {
    let mut revisions: Vec<_> = Database::each()
        .map(|database| {
            let control = database.start();
            demo(&control);
            let revision = publish(&control)["revision"].clone();
            assert_eq!(publish(&control)["changed"], false);
            control.stop().unwrap();
            revision.to_string()
        })
        .collect();
    revisions.dedup();
    assert_eq!(revisions.len(), 1, "{revisions:?}");
}

#[test]
fn back_to_what_was_before() {
    for database in Database::each() {
        let control = database.start();
        demo(&control);
        let first = publish(&control);
        let tenant = json!({"purposes": ["audit"]}).to_string();
        control.call("PUT", "/tenants/bravo", &tenant);
        let second = publish(&control);
        assert_eq!(second["before"], first["revision"]);
        let back = format!("/snapshots/demo/{}", first["revision"].as_str().unwrap());
        let (status, answer) = control.call("POST", &back, "");
        assert_eq!(
            (status, &answer["revision"]),
            (200, &first["revision"]),
            "{answer}"
        );
        assert_eq!(control.call("POST", &back, "").1["changed"], false);
        // What is stored did not change: it is what the next one has.
        assert_eq!(publish(&control)["revision"], second["revision"]);
        let (_, listed) = control.call("GET", "/snapshots/demo", "");
        assert_eq!(listed["items"].as_array().unwrap().len(), 4);
        control.stop().unwrap();
    }
}

#[test]
fn a_policy_is_rolled_back() {
    for database in Database::each() {
        let control = database.start();
        demo(&control);
        let (_, graph) = control.call("GET", "/graphs/demo", "");
        let first = graph["bundle"].clone();
        let next = policy_bundle(Some("next")).unwrap();
        assert_eq!(control.call("POST", "/policies/bundles", next).0, 201);
        let activate = |body: Value| control.call("PUT", "/graphs/demo/bundle", body.to_string());
        assert_eq!(activate(json!({})).0, 409, "there is none before");
        assert_eq!(activate(json!({"revision": "none"})).0, 404);
        let (status, answer) = activate(json!({"revision": "next"}));
        assert_eq!((status, &answer["before"]), (200, &first), "{answer}");
        let (status, answer) = activate(json!({}));
        assert_eq!((status, &answer["revision"]), (200, &first), "{answer}");
        let (_, history) = control.call("GET", "/graphs/demo/bundle", "");
        let history: Vec<_> = history
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["bundle"])
            .collect();
        assert_eq!(history, [&first, &json!("next"), &first]);
        let (_, audit) = control.call("GET", "/audit?limit=1", "");
        assert_eq!(audit["items"][0]["action"], "policy.activate");
        assert_eq!(audit["items"][0]["before"], "next");
        control.stop().unwrap();
    }
}

/// However publications of two replicas meet, what is published in the end has
/// the last change of each.
#[test]
fn publications_at_the_same_time_lose_nothing() {
    for database in Database::each() {
        let first = database.start();
        demo(&first);
        let token = first.token.clone();
        // A second process for PostgreSQL, and the same one for SQLite.
        let mut second = database
            .url
            .starts_with("postgres")
            .then(|| database.start());
        if let Some(second) = &mut second {
            second.token = token;
        }
        let replicas = [&first, second.as_ref().unwrap_or(&first)];
        thread::scope(|scope| {
            for (number, control) in replicas.into_iter().enumerate() {
                scope.spawn(move || {
                    for round in 0..10 {
                        let path = format!("/tenants/t{number}-{round}");
                        assert_eq!(control.call("PUT", &path, "{}").0, 204);
                        let (status, answer) = control.call("POST", "/snapshots/demo", "");
                        assert!(status == 200 || status == 409, "{status} {answer}");
                    }
                });
            }
        });
        let (_, published) = first.call("GET", "/snapshots/demo?limit=1", "");
        let before = published["items"][0]["revision"].clone();
        // Had a stale one come last, this would change something.
        assert_eq!(publish(&first)["revision"], before);
        first.stop().unwrap();
        if let Some(second) = second {
            second.stop().unwrap();
        }
    }
}

/// How far a roll-back reaches is bounded, and with it the database.
#[test]
fn old_snapshots_are_forgotten() {
    let database = Database::sqlite();
    let control = database.start();
    demo(&control);
    let first = publish(&control)["revision"].clone();
    for round in 0..101 {
        let tenant = json!({"purposes": [format!("p{round}")]}).to_string();
        assert_eq!(control.call("PUT", "/tenants/bravo", tenant).0, 204);
        publish(&control);
    }
    let (_, listed) = control.call("GET", "/snapshots/demo?limit=1000", "");
    assert_eq!(listed["items"].as_array().unwrap().len(), 100);
    let path = format!("/snapshots/demo/{}", first.as_str().unwrap());
    assert_eq!(control.call("GET", &path, "").0, 404);
    assert_eq!(control.call("POST", &path, "").0, 404);
    control.stop().unwrap();
}
