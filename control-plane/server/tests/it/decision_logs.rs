//! What becomes of decisions that access logs tell of.

use std::time::{Duration, Instant};

use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, ResponseFlags,
};
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_client::AccessLogServiceClient;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use envoy_types::pb::google::protobuf::{Any, BytesValue};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::rate_limit::{Bench, DOMAIN};

fn log(outcome: &str, rate_limited: bool) -> HttpAccessLogEntry {
    entry(outcome, rate_limited, "its-own")
}

fn entry(outcome: &str, rate_limited: bool, rule: &str) -> HttpAccessLogEntry {
    let record = json!({
        "decisionId": format!("{outcome}-{rate_limited}"), "tenantId": "alpha", "actor": null,
        "purpose": null, "authority": null, "operation": "Case", "document": null,
        "outcome": outcome, "code": null, "rule": rule, "mode": "shadow", "region": null,
        "revision": null,
    });
    let record = BytesValue {
        value: record.to_string().into_bytes(),
    };
    let state = Any {
        type_url: "type.googleapis.com/google.protobuf.BytesValue".into(),
        value: record.encode_to_vec(),
    };
    HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            filter_state_objects: [("wasm.ig.decision".to_owned(), state)].into(),
            response_flags: Some(ResponseFlags {
                rate_limited,
                ..ResponseFlags::default()
            }),
            ..AccessLogCommon::default()
        }),
        ..HttpAccessLogEntry::default()
    }
}

async fn tell(bench: &Bench, log_entry: Vec<HttpAccessLogEntry>) {
    let channel = Channel::from_shared(format!("http://{}", bench.control.grpc)).unwrap();
    let mut client = AccessLogServiceClient::new(channel.connect().await.unwrap());
    let message = StreamAccessLogsMessage {
        identifier: Some(Identifier {
            node: None,
            log_name: DOMAIN.into(),
        }),
        log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries { log_entry })),
    };
    let messages = tokio_stream::iter([message]);
    client.stream_access_logs(messages).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_breach_is_counted() {
    let bench = Bench::start(None, "").await;
    let logs = ["region-breach", "allow", "region-breach"];
    tell(&bench, logs.map(|rule| entry("deny", false, rule)).into()).await;
    let started = Instant::now();
    let counted = loop {
        let (_, text) = bench.control.call("GET", "/metrics", "");
        let mut lines = text.as_str().unwrap().lines();
        match lines.find(|line| line.starts_with("ig_residency_breaches_total")) {
            Some(line) => break line.to_owned(),
            None => assert!(started.elapsed() < Duration::from_secs(10)),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(counted, r#"ig_residency_breaches_total{graph="demo"} 2"#);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_fleets_limit_refused_is_a_deny() {
    let bench = Bench::start(None, "").await;
    let outcomes = ["allow", "shadow-deny", "deny"];
    let entries = outcomes.map(|outcome| [log(outcome, false), log(outcome, true)]);
    tell(&bench, entries.concat()).await;
    let started = Instant::now();
    let decisions = loop {
        let (_, answer) = bench.control.call("GET", "/decisions", "");
        let items = answer["items"].as_array().unwrap().clone();
        if items.len() == 6 {
            break items;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "{answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let shown = |one: &Value| {
        let record = &one["record"];
        ["decisionId", "outcome", "code", "rule", "mode"]
            .map(|name| record[name].as_str().unwrap_or_default().to_owned())
            .join(" ")
    };
    let mut shown: Vec<_> = decisions.iter().map(shown).collect();
    shown.sort();
    let expected = [
        "allow-false allow  its-own shadow",
        "allow-true deny RATE_LIMITED rate-limit-fleet enforce",
        "deny-false deny  its-own shadow",
        "deny-true deny  its-own shadow",
        "shadow-deny-false shadow-deny  its-own shadow",
        "shadow-deny-true deny RATE_LIMITED rate-limit-fleet enforce",
    ];
    assert_eq!(shown, expected);
    let rule = "/decisions?rule=rate-limit-fleet&outcome=deny";
    let (_, found) = bench.control.call("GET", rule, "");
    assert_eq!(found["items"].as_array().unwrap().len(), 2);
}
