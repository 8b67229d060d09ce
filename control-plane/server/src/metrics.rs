//! `/metrics`, in OpenMetrics text.

mod scraper;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use ig_contract::decision::{BREACH_RULE, DecisionRecord};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::exemplar::HistogramWithExemplars;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::timeout;

use crate::alerts::{self, AlertMetrics};
use crate::app::App;
use crate::cost::CostMetrics;
use crate::error::ApiError;
use crate::exports::ExportMetrics;
use crate::ledger::LedgerMetrics;
use crate::rate_limit::RateLimitMetrics;
use crate::store::now;
use crate::telemetry::{self, ProxyCall, TraceLabel};

use scraper::{Scraper, Scrapers};

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct RequestLabels {
    method: &'static str,
    /// The pattern, not what was asked for: callers choose that.
    route: String,
    status: u16,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct DecisionLabels {
    graph: String,
    outcome: &'static str,
    code: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
pub(crate) struct GraphLabel {
    pub(crate) graph: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, EncodeLabelSet)]
struct CallLabel {
    call: &'static str,
}

/// Seconds; 0.35 and 0.9 are the bounds of the service's objectives.
const BUCKETS: [f64; 11] = [
    0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.35, 0.9, 2.5, 10.0,
];

/// Seconds, and traces of requests that took as long.
type Durations = HistogramWithExemplars<TraceLabel>;

fn durations() -> Durations {
    Durations::new(BUCKETS.into_iter())
}

/// What is counted.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    decisions: Family<DecisionLabels, Counter>,
    breaches: Family<GraphLabel, Counter>,
    schema_breaks: Family<GraphLabel, Counter>,
    pub(crate) decisions_lost: Counter,
    pub(crate) decisions_unreadable: Counter,
    pub(crate) publications: Counter,
    pub(crate) rekey_failures: Counter,
    pub(crate) streams: Gauge,
    skew: Gauge,
    behind: Gauge,
    refused: Gauge,
    database_up: Gauge,
    scrapers: Scrapers,
    pub(crate) refusals: Counter<u64, AtomicU64>,
    pub(crate) failed_logins: Counter,
    pub(crate) break_glass_uses: Counter,
    pub(crate) break_glass_failures: Counter,
    durations: Family<RouteLabels, Durations>,
    proxy_calls: Family<CallLabel, Durations>,
    scim: Family<RouteLabels, Histogram>,
    pub(crate) rate_limit: RateLimitMetrics,
    pub(crate) ledger: Arc<LedgerMetrics>,
    pub(crate) exports: ExportMetrics,
    pub(crate) cost: CostMetrics,
    pub(crate) alerts: AlertMetrics,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("ig");
        let this = Self {
            requests: Family::default(),
            decisions: Family::default(),
            breaches: Family::default(),
            schema_breaks: Family::default(),
            decisions_lost: Counter::default(),
            decisions_unreadable: Counter::default(),
            publications: Counter::default(),
            rekey_failures: Counter::default(),
            streams: Gauge::default(),
            skew: Gauge::default(),
            behind: Gauge::default(),
            refused: Gauge::default(),
            database_up: Gauge::default(),
            scrapers: Scrapers::default(),
            refusals: Counter::default(),
            failed_logins: Counter::default(),
            break_glass_uses: Counter::default(),
            break_glass_failures: Counter::default(),
            durations: Family::new_with_constructor(durations),
            proxy_calls: Family::new_with_constructor(durations),
            scim: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            rate_limit: RateLimitMetrics::register(&mut registry),
            ledger: Arc::new(LedgerMetrics::register(&mut registry)),
            exports: ExportMetrics::register(&mut registry),
            cost: CostMetrics::register(&mut registry),
            alerts: AlertMetrics::register(&mut registry),
            registry: Registry::default(),
        };
        registry.register("api_requests", "Requests to the API", this.requests.clone());
        registry.register(
            "decisions",
            "Decisions of guards, from access logs",
            this.decisions.clone(),
        );
        registry.register(
            "residency_breaches",
            "Answers that came from another region than the request was for",
            this.breaches.clone(),
        );
        registry.register(
            "schema_breaks",
            "Times that a graph was not published, since its schema breaks operations that it has",
            this.schema_breaks.clone(),
        );
        registry.register(
            "decisions_lost",
            "Decisions that arrived and are not stored: the store was too slow, or failed",
            this.decisions_lost.clone(),
        );
        registry.register(
            "decisions_unreadable",
            "Decisions that arrived and could not be read",
            this.decisions_unreadable.clone(),
        );
        registry.register(
            "publications",
            "Snapshots published by this replica",
            this.publications.clone(),
        );
        registry.register(
            "step_up_rekey_failures",
            "Times that what is published could not be given the keys of now",
            this.rekey_failures.clone(),
        );
        registry.register(
            "database_up",
            "Whether the database answered when this was asked for: 1 or 0",
            this.database_up.clone(),
        );
        registry.register("xds_streams", "Streams of proxies", this.streams.clone());
        registry.register(
            "xds_skew",
            "Snapshots that proxies of this replica should run and whose format their modules do not read",
            this.skew.clone(),
        );
        registry.register(
            "xds_behind",
            "Snapshots that proxies of this replica should run and have not run for a minute, and proxies that run none",
            this.behind.clone(),
        );
        registry.register(
            "xds_refused",
            "Snapshots that proxies of this replica should run now and have refused",
            this.refused.clone(),
        );
        registry.register(
            "xds_refusals",
            "Snapshots that a proxy refused",
            this.refusals.clone(),
        );
        registry.register(
            "failed_logins",
            "Calls with a token that is not valid",
            this.failed_logins.clone(),
        );
        registry.register(
            "break_glass_uses",
            "Step-up tokens given for a one-time password or recovery code",
            this.break_glass_uses.clone(),
        );
        registry.register(
            "break_glass_failures",
            "One-time passwords and recovery codes that were wrong",
            this.break_glass_failures.clone(),
        );
        registry.register_with_unit(
            "api_duration",
            "Time to answer requests to the API",
            Unit::Seconds,
            this.durations.clone(),
        );
        registry.register_with_unit(
            "proxy_call_duration",
            "Time to answer what proxies call while a request of theirs waits",
            Unit::Seconds,
            this.proxy_calls.clone(),
        );
        registry.register_with_unit(
            "scim_duration",
            "Time to answer SCIM requests",
            Unit::Seconds,
            this.scim.clone(),
        );
        Self { registry, ..this }
    }

    /// Counts a call of a proxy, and where it may be looked at.
    pub(crate) fn proxy_call(&self, call: ProxyCall, took: Duration, kept: Option<TraceLabel>) {
        let call = call.as_str();
        let durations = self.proxy_calls.get_or_create(&CallLabel { call });
        durations.observe(took.as_secs_f64(), kept, Some(SystemTime::now()));
    }

    pub(crate) fn decision(&self, graph: &str, decision: &DecisionRecord<'_>) {
        let code = decision
            .code
            .and_then(|code| serde_json::to_value(code).ok());
        let labels = DecisionLabels {
            graph: graph.to_owned(),
            outcome: decision.outcome.as_str(),
            code: code
                .and_then(|code| code.as_str().map(Into::into))
                .unwrap_or_default(),
        };
        self.decisions.get_or_create(&labels).inc();
        let DecisionLabels { graph, .. } = labels;
        let is_breach = decision.rule == BREACH_RULE;
        if is_breach {
            tracing::error!(graph, decision = %decision.decision_id, "ALERT: an answer from another region");
        }
        // Without a breach too: a count that begins at nothing is seen to grow.
        let breaches = self.breaches.get_or_create(&GraphLabel { graph });
        breaches.inc_by(u64::from(is_breach));
    }

    /// Counts a schema that would have broken operations of what is published.
    pub(crate) fn schema_break(&self, graph: &str) {
        let graph = graph.to_owned();
        self.schema_breaks
            .get_or_create(&GraphLabel { graph })
            .inc();
    }
}

/// A method as labels and spans have it: callers may send any word.
pub(crate) fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "PUT" => "PUT",
        "POST" => "POST",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        _ => "other",
    }
}

/// Counts requests.
pub(crate) async fn count(State(app): State<App>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let of = RouteLabels {
        method: method(request.method()),
        route: route.map_or("none", MatchedPath::as_str).to_owned(),
    };
    let started = Instant::now();
    let response = next.run(request).await;
    let seconds = started.elapsed().as_secs_f64();
    let durations = app.metrics.durations.get_or_create(&of);
    durations.observe(seconds, telemetry::exemplar(), Some(SystemTime::now()));
    drop(durations);
    if of.route.starts_with("/scim/") {
        app.metrics.scim.get_or_create(&of).observe(seconds);
    }
    let labels = RequestLabels {
        method: of.method,
        route: of.route,
        status: response.status().as_u16(),
    };
    app.metrics.requests.get_or_create(&labels).inc();
    response
}

/// Metrics, for Prometheus. While the database is away, a token that was good here in
/// the last hour still counts, and what is read from the database is as it was.
#[utoipa::path(get, path = "/metrics", tag = "probes", security(("bearer" = ["viewer"])),
    responses((status = 200, body = String,
        content_type = "application/openmetrics-text")))]
pub(crate) async fn get(State(app): State<App>, _: Scraper) -> Result<Response, ApiError> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    app.metrics.skew.set(number(app.proxies.held_count()));
    let behind = app.proxies.behind_count(now());
    app.metrics.behind.set(number(behind));
    app.metrics.refused.set(number(app.proxies.refused_count()));
    let waiting = timeout(scraper::PATIENCE, alerts::count_waiting(&app.store)).await;
    let is_up = match waiting {
        Ok(Ok(waiting)) => {
            app.metrics.alerts.waiting.set(waiting);
            true
        }
        Ok(Err(_)) | Err(_) => false,
    };
    app.metrics.database_up.set(i64::from(is_up));
    let mut text = String::new();
    encode(&mut text, &app.metrics.registry).map_err(ApiError::invalid)?;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, media_type)], text).into_response())
}

#[cfg(test)]
mod tests;
