//! What is sent, without anybody to send it to.

use std::sync::{Arc, Mutex};

use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanData;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

/// Keeps what it is given.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap().append(&mut batch);
        Ok(())
    }
}

/// What is sent of `work`.
fn sent(ratio: f64, work: impl FnOnce()) -> Vec<SpanData> {
    let config = TelemetryConfig {
        sampling_ratio: ratio,
        ..TelemetryConfig::default()
    };
    let kept = Kept::default();
    let telemetry = Telemetry::with_exporter(&config, kept.clone());
    let subscriber = tracing_subscriber::registry().with(telemetry.layer());
    tracing::subscriber::with_default(subscriber, work);
    telemetry.provider.unwrap().shutdown().unwrap();
    let spans = kept.0.lock().unwrap();
    spans.clone()
}

#[test]
fn spans_are_ours_and_of_requests_and_say_no_log_line() {
    let spans = sent(1.0, || {
        // What runs for nobody.
        let background = tracing::info_span!("database.begin");
        background.in_scope(|| tracing::info!("background"));
        let request = tracing::info_span!("request", otel.name = "GET /tenants");
        request.in_scope(|| {
            tracing::error!(user = "somebody", "a line of the log");
            tracing::info_span!("database.begin").in_scope(|| ());
            tracing::info_span!(target: "sqlx::query", "a library's").in_scope(|| ());
        });
    });
    let names: Vec<_> = spans.iter().map(|span| span.name.as_ref()).collect();
    assert_eq!(names, ["database.begin", "GET /tenants"]);
    assert!(spans.iter().all(|span| span.events.is_empty()), "{spans:?}");
    let [inner, outer] = &spans[..] else { panic!() };
    assert_eq!(inner.parent_span_id, outer.span_context.span_id());
    assert!(!format!("{spans:?}").contains("somebody"));
}

#[test]
fn of_its_own_accord_a_share_is_kept() {
    let requests = || {
        for _ in 0..2000 {
            tracing::info_span!("request").in_scope(|| ());
        }
    };
    assert_eq!(sent(0.0, requests).len(), 0);
    let some = sent(0.1, requests).len();
    assert!((100..=320).contains(&some), "{some}");
}

#[test]
fn nothing_is_made_where_nothing_is_sent() {
    let telemetry = Telemetry::start(&TelemetryConfig::default()).unwrap();
    assert!(telemetry.layer::<tracing_subscriber::Registry>().is_none());
}
