//! Alerts as issues, against a tracker that behaves as the documented APIs do.

mod chain;
mod dashboards;
mod rules;
mod runbooks;
mod silent;
mod stub;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ig_control_plane::{Config, IssuesConfig, TrackerKind};
use ig_e2e::ControlPlane;
use serde_json::{Value, json};

use crate::databases::Database;
use stub::{Fault, Stub, TOKEN};

const KINDS: [TrackerKind; 2] = [TrackerKind::Github, TrackerKind::Gitea];

/// A control plane with a tracker.
struct Bench {
    control: ControlPlane,
    stub: Stub,
    /// Of an Alertmanager.
    notifier: String,
    folder: tempfile::TempDir,
}

impl Bench {
    fn start(database: &Database, kind: TrackerKind) -> Self {
        let stub = Stub::start(kind);
        let folder = tempfile::tempdir().unwrap();
        let control = ControlPlane::start(config(database, &stub, &folder)).unwrap();
        let notifier = token_of(&control, "alertmanager", "notifier");
        Self {
            control,
            stub,
            notifier,
            folder,
        }
    }

    /// Tells of a group, as Alertmanager does.
    fn tell(&self, message: &Value) {
        let (status, said) = self.post(message.to_string());
        assert_eq!(status, 202, "{said}");
    }

    fn post(&self, message: impl AsRef<[u8]>) -> (u16, Value) {
        self.control
            .call_as(Some(&self.notifier), "POST", "/alerts/webhook", message)
    }

    fn groups(&self) -> Vec<Value> {
        let (status, groups) = self.control.call("GET", "/alerts", "");
        assert_eq!(status, 200, "{groups}");
        groups.as_array().unwrap().clone()
    }

    /// Waits until all issues are as they are to be.
    fn settled(&self) -> Vec<Value> {
        wait(|| {
            let groups = self.groups();
            let are_done = groups.iter().all(|group| group["isDone"] == true);
            are_done.then_some(groups)
        })
    }
}

fn config(database: &Database, stub: &Stub, folder: &tempfile::TempDir) -> Config {
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
    Config {
        issues: Some(IssuesConfig {
            kind: stub.kind,
            url: stub.url(),
            repository: "acme/operations".into(),
            token_file,
            ca: None,
            labels: vec!["alert".into()],
            critical_labels: vec!["page".into()],
        }),
        ..database.config()
    }
}

/// A header with a new token of a role.
fn token_of(control: &ControlPlane, name: &str, role: &str) -> String {
    let new = json!({"name": name, "role": role});
    let (status, made) = control.call("POST", "/tokens", new.to_string());
    assert_eq!(status, 201, "{made}");
    format!("Bearer {}", made["token"].as_str().unwrap())
}

/// What there is in time; all of these tests wait for calls, not for a time.
fn wait<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "it does not happen"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn workspace(path: &str) -> PathBuf {
    ig_e2e::workspace().join(path)
}

/// A message of a group with one alert.
fn message(key: &str, status: &str, summary: &str) -> Value {
    let labels = json!({"alertname": "IgResidencyBreach", "severity": "critical", "graph": key});
    let annotations = json!({"summary": summary});
    json!({
        "version": "4",
        "groupKey": format!("{{}}:{{graph=\"{key}\"}}"),
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "ig-issues",
        "groupLabels": {"alertname": "IgResidencyBreach", "graph": key},
        "commonLabels": labels,
        "commonAnnotations": annotations,
        "externalURL": "http://alertmanager.example",
        "alerts": [{
            "status": status,
            "labels": labels,
            "annotations": annotations,
            "startsAt": "2026-01-01T00:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example/graph",
            "fingerprint": "0011223344556677",
        }],
    })
}

/// The same of an alert that began so many minutes after the hour.
fn began(mut message: Value, minute: u32) -> Value {
    message["alerts"][0]["startsAt"] = json!(format!("2026-01-01T00:{minute:02}:00Z"));
    message
}

/// Two Alertmanagers, of which one is slow: what arrives last was not said last.
#[test]
fn what_was_overtaken_changes_nothing() {
    let bench = Bench::start(&Database::sqlite(), TrackerKind::Github);
    let state = || {
        let number = bench.settled()[0]["issue"].as_i64().unwrap();
        bench.stub.issue(number)["state"].clone()
    };
    for (minute, status, expected) in [
        (0, "firing", "open"),
        (0, "resolved", "closed"),
        // Of before.
        (0, "firing", "closed"),
        (5, "firing", "open"),
        (0, "resolved", "open"),
        (5, "resolved", "closed"),
        (0, "firing", "closed"),
    ] {
        bench.tell(&began(message("demo", status, "one"), minute));
        assert_eq!(state(), expected, "{minute} {status}");
    }
    assert_eq!(bench.stub.own().len(), 1);
    bench.control.stop().unwrap();
}

/// Whoever may open issues may write anything into them.
#[test]
fn a_strangers_issue_is_not_taken_for_a_groups() {
    for kind in KINDS {
        let bench = Bench::start(&Database::sqlite(), kind);
        let firing = message("demo", "firing", "one");
        // The group's hash is no secret.
        let id = "{}:{graph=\"demo\"}";
        let id = hex_of(id);
        let bodies = [
            format!("<!-- ig-alert: {id} -->\nmine"),
            format!("<!-- ig-alert: {id} {} -->\nmine", "0".repeat(64)),
        ];
        let planted = bodies.map(|body| (bench.stub.plant(&body), body));
        bench.tell(&firing);
        let number = bench.settled()[0]["issue"].as_i64().unwrap();
        assert_eq!(bench.groups()[0]["id"], id);
        let untouched = || {
            for (number, body) in &planted {
                assert_eq!(bench.stub.issue(*number)["body"], body.as_str());
            }
        };
        untouched();
        // Nor one that copies a marker which was good once.
        let body = bench.stub.issue(number)["body"].clone();
        let copy = bench.stub.plant(body.as_str().unwrap());
        bench.stub.delete(number);
        bench.tell(&message("demo", "firing", "two"));
        let again = bench.settled()[0]["issue"].as_i64().unwrap();
        assert_ne!(again, copy);
        assert_eq!(bench.stub.issue(copy)["title"], "planted");
        untouched();
        bench.control.stop().unwrap();
    }
}

fn hex_of(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text.as_bytes()))
}

/// Labels are there whoever opened the issue, and grow with what is wrong; those of
/// people stay.
#[test]
fn an_issue_has_the_labels_of_what_fires() {
    for kind in KINDS {
        let bench = Bench::start(&Database::sqlite(), kind);
        let mut warning = message("demo", "firing", "one");
        warning["alerts"][0]["labels"]["severity"] = json!("warning");
        bench.tell(&warning);
        let number = bench.settled()[0]["issue"].as_i64().unwrap();
        let labels = || {
            let mut labels = bench.stub.labels(&bench.stub.issue(number));
            labels.sort();
            labels
        };
        assert_eq!(labels(), ["alert"]);
        bench.stub.add_label(number, "bug");
        bench.tell(&message("demo", "firing", "one"));
        bench.settled();
        assert_eq!(labels(), ["alert", "bug", "page"]);
        bench.control.stop().unwrap();
    }
}

/// An issue that somebody has moved to another repository is theirs.
#[test]
fn an_issue_that_was_transferred_is_opened_anew() {
    let bench = Bench::start(&Database::sqlite(), TrackerKind::Github);
    bench.tell(&message("demo", "firing", "one"));
    let number = bench.settled()[0]["issue"].as_i64().unwrap();
    bench.stub.delete(number);
    let elsewhere = "http://127.0.0.1:1/repos/other/place/issues/1";
    bench
        .stub
        .fail(&[Fault::Status(301, "location", elsewhere)]);
    bench.tell(&message("demo", "firing", "two"));
    let again = bench.settled()[0]["issue"].as_i64().unwrap();
    assert_ne!(number, again);
    assert!(bench.stub.failed_all());
    // A repository that has moved is no reason to open anything.
    let moved = [Fault::Status(301, "location", elsewhere); 2];
    bench.stub.fail(&moved);
    bench.tell(&message("demo", "firing", "three"));
    let settled = bench.settled();
    assert_eq!(settled[0]["issue"], again);
    assert_eq!(bench.stub.own().len(), 1);
    bench.control.stop().unwrap();
}

/// Where not all issues can be looked through, whether one is there is not known.
#[test]
fn what_cannot_be_looked_through_opens_nothing() {
    let bench = Bench::start(&Database::sqlite(), TrackerKind::Github);
    for _ in 0..2000 {
        bench.stub.plant("other");
    }
    bench.tell(&message("demo", "firing", "one"));
    let said = wait(|| {
        let error = bench.groups()[0]["error"].clone();
        error.is_string().then_some(error)
    });
    assert!(said.as_str().unwrap().contains("too many issues"), "{said}");
    assert_eq!(bench.stub.own().len(), 0);
    bench.control.stop().unwrap();
}

#[test]
fn a_group_has_one_issue_that_goes_as_it_goes() {
    for kind in KINDS {
        for database in Database::each() {
            let bench = Bench::start(&database, kind);
            let firing = message("demo", "firing", "one");
            bench.tell(&firing);
            let groups = bench.settled();
            let number = groups[0]["issue"].as_i64().unwrap();
            let issue = bench.stub.issue(number);
            assert_eq!(issue["state"], "open");
            assert_eq!(issue["title"], "IgResidencyBreach: graph=demo: one");
            assert_eq!(bench.stub.labels(&issue), ["alert", "page"]);
            // The same again is nothing.
            let writes = bench.stub.writes();
            for _ in 0..3 {
                bench.tell(&firing);
            }
            bench.settled();
            assert_eq!(bench.stub.writes(), writes);
            // Something else is a change, of the same issue.
            bench.tell(&message("demo", "firing", "two"));
            bench.settled();
            assert!(
                bench.stub.issue(number)["title"]
                    .as_str()
                    .unwrap()
                    .ends_with("two")
            );
            for (minute, status, state) in [
                (0, "resolved", "closed"),
                (5, "firing", "open"),
                (5, "resolved", "closed"),
            ] {
                bench.tell(&began(message("demo", status, "two"), minute));
                bench.settled();
                assert_eq!(bench.stub.issue(number)["state"], state);
            }
            // Another group has another.
            bench.tell(&message("other", "firing", "one"));
            bench.settled();
            assert_eq!(bench.stub.own().len(), 2);
            bench.control.stop().unwrap();
        }
    }
}

#[test]
fn whatever_fails_there_is_one_issue() {
    let faults: [&[Fault]; 8] = [
        &[Fault::Status(500, "", "")],
        &[Fault::Status(403, "retry-after", "1")],
        &[Fault::Status(429, "x-ratelimit-remaining", "0")],
        &[Fault::Status(403, "", ""), Fault::Status(404, "", "")],
        // Not followed: the token is not for others.
        &[Fault::Status(307, "location", "http://127.0.0.1:1/")],
        &[Fault::Status(200, "", "")],
        &[Fault::DoneAndLost, Fault::Status(503, "retry-after", "1")],
        &[Fault::DoneAndSilent],
    ];
    for kind in KINDS {
        let bench = Bench::start(&Database::sqlite(), kind);
        for (at, faults) in faults.iter().enumerate() {
            let key = format!("graph-{at}");
            bench.stub.fail(faults);
            bench.tell(&message(&key, "firing", "it fails"));
            bench.settled();
            let own = bench.stub.own();
            assert_eq!(own.len(), at + 1, "{kind:?} {faults:?}");
            assert!(bench.stub.failed_all(), "{faults:?}");
        }
        bench.control.stop().unwrap();
    }
}

#[test]
fn an_issue_that_was_deleted_is_opened_anew_and_a_closed_one_is_not() {
    for kind in KINDS {
        let bench = Bench::start(&Database::sqlite(), kind);
        bench.tell(&message("demo", "firing", "one"));
        let number = bench.settled()[0]["issue"].as_i64().unwrap();
        bench.stub.delete(number);
        bench.tell(&message("demo", "firing", "two"));
        let again = bench.settled()[0]["issue"].as_i64().unwrap();
        assert_ne!(number, again);
        bench.stub.delete(again);
        bench.tell(&message("demo", "resolved", "two"));
        bench.settled();
        assert_eq!(bench.stub.own().len(), 0);
        // What was never known and is over is nothing.
        bench.tell(&message("unknown", "resolved", "x"));
        assert_eq!(bench.groups().len(), 1);
        bench.control.stop().unwrap();
    }
}

/// Two replicas, each told of all groups several times by two Alertmanagers, while the
/// answers to the first calls are lost.
#[test]
fn replicas_open_no_issue_twice() {
    let Some(database) = Database::postgres() else {
        return;
    };
    let bench = Bench::start(&database, TrackerKind::Github);
    let other = ControlPlane::start(config(&database, &bench.stub, &bench.folder)).unwrap();
    bench.stub.fail(&[Fault::DoneAndLost, Fault::DoneAndLost]);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for group in 0..5 {
                    let message = message(&format!("graph-{group}"), "firing", "x");
                    bench.tell(&message);
                    let token = Some(bench.notifier.as_str());
                    let told = other.call_as(token, "POST", "/alerts/webhook", message.to_string());
                    assert_eq!(told.0, 202);
                }
            });
        }
    });
    assert_eq!(bench.settled().len(), 5);
    assert_eq!(bench.stub.own().len(), 5);
    assert!(bench.stub.failed_all());
    other.stop().unwrap();
    bench.control.stop().unwrap();
}

#[test]
fn strangers_words_are_text() {
    let bench = Bench::start(&Database::sqlite(), TrackerKind::Github);
    let evil = "@everyone #1 <img src=x> [a](javascript:x) --> ``` \n# h\u{202e}";
    let mut message = message("demo", "firing", evil);
    message["commonAnnotations"]["runbook_url"] = json!("javascript:alert(1)");
    bench.tell(&message);
    let number = bench.settled()[0]["issue"].as_i64().unwrap();
    let issue = bench.stub.issue(number);
    let (title, body) = (
        issue["title"].as_str().unwrap(),
        issue["body"].as_str().unwrap(),
    );
    assert!(!title.contains(['@', '\n', '\u{202e}']), "{title}");
    // Fenced by more backticks than it has.
    let fenced = "```` @everyone #1 <img src=x> [a](javascript:x) --> ```  # h ````";
    assert!(body.contains(fenced), "{body}");
    assert!(
        body.contains("What to do: ` javascript:alert(1) `"),
        "{body}"
    );
    bench.control.stop().unwrap();
}

#[test]
fn the_trackers_token_is_told_to_nobody_else() {
    let bench = Bench::start(&Database::sqlite(), TrackerKind::Gitea);
    bench
        .stub
        .fail(&[Fault::Echo(401), Fault::Echo(422), Fault::Echo(200)]);
    bench.tell(&message("demo", "firing", "x"));
    let said = wait(|| {
        let groups = bench.groups();
        groups[0]["error"].is_string().then_some(groups)
    });
    bench.settled();
    let (_, metrics) = bench.control.call("GET", "/metrics", "");
    for text in [json!(said).to_string(), metrics.to_string()] {
        assert!(!text.contains(TOKEN), "{text}");
    }
    bench.control.stop().unwrap();
}

#[test]
fn what_is_no_message_is_refused() {
    let bench = Bench::start(&Database::sqlite(), TrackerKind::Github);
    let of = |change: fn(&mut Value)| {
        let mut message = message("demo", "firing", "x");
        change(&mut message);
        message.to_string()
    };
    for (status, body) in [
        (422, of(|one| one["version"] = json!("3"))),
        (422, of(|one| one["groupKey"] = json!(""))),
        (422, of(|one| one["groupKey"] = json!("k".repeat(20_000)))),
        (422, of(|one| one["alerts"] = json!([]))),
        (
            422,
            of(|one| one["alerts"] = json!(vec![one["alerts"][0].clone(); 1001])),
        ),
        (422, of(|one| one["status"] = json!("maybe"))),
        (422, of(|one| one["alerts"][0]["labels"] = json!({"a": 1}))),
        (422, "{}".to_owned()),
        (400, "{".to_owned()),
        (413, of(|one| one["receiver"] = json!("x".repeat(5 << 20)))),
    ] {
        let (got, said) = bench.post(&body);
        assert_eq!(got, status, "{} {said}", body.get(..200).unwrap_or(&body));
    }
    assert_eq!(bench.groups().len(), 0);
    for role in ["viewer", "publisher", "owner"] {
        let token = token_of(&bench.control, role, role);
        let body = of(|_| ());
        let told = bench
            .control
            .call_as(Some(&token), "POST", "/alerts/webhook", body);
        assert_eq!(told.0, 403, "{role}");
    }
    let nothing = bench
        .control
        .call_as(Some(&bench.notifier), "GET", "/alerts", "");
    assert_eq!(nothing.0, 403);
    bench.control.stop().unwrap();
    // Without a tracker there is nothing to tell.
    let control = Database::sqlite().start();
    let token = token_of(&control, "alertmanager", "notifier");
    let told = control.call_as(Some(&token), "POST", "/alerts/webhook", of(|_| ()));
    assert_eq!(told.0, 404);
    control.stop().unwrap();
}
