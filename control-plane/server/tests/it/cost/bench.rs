//! A control plane that is told what gateways served.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use envoy_types::pb::envoy::config::core::v3::{Locality, Node};
use envoy_types::pb::envoy::data::accesslog::v3::{
    AccessLogCommon, HttpAccessLogEntry, HttpRequestProperties, HttpResponseProperties,
};
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_client::AccessLogServiceClient;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use envoy_types::pb::google::protobuf::{Any, BytesValue, Duration as Span, Timestamp};
use ig_control_plane::Config;
use ig_e2e::{ControlPlane, fill};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::transport::Channel;

use crate::databases::Database;

pub(super) const HOUR: i64 = 3_600_000;
pub(super) const REGION: &str = "eu-west-1";

/// What is given to requests that differ in nothing else.
pub(super) const PRICES: &str = r#"{
    "version": "v1", "currency": "EUR", "effectiveFrom": 0,
    "regions": {"*": {
        "cpuSecond": "0.0000133334", "request": "0.0000002", "gbEgress": "0.09",
        "replicaHour": "0.04"
    }}
}"#;

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// The hour before the one in which the tests began: what a test tells and what it asks
/// for is of one hour, also where another begins meanwhile.
pub(super) fn last_hour() -> i64 {
    static HOUR_BEFORE: OnceLock<i64> = OnceLock::new();
    *HOUR_BEFORE.get_or_init(|| {
        let now = now();
        now - now.rem_euclid(HOUR) - HOUR
    })
}

/// A request, as a gateway tells of it.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) id: String,
    pub(super) tenant: Option<&'static str>,
    pub(super) route: &'static str,
    pub(super) operation: Option<String>,
    pub(super) outcome: &'static str,
    pub(super) bytes: u64,
    pub(super) upstream_micros: u64,
}

impl Sent {
    pub(super) fn new(id: impl ToString, tenant: &'static str, operation: &str) -> Self {
        Self {
            id: id.to_string(),
            tenant: Some(tenant),
            route: "upstream",
            operation: Some(operation.to_owned()),
            outcome: "allow",
            bytes: 1000,
            upstream_micros: 1000,
        }
    }

    pub(super) fn record(&self) -> Value {
        json!({
            "decisionId": self.id, "tenantId": self.tenant, "actor": null, "purpose": null,
            "authority": null, "operation": self.operation, "document": null,
            "outcome": self.outcome, "code": null, "rule": "r", "mode": "enforce",
            "region": null, "revision": null,
        })
    }

    pub(super) fn entry(&self) -> HttpAccessLogEntry {
        entry(self, &[self.record()])
    }
}

/// An entry with these decisions.
pub(super) fn entry(sent: &Sent, records: &[Value]) -> HttpAccessLogEntry {
    let records: Vec<String> = records.iter().map(ToString::to_string).collect();
    let value = BytesValue {
        value: records.join(",").into_bytes(),
    };
    let state = Any {
        type_url: "type.googleapis.com/google.protobuf.BytesValue".into(),
        value: value.encode_to_vec(),
    };
    let state = (!records.is_empty()).then(|| ("wasm.ig.decision".to_owned(), state));
    let span = |micros: u64| Span {
        seconds: i64::try_from(micros / 1_000_000).unwrap(),
        nanos: i32::try_from(micros % 1_000_000 * 1000).unwrap(),
    };
    HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            filter_state_objects: state.into_iter().collect(),
            start_time: Some(Timestamp {
                seconds: last_hour() / 1000 + 600,
                nanos: 0,
            }),
            time_to_first_upstream_tx_byte: Some(span(500)),
            time_to_last_upstream_rx_byte: Some(span(500 + sent.upstream_micros)),
            upstream_cluster: sent.route.into(),
            downstream_wire_bytes_sent: sent.bytes,
            downstream_wire_bytes_received: 300,
            ..AccessLogCommon::default()
        }),
        // What HTTP says is not asked where the wire is known.
        request: Some(HttpRequestProperties {
            request_body_bytes: 7,
            ..HttpRequestProperties::default()
        }),
        response: Some(HttpResponseProperties {
            response_body_bytes: 7,
            ..HttpResponseProperties::default()
        }),
        ..HttpAccessLogEntry::default()
    }
}

pub(super) struct Bench {
    pub(super) control: ControlPlane,
    pub(super) database: Database,
}

impl Bench {
    /// With the demo published, and prices.
    pub(super) fn start(database: Database) -> Self {
        Self::with(database, |_| ())
    }

    pub(super) fn with(database: Database, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = database.config();
        change(&mut config);
        let control = ControlPlane::start(config).unwrap();
        fill(|method, path, body| control.call(method, path, body)).unwrap();
        assert_eq!(control.call("POST", "/snapshots/demo", "").0, 200);
        let bench = Self { control, database };
        let (status, answer) = bench.control.call("PUT", "/cost/prices", PRICES);
        assert_eq!(status, 201, "{answer}");
        bench
    }

    pub(super) async fn tell(&self, log_entry: Vec<HttpAccessLogEntry>) {
        let channel = Channel::from_shared(format!("http://{}", self.control.grpc)).unwrap();
        let mut client = AccessLogServiceClient::new(channel.connect().await.unwrap());
        let message = StreamAccessLogsMessage {
            identifier: Some(Identifier {
                node: Some(Node {
                    id: "gateway-1".into(),
                    locality: Some(Locality {
                        region: REGION.into(),
                        ..Locality::default()
                    }),
                    ..Node::default()
                }),
                log_name: crate::rate_limit::DOMAIN.into(),
            }),
            log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries { log_entry })),
        };
        let messages = tokio_stream::iter([message]);
        client.stream_access_logs(messages).await.unwrap();
    }

    pub(super) fn get(&self, path: &str) -> Value {
        let (status, answer) = self.control.call("GET", path, "");
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// The report of the last hour.
    pub(super) fn report(&self, by: &str) -> Value {
        let from = last_hour();
        self.get(&format!(
            "/cost/report?from={from}&to={}&by={by}",
            from + HOUR
        ))
    }

    /// The report, once it has so many requests, attributed or not.
    pub(super) async fn report_of(&self, by: &str, requests: u64) -> Value {
        let started = Instant::now();
        loop {
            let (_, text) = self.control.call("GET", &self.focus(), "");
            let seen: u64 = rows(text.as_str().unwrap())
                .iter()
                .filter(|row| row["SkuId"] == "request")
                .map(|row| row["ConsumedQuantity"].parse::<u64>().unwrap())
                .sum();
            if seen == requests {
                return self.report(by);
            }
            assert!(seen < requests, "{seen} of {requests}");
            assert!(started.elapsed() < Duration::from_secs(60), "{seen}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Path of the last hour's rows.
    pub(super) fn focus(&self) -> String {
        let from = last_hour();
        format!("/cost/focus?from={from}&to={}", from + HOUR)
    }

    pub(super) fn usage(&self, rows: &[Value]) {
        let body = json!({"source": "meter", "usage": rows}).to_string();
        let (status, answer) = self.control.call("POST", "/cost/usage", body);
        assert_eq!(status, 204, "{answer}");
    }

    /// A metric's value, by the start of its line.
    pub(super) fn metric(&self, name: &str) -> Option<f64> {
        let (_, text) = self.control.call("GET", "/metrics", "");
        let mut lines = text.as_str().unwrap().lines();
        lines.find_map(|line| {
            let value = line.strip_prefix(name)?.strip_prefix(' ')?;
            value.parse().ok()
        })
    }
}

/// An amount in billionths.
pub(super) fn billionths(value: &Value) -> i128 {
    let text = value
        .as_str()
        .unwrap_or_else(|| panic!("{value} is no amount"));
    let (whole, fraction) = text.split_once('.').unwrap();
    format!("{whole}{fraction:0<9}").parse().unwrap()
}

pub(super) fn line<'a>(report: &'a Value, name: &str) -> &'a Value {
    let lines = report["lines"].as_array().unwrap();
    let found = lines.iter().find(|line| line["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {report}"))
}

/// Rows of CSV (RFC 4180), by their columns.
pub(super) fn rows(text: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    let mut records = Vec::new();
    let (mut record, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, is_quoted) {
            ('"', true) if chars.peek() == Some(&'"') => cell.extend(chars.next()),
            ('"', _) => is_quoted = !is_quoted,
            (',', false) => record.push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            ('\n', false) => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            (c, _) => cell.push(c),
        }
    }
    assert!(cell.is_empty() && record.is_empty(), "the last line ends");
    let head = records.remove(0);
    let row = |cells: Vec<String>| {
        assert_eq!(cells.len(), head.len());
        head.iter().cloned().zip(cells).collect()
    };
    records.into_iter().map(row).collect()
}
