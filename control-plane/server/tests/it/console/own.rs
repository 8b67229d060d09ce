//! Decisions that a user is shown as their own.

use std::time::{Duration, Instant};

use envoy_types::pb::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry};
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_client::AccessLogServiceClient;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use envoy_types::pb::google::protobuf::{Any, StringValue};
use prost::Message as _;
use serde_json::json;

use super::bench::Bench;
use crate::databases::Database;

/// A log with one decision, by a rule of the actor's name.
fn log(tenant: &str, actor: &str) -> StreamAccessLogsMessage {
    let record = json!({
        "decisionId": "d", "tenantId": tenant, "actor": actor, "purpose": null,
        "authority": null, "operation": null, "document": null, "outcome": "allow",
        "code": null, "rule": format!("rule-of-{tenant}-{actor}"), "mode": "enforce",
        "region": null, "revision": null,
    });
    let value = record.to_string();
    let state = Any {
        type_url: "type.googleapis.com/google.protobuf.StringValue".into(),
        value: StringValue { value }.encode_to_vec(),
    };
    let entry = HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            filter_state_objects: [("wasm.ig.decision".to_owned(), state)].into(),
            ..AccessLogCommon::default()
        }),
        ..HttpAccessLogEntry::default()
    };
    StreamAccessLogsMessage {
        identifier: Some(Identifier {
            node: None,
            log_name: "demo".into(),
        }),
        log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries {
            log_entry: vec![entry],
        })),
    }
}

/// Those of a subject are a user's where one issuer names subjects, and for as
/// long as it has.
#[test]
fn decisions_are_shown_where_it_is_certain_whose_they_are() {
    for database in Database::each() {
        let bench = Bench::start(&database);
        bench.user(&bench.scim, "ada");
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let address = format!("http://{}", bench.control.grpc);
            let mut client = AccessLogServiceClient::connect(address).await.unwrap();
            let logs = [("alpha", "ada"), ("alpha", "eve"), ("bravo", "ada")];
            let logs = logs.map(|(tenant, actor)| log(tenant, actor));
            let messages = tokio_stream::iter(logs);
            client.stream_access_logs(messages).await.unwrap();
        });
        let started = Instant::now();
        let are_written = || {
            let (_, decisions) = bench.control.call("GET", "/decisions", "");
            decisions["items"].as_array().unwrap().len() == 3
        };
        while !are_written() {
            assert!(started.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(50));
        }
        let mut ada = bench.log_in("alpha", "ada");
        let page = ada.get("/console").text;
        assert!(page.contains("rule-of-alpha-ada"), "{page}");
        assert!(!page.contains("rule-of-alpha-eve") && !page.contains("rule-of-bravo"));
        let put = |issuers: &[&str]| {
            let link = json!({"attribute": "externalId"});
            let issuers = issuers.iter().map(|one| ((*one).to_owned(), link.clone()));
            let issuers: serde_json::Map<_, _> = issuers.collect();
            let settings = json!({"region": "r", "issuers": issuers}).to_string();
            assert_eq!(bench.control.call("PUT", "/tenants/alpha", settings).0, 204);
        };
        let own = bench.provider.url.as_str();
        put(&[own, "https://other.example"]);
        let page = ada.get("/console").text;
        assert!(
            !page.contains("rule-of") && page.contains("several issuers"),
            "{page}"
        );
        // By then it may have been the other's.
        put(&[own]);
        let page = ada.get("/console").text;
        assert!(
            !page.contains("rule-of") && !page.contains("several issuers"),
            "{page}"
        );
        bench.control.stop().unwrap();
    }
}
