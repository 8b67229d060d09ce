//! Keys of step-up tokens: how the next one takes over, and what that publishes.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_contract::Snapshot;
use ig_contract::step_up::Spent;
use serde_json::{Value, json};

use crate::databases::Database;
use crate::step_up::{Bench, export, key, reason};

const BY: &str = "system:step-up-keys";

/// A graph whose snapshots have keys.
fn start(database: &Database) -> Bench {
    let bench = Bench::start(database);
    let (_, mut graph) = bench.control.call("GET", "/graphs/demo", "");
    let settings = graph["settings"].as_str().unwrap();
    let directory = "[directory]\ncluster = \"control-plane\"\nauthority = \"ig\"\n";
    graph["settings"] = json!(format!("{settings}{directory}"));
    let (status, said) = bench.control.call("PUT", "/graphs/demo", graph.to_string());
    assert_eq!(status, 204, "{said}");
    publish(&bench);
    bench
}

fn publish(bench: &Bench) -> Value {
    let (status, answer) = bench.control.call("POST", "/snapshots/demo", "");
    assert_eq!(status, 200, "{answer}");
    answer
}

fn published(bench: &Bench) -> Snapshot {
    let bytes: Option<Vec<u8>> = bench.query(
        "SELECT s.bytes FROM publications p JOIN snapshots s ON s.revision = p.revision \
         WHERE p.graph = 'demo' ORDER BY p.number DESC LIMIT 1",
    );
    Snapshot::decode(bytes.unwrap()).unwrap()
}

fn kids(snapshot: &Snapshot) -> Vec<String> {
    let step_up = snapshot.head().step_up.as_ref().unwrap();
    step_up.keys.iter().map(|key| key.kid.clone()).collect()
}

fn keys(bench: &Bench) -> Vec<(String, String)> {
    let (status, keys) = bench.control.call("GET", "/step-up/keys", "");
    assert_eq!(status, 200, "{keys}");
    assert!(!keys.to_string().contains("seed"), "{keys}");
    let text = |one: &Value, name: &str| one[name].as_str().unwrap().to_owned();
    let keys = keys.as_array().unwrap().iter();
    keys.map(|one| (text(one, "kid"), text(one, "state")))
        .collect()
}

fn states(bench: &Bench) -> Vec<String> {
    keys(bench).into_iter().map(|(_, state)| state).collect()
}

fn jwks(bench: &Bench) -> usize {
    let (_, jwks) = bench
        .control
        .call_as(None, "GET", "/.well-known/jwks.json", "");
    jwks["keys"].as_array().unwrap().len()
}

fn rotate(bench: &Bench, body: Value) -> (u16, Value) {
    bench
        .control
        .call("POST", "/step-up/keys", body.to_string())
}

/// Who signed a token.
fn kid(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

const REKEYED: &str =
    "SELECT COUNT(*) FROM publications WHERE published_by = 'system:step-up-keys'";

#[test]
fn the_next_key_is_told_before_it_signs_and_the_last_while_it_counts() {
    let own = json!({"actions": ["passkey:add"]});
    for database in Database::each() {
        let bench = start(&database);
        let ada = bench.person("ada");
        let mut passkey = key(3);
        ada.add(&mut passkey);
        let [(first, state)] = &keys(&bench)[..] else {
            panic!("one key");
        };
        assert_eq!(state, "current");
        let before = published(&bench);
        assert_eq!(kids(&before), [first.as_str()]);
        // An edit that nobody has published.
        let edit = json!({"purposes": ["audit"]}).to_string();
        assert_eq!(bench.control.call("PUT", "/tenants/bravo", edit).0, 204);

        let (status, made) = rotate(&bench, json!({"overlapSeconds": 2}));
        assert_eq!((status, &made["state"]), (201, &json!("next")), "{made}");
        let second = made["kid"].as_str().unwrap();
        assert_eq!(rotate(&bench, json!({})).0, 409);
        assert_eq!(states(&bench), ["next", "current"]);
        let after = published(&bench);
        assert_eq!(kids(&after), [first.as_str(), second]);
        // Nothing else is others.
        let mut head = after.head().clone();
        head.step_up.clone_from(&before.head().step_up);
        assert_eq!(&head, before.head());
        assert_eq!(after.program(), before.program());
        let (_, listed) = bench.control.call("GET", "/snapshots/demo?limit=1", "");
        assert_eq!(listed["items"][0]["publishedBy"], BY);
        let (token, _) = ada.token(&mut passkey, &own);
        assert_eq!(kid(&token), *first, "it is the one that signs");

        until("the next one signs", || {
            states(&bench) == ["current", "retiring"]
        });
        let (newer, _) = ada.token(&mut passkey, &own);
        assert_eq!(kid(&newer), second);
        // What the last one signed counts on.
        assert_eq!(jwks(&bench), 2);
        for token in [&token, &newer] {
            assert_eq!(ada.begin_adding(Some(token)).0, 200);
        }
        // Until it ends.
        let (token, _) = ada.token(&mut passkey, &own);
        assert_eq!(bench.count(REKEYED), 1);
        bench.sql("UPDATE step_up_keys SET ends_at = 1 WHERE ends_at IS NOT NULL");
        until("proxies forget it", || kids(&published(&bench)) == [second]);
        assert_eq!(
            (jwks(&bench), states(&bench)),
            (1, vec!["current".to_owned()])
        );
        assert_eq!(ada.begin_adding(Some(&token)).0, 200);
        // Looking again and again publishes nothing more.
        std::thread::sleep(Duration::from_millis(2500));
        assert_eq!(bench.count(REKEYED), 2);
        assert_eq!(bench.audited("snapshot.rekey"), 2);
        assert_eq!(bench.audited("step-up.rotate"), 1);
        // The edit is still to be published.
        assert!(
            !published(&bench).head().tenants["bravo"]
                .purposes
                .contains("audit")
        );
        assert_eq!(publish(&bench)["changed"], true);
        assert!(
            published(&bench).head().tenants["bravo"]
                .purposes
                .contains("audit")
        );
        bench.control.stop().unwrap();
    }
}

#[test]
fn a_key_that_is_compromised_ends_at_once() {
    for database in Database::each() {
        let bench = start(&database);
        let ada = bench.person("ada");
        let mut passkey = key(3);
        ada.add(&mut passkey);
        assert_eq!(rotate(&bench, json!({})).0, 201);
        let (old, _) = ada.token(&mut passkey, &json!({"actions": ["passkey:add"]}));
        let (_, of_graph) = ada.token(&mut passkey, &export());
        let (status, made) = rotate(&bench, json!({"force": true}));
        assert_eq!((status, &made["state"]), (201, &json!("current")), "{made}");
        let kid = made["kid"].as_str().unwrap();
        assert_eq!(keys(&bench), [(kid.to_owned(), "current".to_owned())]);
        // By no clock does another one count, or this one not.
        let others =
            "SELECT COUNT(*) FROM step_up_keys WHERE ends_at IS NOT NULL OR signs_from > 0";
        assert_eq!(bench.count(others), 0);
        assert_eq!(
            (jwks(&bench), kids(&published(&bench))),
            (1, vec![kid.to_owned()])
        );
        assert_eq!(
            reason(&ada.begin_adding(Some(&old))),
            (401, "step-up-invalid")
        );
        assert_eq!(bench.spend(&of_graph), Spent::Over);
        let (_, of_graph) = ada.token(&mut passkey, &export());
        assert_eq!(bench.spend(&of_graph), Spent::First);
        for refused in [
            json!({"force": true, "overlapSeconds": 5}),
            json!({"overlapSeconds": 86_401}),
            json!({"overlapSeconds": -1}),
            json!({"more": 1}),
        ] {
            assert_eq!(rotate(&bench, refused.clone()).0, 422, "{refused}");
        }
        bench.control.stop().unwrap();
    }
}

/// A snapshot from before comes back with the keys of now.
#[test]
fn no_roll_back_brings_a_key_back() {
    for database in Database::each() {
        let bench = start(&database);
        let first = published(&bench);
        let edit = json!({"purposes": ["audit"]}).to_string();
        assert_eq!(bench.control.call("PUT", "/tenants/bravo", edit).0, 204);
        publish(&bench);
        let (_, made) = rotate(&bench, json!({"force": true}));
        let back = format!("/snapshots/demo/{}", first.revision());
        let (status, answer) = bench.control.call("POST", &back, "");
        assert_eq!(
            (status, &answer["changed"]),
            (200, &json!(true)),
            "{answer}"
        );
        let now = published(&bench);
        assert_eq!(answer["revision"], now.revision().to_string());
        assert_eq!(kids(&now), [made["kid"].as_str().unwrap()]);
        let mut head = now.head().clone();
        head.step_up.clone_from(&first.head().step_up);
        assert_eq!(&head, first.head());
        assert_eq!(bench.control.call("POST", &back, "").1["changed"], false);
        bench.control.stop().unwrap();
    }
}

/// However publications and changes of the key meet, what is published in the end
/// has the last edit and the keys of now.
#[test]
fn publications_and_rotations_lose_nothing() {
    for database in Database::each() {
        let bench = start(&database);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..10 {
                    let path = format!("/tenants/t{round}");
                    assert_eq!(bench.control.call("PUT", &path, "{}").0, 204);
                    let (status, answer) = bench.control.call("POST", "/snapshots/demo", "");
                    assert!(status == 200 || status == 409, "{answer}");
                }
            });
            scope.spawn(|| {
                for _ in 0..6 {
                    assert_eq!(rotate(&bench, json!({"overlapSeconds": 0})).0, 201);
                }
            });
        });
        let (_, jwks) = bench
            .control
            .call_as(None, "GET", "/.well-known/jwks.json", "");
        let told: Vec<_> = jwks["keys"].as_array().unwrap().iter().collect();
        let told: Vec<_> = told
            .iter()
            .map(|one| one["kid"].as_str().unwrap())
            .collect();
        assert_eq!(told.len(), 7);
        until("proxies know all", || kids(&published(&bench)) == told);
        publish(&bench);
        assert!(published(&bench).head().tenants.contains_key("t9"));
        assert_eq!(publish(&bench)["changed"], false);
        bench.control.stop().unwrap();
    }
}

/// However often the key changes, proxies are told of a few.
#[test]
fn keys_are_few() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    for _ in 1..8 {
        assert_eq!(rotate(&bench, json!({"overlapSeconds": 0})).0, 201);
    }
    assert_eq!(rotate(&bench, json!({"overlapSeconds": 0})).0, 409);
    assert_eq!(rotate(&bench, json!({"force": true})).0, 201);
    assert_eq!(states(&bench), ["current"]);
    bench.control.stop().unwrap();
}

/// Snapshots that verify nothing are left alone.
#[test]
fn what_has_no_keys_gets_none() {
    let database = Database::sqlite();
    let bench = Bench::start(&database);
    assert_eq!(rotate(&bench, json!({"force": true})).0, 201);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(bench.count(REKEYED), 0);
    bench.control.stop().unwrap();
}

/// Of replicas that all see a key end, one publishes that.
#[test]
fn replicas_rekey_once() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let bench = start(&database);
    let others = [database.start(), database.start()];
    assert_eq!(rotate(&bench, json!({"overlapSeconds": 0})).0, 201);
    bench.sql("UPDATE step_up_keys SET ends_at = 1 WHERE ends_at IS NOT NULL");
    until("proxies forget it", || kids(&published(&bench)).len() == 1);
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(bench.count(REKEYED), 2);
    for other in others {
        other.stop().unwrap();
    }
    bench.control.stop().unwrap();
}

/// A key ends when its row goes, and not before, whatever clocks say; and somebody
/// signs, though by a clock that is behind nobody has begun to.
#[test]
fn no_clock_leaves_nobody_to_sign() {
    for database in Database::each() {
        let bench = start(&database);
        let ada = bench.person("ada");
        let mut passkey = key(3);
        ada.add(&mut passkey);
        bench.sql("UPDATE step_up_keys SET signs_from = 4102444800000");
        let (token, _) = ada.token(&mut passkey, &json!({"actions": ["passkey:add"]}));
        assert_eq!(ada.begin_adding(Some(&token)).0, 200);
        bench.control.stop().unwrap();
    }
}

/// Where proxies cannot be told, the answer says so, and they are told later.
#[test]
fn what_could_not_be_given_new_keys_is_named_and_tried_again() {
    for database in Database::each() {
        let bench = start(&database);
        let before = kids(&published(&bench));
        bench.sql("UPDATE snapshots SET graph = 'lost'");
        let (status, made) = rotate(&bench, json!({"force": true}));
        assert_eq!(
            (status, &made["pending"]),
            (201, &json!(["demo"])),
            "{made}"
        );
        assert_eq!(kids(&published(&bench)), before);
        let numbers = bench.control.call("GET", "/metrics", "").1.to_string();
        assert!(numbers.contains("ig_step_up_rekey_failures_total"));
        assert!(!numbers.contains("ig_step_up_rekey_failures_total 0"));
        bench.sql("UPDATE snapshots SET graph = 'demo'");
        let kid = made["kid"].as_str().unwrap();
        until("proxies are told", || kids(&published(&bench)) == [kid]);
        let (_, made) = rotate(&bench, json!({"force": true}));
        assert_eq!(made["pending"], json!([]));
        bench.control.stop().unwrap();
    }
}

/// However often keys change, one may roll back as far as before.
#[test]
fn changes_of_keys_push_out_no_publication() {
    for database in Database::each() {
        let bench = start(&database);
        let first = published(&bench);
        bench.sql(
            "INSERT INTO publications (graph, revision, state, published_at, published_by) \
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120) \
             SELECT 'demo', (SELECT revision FROM publications ORDER BY number DESC LIMIT 1), \
             0, 0, 'system:step-up-keys' FROM n",
        );
        assert_eq!(rotate(&bench, json!({"force": true})).0, 201);
        assert_eq!(bench.count(REKEYED), 10);
        let back = format!("/snapshots/demo/{}", first.revision());
        assert_eq!(
            bench.control.call("GET", "/snapshots/demo?limit=100", "").0,
            200
        );
        let (status, answer) = bench.control.call("POST", &back, "");
        assert_eq!(status, 200, "{answer}");
        bench.control.stop().unwrap();
    }
}

/// What nothing depends on any more goes; keys of a release before are told.
#[test]
fn what_is_over_is_forgotten() {
    for database in Database::each() {
        let bench = start(&database);
        let ada = bench.person("ada");
        assert_eq!(ada.post("/step-up/end", &json!({}), None).0, 204);
        bench.sql(
            "INSERT INTO step_up_ends (tenant, user_id, tokens_from) VALUES ('alpha', 'u', 1)",
        );
        bench.sql("UPDATE step_up_keys SET x = NULL");
        until("the one is forgotten", || {
            bench.count("SELECT COUNT(*) FROM step_up_ends") == 1
        });
        until("the key is told", || jwks(&bench) == 1);
        bench.control.stop().unwrap();
    }
}

/// What is valid and hardly meant is said when it is published.
#[test]
fn a_publication_remarks_on_its_settings() {
    let database = Database::sqlite();
    let bench = start(&database);
    assert_eq!(publish(&bench)["remarks"], json!([]));
    let (_, mut graph) = bench.control.call("GET", "/graphs/demo", "");
    let settings = graph["settings"].as_str().unwrap();
    let step_up = "[step-up]\nsingle-use = []\nmax-age-seconds = 600\n";
    graph["settings"] = json!(format!("{settings}{step_up}"));
    let (status, said) = bench.control.call("PUT", "/graphs/demo", graph.to_string());
    assert_eq!(status, 204, "{said}");
    assert_eq!(publish(&bench)["remarks"].as_array().unwrap().len(), 2);
    bench.control.stop().unwrap();
}
