//! The HTTP connection manager, hardened for an edge.

use serde_json::{Value, json};

use crate::bootstrap::duration;
use crate::options::StaticOptions;
use crate::{access_log, filter, local_reply, route, tracing};

/// Name of the network filter.
pub(crate) const CONNECTION_MANAGER: &str = "envoy.filters.network.http_connection_manager";
/// Its type.
pub(crate) const CONNECTION_MANAGER_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// Settings with which the guard and the upstream see one path and one header,
/// spelt one way; by JSON pointer.
pub(crate) fn one_reading() -> [(&'static str, Value); 4] {
    [
        ("/normalize_path", json!(true)),
        ("/merge_slashes", json!(true)),
        ("/path_with_escaped_slashes_action", json!("REJECT_REQUEST")),
        // `X_Ig_Region` is `X-Ig-Region` to servers behind CGI or WSGI.
        (
            "/common_http_protocol_options/headers_with_underscores_action",
            json!("REJECT_REQUEST"),
        ),
    ]
}

/// Sets the member at a JSON pointer, and objects on the way to it.
pub(crate) fn set(object: &mut Value, pointer: &str, value: Value) {
    let path = pointer.split('/').skip(1);
    *path.fold(object, |inner, key| &mut inner[key]) = value;
}

pub(crate) fn connection_manager(options: &StaticOptions) -> Value {
    let timeouts = &options.timeouts;
    let mut manager = json!({
        "name": CONNECTION_MANAGER,
        "typed_config": {
            "@type": CONNECTION_MANAGER_TYPE,
            "stat_prefix": "ingress",
            // HTTP/1.1, and HTTP/2 with prior knowledge.
            "codec_type": "AUTO",
            "strip_trailing_host_dot": true,
            "use_remote_address": true,
            "xff_num_trusted_hops": options.trusted_hops,
            "common_http_protocol_options": {
                "idle_timeout": duration(timeouts.connection_idle),
                "max_headers_count": 100,
            },
            // Both a length and chunks is how requests are smuggled.
            "http_protocol_options": {"allow_chunked_length": false},
            "http2_protocol_options": {
                "max_concurrent_streams": 100,
                // Envoy holds at most a window of a stream; below the guard's
                // limit, it would answer for it.
                "initial_stream_window_size": options.buffers.per_connection_bytes.max(65_535),
                "initial_connection_window_size": options.buffers.per_connection_bytes.max(1_048_576),
            },
            "request_headers_timeout": duration(timeouts.request_headers),
            "request_timeout": duration(timeouts.request),
            "stream_idle_timeout": duration(timeouts.stream_idle),
            "access_log": access_log::all(options),
            "http_filters": filter::chain(options),
            "local_reply_config": local_reply::config(options),
            "route_config": route::config(options),
        },
    });
    // Without them Envoy refuses the upgrade, as the guard would.
    if options.websockets.is_some() {
        manager["typed_config"]["upgrade_configs"] = json!([{"upgrade_type": "websocket"}]);
        // Browsers open WebSockets within HTTP/2 too (RFC 8441).
        manager["typed_config"]["http2_protocol_options"]["allow_connect"] = json!(true);
    }
    if let Some(traced) = &options.tracing {
        manager["typed_config"]["tracing"] = tracing::config(traced);
    }
    for (pointer, value) in one_reading() {
        set(&mut manager["typed_config"], pointer, value);
    }
    manager
}
