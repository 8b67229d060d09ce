//! `/metrics` while things go wrong: alerts are made of it.

use std::time::{Duration, Instant};

use ig_e2e::{ControlPlane, fill};
use serde_json::json;

use crate::databases::{Database, on_own_postgres};
use crate::proxy::{Answer, Proxy};

/// A metric's value, by the start of its line.
fn metric(text: &str, name: &str) -> Option<f64> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

fn page(control: &ControlPlane, token: &str) -> (u16, String) {
    let (status, text) = control.call_as(Some(token), "GET", "/metrics", "");
    (status, text.as_str().unwrap_or_default().to_owned())
}

fn own(control: &ControlPlane) -> String {
    format!("Bearer {}", control.token.as_deref().unwrap())
}

/// Waits until a metric is as it should be.
fn until(control: &ControlPlane, token: &str, name: &str, is_right: impl Fn(f64) -> bool) {
    let started = Instant::now();
    loop {
        let (status, text) = page(control, token);
        let value = metric(&text, name);
        if value.is_some_and(&is_right) {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{name}: {status} {value:?}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Alerts about the database are made of what is shown while it is away.
#[test]
fn the_page_is_there_while_the_database_is_away() {
    let Some((mut postgres, control)) = on_own_postgres() else {
        return;
    };
    let token = |name: &str, role: &str| {
        let new = json!({"name": name, "role": role}).to_string();
        let (status, made) = control.call("POST", "/tokens", new);
        assert_eq!(status, 201, "{made}");
        format!("Bearer {}", made["token"].as_str().unwrap())
    };
    let seen = token("seen", "viewer");
    let unseen = token("unseen", "viewer");
    let revoked = token("revoked", "viewer");
    let notifier = token("notifier", "notifier");
    for token in [&seen, &revoked] {
        let (status, text) = page(&control, token);
        assert_eq!(status, 200);
        assert_eq!(metric(&text, "ig_database_up"), Some(1.0));
    }
    assert_eq!(control.call("DELETE", "/tokens/revoked", "").0, 204);
    assert_eq!(page(&control, &revoked).0, 401);
    assert_eq!(page(&control, &notifier).0, 403);
    let failures = metric(&page(&control, &seen).1, "ig_cost_failures_total").unwrap();

    postgres.kill().unwrap();
    let (status, text) = page(&control, &seen);
    assert_eq!(status, 200);
    assert_eq!(metric(&text, "ig_database_up"), Some(0.0));
    assert_eq!(metric(&text, "ig_alert_issues_waiting"), Some(0.0));
    for token in [&unseen, &revoked, &notifier, &"Bearer guessed".to_owned()] {
        let status = page(&control, token).0;
        assert!([401, 503].contains(&status), "{status}");
    }
    // For this page only.
    assert_eq!(control.call_as(Some(&seen), "GET", "/proxies", "").0, 503);
    // Budgets that are not computed any more are seen.
    until(&control, &seen, "ig_cost_failures_total", |now| {
        now > failures
    });

    postgres.start_again().unwrap();
    until(&control, &seen, "ig_database_up", |up| up == 1.0);
    assert_eq!(page(&control, &revoked).0, 401);
    control.stop().unwrap();
}

/// Who refuses what it should run is seen until it runs it.
#[test]
fn a_refusal_is_shown_until_it_is_mended() {
    let database = Database::sqlite();
    let control = database.start();
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    assert_eq!(control.call("POST", "/snapshots/demo", "").0, 200);
    let own = own(&control);
    let proxy = Proxy::connect(control.grpc, "edge-1", Answer::Refuses);
    until(&control, &own, "ig_xds_refused", |refused| refused == 1.0);
    let status = || control.call("GET", "/proxies", "").1[0].clone();
    let behind = status();
    assert!(behind["behindSince"].is_i64(), "{behind}");
    assert_eq!(behind["lastRefusal"]["revision"], behind["wanted"]);
    proxy.mend();
    let bravo = json!({"region": "us-east-1", "purposes": ["investigation"]});
    assert_eq!(
        control.call("PUT", "/tenants/bravo", bravo.to_string()).0,
        204
    );
    assert_eq!(control.call("POST", "/snapshots/demo", "").0, 200);
    until(&control, &own, "ig_xds_refused", |refused| refused == 0.0);
    let started = Instant::now();
    while status()["accepted"] != status()["wanted"] {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", status());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(status()["behindSince"].is_null());
    assert_eq!(metric(&page(&control, &own).1, "ig_xds_behind"), Some(0.0));
    drop(proxy);

    // A graph that does not name the proxy: it runs nothing, and that is seen.
    let (_, mut graph) = control.call("GET", "/graphs/demo", "");
    graph["proxies"] = json!(["spiffe://mesh/ns/other/*"]);
    assert_eq!(
        control.call("PUT", "/graphs/demo", graph.to_string()).0,
        204
    );
    let stranger = Proxy::connect(control.grpc, "edge-2", Answer::Hangs);
    let started = Instant::now();
    while status()["node"] != "edge-2" || status()["named"] != false {
        assert!(started.elapsed() < Duration::from_secs(20), "{}", status());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(status()["behindSince"].is_i64());
    drop(stranger);
    control.stop().unwrap();
}
