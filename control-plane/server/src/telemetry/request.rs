//! One span a request.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, TextMapPropagator as _};
use opentelemetry::trace::TraceContextExt as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use prometheus_client::encoding::EncodeLabelSet;
use tracing::{Instrument as _, Span, field};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

use crate::app::App;
use crate::metrics;

/// Names of the spans that traces here begin with.
pub(super) const ROOTS: [&str; 2] = ["request", "proxy-call"];

/// Where a measurement leads: the trace of one request that it counts.
#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct TraceLabel {
    trace_id: String,
}

/// The trace that this is part of, if it is kept.
pub(crate) fn exemplar() -> Option<TraceLabel> {
    kept(&Span::current())
}

fn kept(span: &Span) -> Option<TraceLabel> {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    let is_kept = span.is_valid() && span.is_sampled();
    is_kept.then(|| TraceLabel {
        trace_id: span.trace_id().to_string(),
    })
}

/// Spans of the API.
pub(crate) async fn of_api(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or("none", MatchedPath::as_str).to_owned();
    let method = metrics::method(request.method());
    let parent = match app.follows_callers {
        true => parent(request.headers()),
        false => None,
    };
    let span = tracing::info_span!(
        "request",
        otel.name = %format_args!("{method} {route}"),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = field::Empty,
        trace_id = field::Empty,
    );
    run(span, parent, request, next).await
}

/// Spans of what proxies call, and how long it took. Streams have no end, and
/// polls wait for what they tell: neither has either.
pub(crate) async fn of_proxies(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(call) = ProxyCall::of(request.uri().path()) else {
        return next.run(request).await;
    };
    let parent = parent(request.headers());
    let is_kept = |parent: &Context| parent.span().span_context().is_sampled();
    // Asked with each request of a gateway: no trace begins here.
    if call == ProxyCall::Limits && !parent.as_ref().is_some_and(is_kept) {
        return next.run(request).await;
    }
    let span = tracing::info_span!(
        "proxy-call",
        otel.name = call.as_str(),
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.response.status_code = field::Empty,
        trace_id = field::Empty,
    );
    let started = Instant::now();
    let response = run(span.clone(), parent, request, next).await;
    app.metrics.proxy_call(call, started.elapsed(), kept(&span));
    response
}

async fn run(span: Span, parent: Option<Context>, request: Request, next: Next) -> Response {
    if let Some(parent) = parent {
        // Refused where nothing makes spans that are sent.
        let _ = span.set_parent(parent);
    }
    if let Some(TraceLabel { trace_id }) = kept(&span) {
        // For log lines.
        span.record("trace_id", trace_id);
    }
    let response = next.run(request).instrument(span.clone()).await;
    let status = response.status();
    span.record("http.response.status_code", status.as_u16());
    if status.is_server_error() {
        span.record("otel.status_code", "ERROR");
    }
    response
}

/// The span that a request says it is part of (W3C Trace Context).
fn parent(headers: &HeaderMap) -> Option<Context> {
    let context = TraceContextPropagator::new().extract(&Headers(headers));
    let is_valid = context.span().span_context().is_valid();
    is_valid.then_some(context)
}

struct Headers<'a>(&'a HeaderMap);

/// Longest `tracestate` that is passed on, in bytes (W3C Trace Context, §3.3.1.5).
const MAX_STATE_BYTES: usize = 512;

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        let mut all = self.0.get_all(key).iter();
        let value = all.next().filter(|_| all.next().is_none())?;
        value
            .to_str()
            .ok()
            .filter(|text| text.len() <= MAX_STATE_BYTES)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(|name| name.as_str()).collect()
    }
}

/// What proxies call, that ends.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum ProxyCall {
    Facts,
    Spend,
    Limits,
}

impl ProxyCall {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/directory/v1/facts" => Some(Self::Facts),
            "/directory/v1/spend" => Some(Self::Spend),
            "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit" => Some(Self::Limits),
            _ => None,
        }
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Facts => "facts",
            Self::Spend => "spend",
            Self::Limits => "limits",
        }
    }
}

#[cfg(test)]
mod tests {
    use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_server::SERVICE_NAME;
    use ig_contract::directory::{CHANGES, FACTS};
    use ig_contract::step_up::SPEND;

    use super::*;

    #[test]
    fn what_proxies_call_has_its_name() {
        let directory = |name: &str| ProxyCall::of(&format!("/directory/v1/{name}"));
        assert_eq!(directory(FACTS), Some(ProxyCall::Facts));
        assert_eq!(directory(SPEND), Some(ProxyCall::Spend));
        assert_eq!(directory(CHANGES), None);
        let limits = format!("/{SERVICE_NAME}/ShouldRateLimit");
        assert_eq!(ProxyCall::of(&limits), Some(ProxyCall::Limits));
        for call in [ProxyCall::Facts, ProxyCall::Spend, ProxyCall::Limits] {
            assert!(!call.as_str().is_empty());
        }
    }

    /// (`traceparent`, whether it is one)
    #[test]
    fn what_is_no_parent_is_none() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let long = format!("{good}{}", "-x".repeat(300));
        let table = [
            (good, true),
            ("", false),
            (
                "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                false,
            ),
            (
                "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                false,
            ),
            (
                "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                false,
            ),
            ("00-é-b7ad6b7169203331-01", false),
            (long.as_str(), false),
        ];
        for (value, is_one) in table {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", value.parse().unwrap());
            assert_eq!(parent(&headers).is_some(), is_one, "{value}");
            headers.append("traceparent", good.parse().unwrap());
            assert!(parent(&headers).is_none(), "twice: {value}");
        }
    }
}
