//! Spans of requests, in OTLP over gRPC.
//!
//! Envoy's own tags say who called, and with which URL and software. None of
//! that belongs into a store of traces: what was asked by GET stands in the
//! URL, and addresses are people's.

use ig_contract::{decision, headers};
use serde_json::{Value, json};

use crate::options::{Endpoints, StaticOptions};

/// Name of the cluster that spans go to.
pub const TRACES: &str = "traces";

/// Where spans go, and of how many requests.
#[derive(Clone, Debug)]
pub struct Tracing {
    /// OTLP over gRPC: a collector, as a rule.
    pub collector: Endpoints,
    /// Of a hundred requests, how many are traced. A client that says its own
    /// trace is not kept is not traced; one that says it is, is traced as often
    /// as others.
    pub sampling_percent: f64,
    /// `service.name` of the spans.
    pub service: String,
}

impl Tracing {
    /// One request of a hundred.
    pub fn new(collector: Endpoints) -> Self {
        Self {
            collector,
            sampling_percent: 1.0,
            service: "ig-gateway".into(),
        }
    }
}

/// What the connection manager does for every request.
pub(crate) fn config(tracing: &Tracing) -> Value {
    json!({
        // A span of its own for what the upstream takes.
        "spawn_upstream_span": true,
        "random_sampling": {"value": tracing.sampling_percent},
        // `x-client-trace-id` would have any client traced.
        "client_sampling": {"value": 0},
        // The path holds what was asked by GET.
        "max_path_tag_length": 1,
        "custom_tags": tags(),
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
                "grpc_service": {
                    "envoy_grpc": {"cluster_name": TRACES},
                    "timeout": "1s",
                },
                "service_name": tracing.service,
            },
        },
    })
}

/// What the guard says of a decision, and nothing in the place of what Envoy
/// would say of the client.
fn tags() -> Vec<Value> {
    let of_guard = [
        ("ig.outcome", decision::TRACE_OUTCOME),
        ("ig.code", decision::TRACE_CODE),
        ("ig.graph", decision::TRACE_GRAPH),
        ("ig.revision", decision::TRACE_REVISION),
        ("ig.decision", decision::TRACE_DECISION),
    ];
    let of_guard = of_guard.map(
        |(tag, state)| json!({"tag": tag, "value": format!("%FILTER_STATE(wasm.{state}:PLAIN)%")}),
    );
    let silenced = ["peer.address", "user_agent", "http.url"];
    let silenced = silenced.map(|tag| json!({"tag": tag, "literal": {"value": "-"}}));
    of_guard.into_iter().chain(silenced).collect()
}

/// Tells the guard which span it works for: Envoy tells upstreams only. It
/// comes first, and what a client sends under the name is overwritten.
pub(crate) fn filter(options: &StaticOptions) -> Option<Value> {
    options.tracing.as_ref()?;
    Some(json!({
        "name": "ig.trace",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {"request_mutations": [{"append": {
                "header": {"key": headers::TRACE, "value": "%TRACE_ID%-%SPAN_ID%"},
                "append_action": "OVERWRITE_IF_EXISTS_OR_ADD",
            }}]},
        },
    }))
}
