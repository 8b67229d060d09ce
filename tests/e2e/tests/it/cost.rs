//! What gateways served is what costs are made of: counts and bytes are those of
//! Envoy's own log.

use std::collections::BTreeMap;

use ig_e2e::{Envoy, demo, module};
use ig_envoy::{Address, Endpoints, Guard};
use serde_json::{Value, json};

use crate::control_plane::{by_id, publish, start, until, until_status};
use crate::gateway::Gateway;
use crate::skip;

/// Requests and bytes.
type Sums = BTreeMap<String, (u64, u64)>;

async fn gateway(grpc: std::net::SocketAddr) -> Gateway {
    let fixture = demo().await.unwrap();
    let make = |gateway, admin| {
        let mut options = fixture.options(gateway, admin)?;
        let module = options.guards[0].module.clone();
        options.guards = vec![Guard::of_graph(module, "demo")];
        options.control_plane = Some(ig_envoy::ControlPlane {
            endpoints: Endpoints {
                addresses: vec![Address::new("127.0.0.1", grpc.port())],
                tls: None,
            },
            node: "edge-1".into(),
        });
        // What is paid for is what the wire has, heads included.
        let bootstrap = ig_envoy::render(&options).to_string();
        let bootstrap = bootstrap.replace("%BYTES_SENT%", "%DOWNSTREAM_WIRE_BYTES_SENT%");
        Ok(serde_json::from_str(&bootstrap)?)
    };
    let envoy = Envoy::start(1, make).await.unwrap();
    Gateway { fixture, envoy }
}

/// What Envoy's log has of requests that are a tenant's.
fn logged(lines: &[Value]) -> Sums {
    let mut sums = Sums::new();
    for line in lines {
        let decision = &line["decisions"][0];
        if decision["tenantId"].is_null() {
            continue;
        }
        let route = match decision["outcome"].as_str().unwrap() {
            "deny" => "(denied)",
            _ => line["upstreamCluster"].as_str().unwrap(),
        };
        let sum = sums.entry(route.to_owned()).or_default();
        *sum = (sum.0 + 1, sum.1 + line["bytesSent"].as_u64().unwrap());
    }
    sums
}

fn reported(report: &Value) -> Sums {
    let lines = report["lines"].as_array().unwrap().iter();
    let sum = |line: &Value| {
        let gigabytes = line["quantities"]["gbEgress"].as_str().unwrap();
        // Exactly: nine digits after the point are bytes.
        let (whole, fraction) = gigabytes.split_once('.').unwrap_or((gigabytes, ""));
        let bytes: u64 = format!("{whole}{fraction:0<9}").parse().unwrap();
        (line["requests"].as_u64().unwrap(), bytes)
    };
    lines
        .map(|line| (line["name"].as_str().unwrap().to_owned(), sum(line)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn costs_are_made_of_what_envoy_logs() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder, module("ig_guard").unwrap());
    // A unit a request: the total is their number.
    let prices = json!({
        "version": "v1", "currency": "EUR", "effectiveFrom": 0, "regions": {"*": {
            "cpuSecond": "0", "request": "1", "gbEgress": "0", "replicaHour": "0",
        }},
    });
    let (status, answer) = control.call("PUT", "/cost/prices", prices.to_string());
    assert_eq!(status, 201, "{answer}");
    let gateway = gateway(control.grpc).await;
    publish(&control);
    let (cases, _) = by_id("Cases");
    until_status(&gateway, &cases, 200).await;
    let (case, _) = by_id("CaseById");
    for number in 0..40 {
        match number % 4 {
            0 => drop(gateway.send(gateway.request(&case)).await),
            1 => drop(gateway.send_text("{ me }").await),
            _ => drop(gateway.send(gateway.request(&cases)).await),
        }
    }
    let mut anonymous = gateway.request(&cases);
    anonymous
        .headers
        .retain(|(name, _)| name != "authorization");
    assert_eq!(gateway.send(anonymous).await.response.status, 401);
    let from = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let from = from.unwrap().as_millis() - 3_600_000;
    let mut lines = Vec::new();
    for _ in 0..100 {
        // Envoy writes its log every ten seconds, or on this.
        let _ = gateway.envoy.post_admin("/reopen_logs").await;
        lines = gateway.envoy.access_log();
        if lines.iter().any(|line| line["status"] == 401) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let count = format!("{}.00", lines.len());
    let report = until("all are counted", || {
        let path = format!("/cost/report?from={from}");
        let (_, report) = control.call("GET", &path, "");
        (report["total"] == count.as_str()).then_some(report)
    })
    .await;
    let logged = logged(&lines);
    assert_eq!(reported(&report), logged, "{report}");
    assert!(logged.len() >= 2 && logged.values().all(|(_, bytes)| *bytes > 0));
    control.stop().unwrap();
}
