//! Spans say how much more work one kind of request is, and nothing else.

use ig_e2e::{RawRequest, http1};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message as _;
use serde_json::json;
use tonic::transport::Channel;
use tonic::{Code, Request};

use super::bench::{Bench, REGION, Sent, billionths, last_hour, line};
use crate::databases::Database;

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

fn span(operation: &str, tenant: &str, cpu: i64) -> Span {
    let text = |text: &str| Value::StringValue(text.into());
    let end = u64::try_from(last_hour()).unwrap() * 1_000_000 + 60_000_000_000;
    Span {
        // Longer than any work: what waits is not paid for.
        start_time_unix_nano: end - 50_000_000_000,
        end_time_unix_nano: end,
        attributes: vec![
            attribute("ig.graph", text("demo")),
            attribute("ig.tenant", text(tenant)),
            attribute("ig.operation", text(operation)),
            attribute("ig.cpu.nanoseconds", Value::IntValue(cpu)),
        ],
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans: vec![ScopeSpans {
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

/// A workload whose upstream time says nothing: both operations wait alike.
async fn worked(bench: &Bench) {
    let all = (0..40).map(|id| {
        let operation = if id % 4 == 0 { "Heavy" } else { "Light" };
        Sent::new(id, "alpha", operation).entry()
    });
    bench.tell(all.collect()).await;
    bench.usage(&[json!({
        "hour": last_hour(), "region": REGION, "resource": "cpuSecond", "quantity": "120",
    })]);
    bench.report_of("operation", 40).await;
}

fn seconds(bench: &Bench, operation: &str) -> f64 {
    let report = bench.report("operation");
    let seconds = &line(&report, operation)["quantities"]["cpuSecond"];
    seconds.as_str().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_weigh_what_counts_count() {
    for database in Database::each() {
        let bench = Bench::with(database, |config| config.cost.spans = true);
        worked(&bench).await;
        // Without spans, by the time of upstreams: ten of forty.
        assert_eq!(seconds(&bench, "Heavy"), 30.0);
        let before = bench.report("operation");
        // A sample: three spans of 9 ms, one of 1 ms. With 10 and 30 requests the
        // heavy ones did three quarters of the work, whatever the sample's size.
        let spans = vec![
            span("Heavy", "alpha", 9_000_000),
            span("Heavy", "alpha", 9_000_000),
            span("Heavy", "alpha", 9_000_000),
            span("Light", "alpha", 1_000_000),
            // Of nobody that was counted.
            span("Light", "nobody", 70_000_000),
        ];
        let body = request(spans).encode_to_vec();
        let token = format!("Bearer {}", bench.control.token.as_ref().unwrap());
        let send = async |kind: &str, body: &[u8]| {
            let headers = [("authorization", token.as_str()), ("content-type", kind)];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.into()));
            let request = RawRequest {
                method: "POST".into(),
                target: "/v1/traces".into(),
                headers: headers.into(),
                chunks: vec![body.to_vec()],
                ..RawRequest::default()
            };
            http1(bench.control.http, &request).await.unwrap().status
        };
        assert_eq!(send("application/json", b"{}").await, 415);
        assert_eq!(send("application/x-protobuf", b"\xff\xff\xff").await, 400);
        assert_eq!(send("application/x-protobuf", &body).await, 200);
        let started = std::time::Instant::now();
        while seconds(&bench, "Heavy") != 90.0 {
            assert!(
                started.elapsed().as_secs() < 20,
                "{}",
                seconds(&bench, "Heavy")
            );
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let after = bench.report("operation");
        assert_eq!(after["total"], before["total"]);
        assert_eq!(line(&after, "Heavy")["requests"], 10);
        assert_eq!(billionths(&after["unattributed"]), 0);
        bench.control.stop().unwrap();
    }
}

/// A sender whose spans all weigh something is told nothing.
#[tokio::test(flavor = "multi_thread")]
async fn who_sends_what_weighs_is_told_nothing() {
    let bench = Bench::with(Database::sqlite(), |config| config.cost.spans = true);
    let url = format!("http://{}", bench.control.grpc);
    let channel = Channel::from_shared(url).unwrap().connect().await;
    let mut client = TraceServiceClient::new(channel.unwrap());
    let mut request = Request::new(request(vec![span("Case", "alpha", 1)]));
    let token = format!("Bearer {}", bench.control.token.as_ref().unwrap());
    request
        .metadata_mut()
        .insert("authorization", token.parse().unwrap());
    let answer = client.export(request).await.unwrap().into_inner();
    assert_eq!(answer.partial_success, None);
    bench.control.stop().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_are_taken_of_who_may_and_where_they_are_wanted() {
    for (spans, token, expected) in [
        (true, true, None),
        (true, false, Some(Code::Unauthenticated)),
        (false, true, Some(Code::Unimplemented)),
    ] {
        let bench = Bench::with(Database::sqlite(), |config| config.cost.spans = spans);
        let url = format!("http://{}", bench.control.grpc);
        let channel = Channel::from_shared(url).unwrap().connect().await;
        let mut client = TraceServiceClient::new(channel.unwrap());
        let mut nameless = span("Case", "alpha", 1);
        nameless.attributes.remove(1);
        let spans = vec![
            span("Case", "alpha", 1),
            nameless,
            span("Case", "alpha", -1),
        ];
        let mut request = Request::new(request(spans));
        if token {
            let value = format!("Bearer {}", bench.control.token.as_ref().unwrap());
            request
                .metadata_mut()
                .insert("authorization", value.parse().unwrap());
        }
        let answer = client.export(request).await;
        // Who sends is told what weighs nothing.
        let told = answer.as_ref().ok().and_then(|answer| {
            let told = answer.get_ref().partial_success.as_ref()?;
            assert!(told.error_message.contains("ig.tenant"), "{told:?}");
            Some(told.rejected_spans)
        });
        assert_eq!(told, expected.is_none().then_some(2));
        assert_eq!(answer.err().map(|error| error.code()), expected);
        let taken = if expected.is_none() {
            (1.0, 2.0)
        } else {
            (0.0, 0.0)
        };
        assert_eq!(bench.metric("ig_cost_spans_total"), Some(taken.0));
        assert_eq!(bench.metric("ig_cost_spans_dropped_total"), Some(taken.1));
        bench.control.stop().unwrap();
    }
}
