//! What budgets have been used for, as metrics say.

use std::time::{Duration, Instant};

use serde_json::json;

use super::bench::{Bench, HOUR, REGION, Sent, last_hour};
use crate::databases::Database;

/// Waits until a metric is as it should be.
async fn until(bench: &Bench, name: &str, is_right: impl Fn(Option<f64>) -> bool) {
    let started = Instant::now();
    loop {
        let value = bench.metric(name);
        if is_right(value) {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{name}: {value:?}"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Usage of this hour, which is of this month. Each replaces the one before.
fn used(resource: &str, quantity: &str) -> serde_json::Value {
    let hour = last_hour() + HOUR;
    json!({"hour": hour, "region": REGION, "resource": resource, "quantity": quantity})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_surge_crosses_what_alerts_are_at() {
    for database in Database::each() {
        let bench = Bench::start(database);
        let put = |name: &str, budget: serde_json::Value| {
            let path = format!("/cost/budgets/{name}");
            let (status, answer) = bench.control.call("PUT", &path, budget.to_string());
            assert_eq!(status, 204, "{answer}");
        };
        put("all", json!({"period": "month", "amount": "100"}));
        put(
            "alpha",
            json!({"tenant": "alpha", "period": "month", "amount": "0.5"}),
        );
        let close = |wanted: f64| {
            move |value: Option<f64>| value.is_some_and(|value| (value - wanted).abs() < 1e-9)
        };
        // A replica's hour is 0.04: 80 % is at 2,000 of them.
        for (hours, ratio) in [("1000", 0.4), ("2000.25", 0.8001), ("2300", 0.92)] {
            bench.usage(&[used("replicaHour", hours)]);
            until(
                &bench,
                r#"ig_cost_budget_used_ratio{budget="all"}"#,
                close(ratio),
            )
            .await;
        }
        until(&bench, r#"ig_cost_spent{budget="all"}"#, close(92.0)).await;
        until(&bench, r#"ig_cost_budget{budget="all"}"#, close(100.0)).await;
        until(&bench, "ig_cost_unattributed_ratio", close(1.0)).await;
        let computed = bench.metric("ig_cost_computed_timestamp_seconds").unwrap();
        let age = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64() - computed;
        assert!((0.0..600.0).contains(&age), "{age}");
        assert_eq!(bench.metric("ig_cost_failures_total"), Some(0.0));
        until(&bench, r#"ig_cost_spent{budget="alpha"}"#, close(0.0)).await;
        let shown = bench.get("/cost/budgets");
        assert_eq!(shown[0]["spent"], "92.00");
        assert_eq!(shown[1]["name"], "alpha");
        assert_eq!(bench.control.call("DELETE", "/cost/budgets/all", "").0, 204);
        let gone = |value: Option<f64>| value.is_none();
        until(&bench, r#"ig_cost_spent{budget="all"}"#, gone).await;
        bench.control.stop().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_requests_use_its_budget() {
    let bench = Bench::start(Database::sqlite());
    let hundred = json!({"tenant": "alpha", "period": "month", "amount": "0.0000025"});
    let (status, _) = bench
        .control
        .call("PUT", "/cost/budgets/a", hundred.to_string());
    assert_eq!(status, 204);
    // The last hour may be of the month before: these come now.
    let all = (0..10).map(|id| {
        let mut sent = Sent::new(id, if id < 9 { "alpha" } else { "bravo" }, "Case");
        sent.bytes = 0;
        let mut entry = sent.entry();
        entry.response = None;
        if let Some(common) = entry.common_properties.as_mut() {
            common.start_time = None;
        }
        entry
    });
    bench.tell(all.collect()).await;
    // Nine requests of 0.0000002.
    let is_right = |value: Option<f64>| value.is_some_and(|value| (value - 0.72).abs() < 1e-9);
    until(&bench, r#"ig_cost_budget_used_ratio{budget="a"}"#, is_right).await;
    bench.control.stop().unwrap();
}

#[test]
fn there_are_a_hundred_budgets_at_most() {
    let bench = Bench::start(Database::sqlite());
    let budget = json!({"period": "month", "amount": "1"}).to_string();
    for number in 0..=100 {
        let path = format!("/cost/budgets/b{number}");
        let (status, answer) = bench.control.call("PUT", &path, &budget);
        let expected = if number < 100 { 204 } else { 409 };
        assert_eq!(status, expected, "{number}: {answer}");
    }
    // One that is there may change.
    assert_eq!(
        bench.control.call("PUT", "/cost/budgets/b7", &budget).0,
        204
    );
    bench.control.stop().unwrap();
}
