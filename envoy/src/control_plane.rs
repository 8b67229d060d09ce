//! What ties Envoy to the control plane: delta ECDS, the access-log service and
//! the rate-limit service.

use ig_contract::decision::FILTER_STATE_KEY;
use ig_contract::headers;
use ig_contract::snapshot::OperationClass;
use serde_json::{Value, json};

use crate::GlobalLimits;
use crate::bootstrap::duration;
use crate::options::{CONTROL_PLANE, Guard};

fn grpc_service() -> Value {
    json!({
        "envoy_grpc": {
            "cluster_name": CONTROL_PLANE,
            // Envoy's own pauses grow to half a minute: too long for a control
            // plane that restarts.
            "retry_policy": {
                "retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"},
            },
        },
    })
}

/// A guard that takes its snapshot over ECDS. `denying` is the same filter
/// without one, which denies everything.
pub(crate) fn discovered(guard: &Guard, denying: Value) -> Value {
    let mut service = grpc_service();
    // Said with the stream, because a mesh's proxies have a node of their own.
    service["initial_metadata"] = json!([{
        "key": headers::SNAPSHOT_FORMATS,
        "value": ig_contract::snapshot::Formats::READABLE.to_string(),
    }]);
    json!({
        "name": guard.name,
        "config_discovery": {
            "config_source": {
                "resource_api_version": "V3",
                "api_config_source": {
                    "api_type": "DELTA_GRPC",
                    "transport_api_version": "V3",
                    "grpc_services": [service],
                },
            },
            "default_config": denying,
            "apply_default_config_without_warming": true,
            "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
        },
    })
}

/// Decisions to the control plane. The log's name tells it the graph.
pub(crate) fn access_log(guard: &Guard) -> Value {
    json!({
        "name": "envoy.access_loggers.http_grpc",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
            "common_config": {
                "log_name": guard.name,
                "transport_api_version": "V3",
                "grpc_service": grpc_service(),
                "buffer_flush_interval": "0.2s",
                "filter_state_objects_to_log": [format!("wasm.{FILTER_STATE_KEY}")],
            },
        },
    })
}

/// Asks the control plane whether the tenant may have what the request costs, by
/// what the guard says of it, class by class. Nothing is asked about a class that
/// a request costs nothing of.
pub(crate) fn rate_limit(guard: &Guard, limits: GlobalLimits) -> Value {
    let tenant = json!({"request_headers": {
        "descriptor_key": "tenant", "header_name": headers::TENANT,
    }});
    let of_class = |class: OperationClass| {
        let name = headers::cost(class);
        json!({
            "actions": [tenant, {"header_value_match": {
                "descriptor_key": "class",
                "descriptor_value": class.as_str(),
                "headers": [{"name": name, "present_match": true}],
            }}],
            "hits_addend": {"format": format!("%REQ({name})%")},
        })
    };
    json!({
        "name": "envoy.filters.http.ratelimit",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.ratelimit.v3.RateLimit",
            "domain": guard.name,
            "timeout": duration(limits.timeout),
            // The guard's own buckets still hold.
            "failure_mode_deny": false,
            "enable_x_ratelimit_headers": "OFF",
            "disable_x_envoy_ratelimited_header": true,
            "rate_limits": OperationClass::ALL.map(of_class),
            "rate_limit_service": {
                "transport_api_version": "V3",
                "grpc_service": {"envoy_grpc": {"cluster_name": CONTROL_PLANE}},
            },
        },
    })
}
