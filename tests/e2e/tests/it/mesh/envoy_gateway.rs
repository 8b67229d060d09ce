//! What Envoy Gateway does with an EnvoyPatchPolicy, as its documentation says,
//! and the listener that it writes.

use std::net::SocketAddr;

use serde_json::{Value, json};
use serde_json_path::JsonPath;

use super::Served;

/// Applies a policy to what a proxy is served. An operation with a JSONPath is
/// one for each place that it finds; a policy that finds none is not programmed.
pub(super) fn apply(objects: &[Value], mut served: Served) -> Served {
    let policy = objects.last().unwrap();
    assert_eq!(policy["kind"], "EnvoyPatchPolicy");
    for patch in policy["spec"]["jsonPatches"].as_array().unwrap() {
        let operation = &patch["operation"];
        match patch["type"].as_str().unwrap() {
            "type.googleapis.com/envoy.config.cluster.v3.Cluster" => {
                // As the documentation adds a whole resource.
                assert_eq!(
                    (&operation["op"], &operation["path"]),
                    (&json!("add"), &json!(""))
                );
                served.clusters.push(operation["value"].clone());
            }
            "type.googleapis.com/envoy.config.listener.v3.Listener" => {
                let mut listeners = served.listeners.iter_mut();
                let listener = listeners.find(|one| one["name"] == patch["name"]);
                change(listener.unwrap(), operation);
            }
            other => panic!("{other} is not what is rendered"),
        }
    }
    served
}

fn change(resource: &mut Value, operation: &Value) {
    let path = operation["path"].as_str().unwrap_or_default();
    let pointers: Vec<String> = match operation["jsonPath"].as_str() {
        None => vec![path.to_owned()],
        Some(query) => {
            let query = JsonPath::parse(query).unwrap();
            let found = query.query_located(resource);
            let found = found.locations().map(|place| place.to_json_pointer());
            found.map(|pointer| pointer + path).collect()
        }
    };
    assert!(!pointers.is_empty(), "nothing found by {operation}");
    for pointer in pointers {
        let one = json!([{"op": operation["op"], "path": pointer, "value": operation["value"]}]);
        let patch: json_patch::Patch = serde_json::from_value(one).unwrap();
        json_patch::patch(resource, &patch).unwrap();
    }
}

/// A listener of a Gateway, called as this version of Envoy Gateway does.
pub(super) fn served(name: &str, listen: SocketAddr, upstream: SocketAddr) -> Served {
    let socket = |address: SocketAddr| {
        json!({"socket_address": {
            "address": address.ip().to_string(), "port_value": address.port(),
        }})
    };
    let cluster = "httproute/edge/graph/rule/0";
    let listener = json!({
        "name": name,
        "address": socket(listen),
        "per_connection_buffer_limit_bytes": 32_768,
        "max_connections_to_accept_per_socket_event": 1,
        "default_filter_chain": {
            "name": name,
            "filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    "stat_prefix": "http-10080",
                    "access_log": [{
                        "name": "envoy.access_loggers.file",
                        "typed_config": {
                            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                            "path": "/dev/stdout",
                        },
                    }],
                    "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
                    "http2_protocol_options": {
                        "initial_connection_window_size": 1_048_576,
                        "initial_stream_window_size": 65_536,
                        "max_concurrent_streams": 100,
                    },
                    "http_filters": [
                        {
                            "name": "envoy.filters.http.cors",
                            "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.Cors"},
                        },
                        {
                            "name": "envoy.filters.http.router",
                            "typed_config": {
                                "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
                                "suppress_envoy_headers": true,
                            },
                        },
                    ],
                    "merge_slashes": true,
                    "normalize_path": true,
                    "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
                    // Over ADS there.
                    "route_config": {
                        "name": name,
                        "ignore_port_in_host_matching": true,
                        "virtual_hosts": [{
                            "name": "edge/graph/http/*",
                            "domains": ["*"],
                            "routes": [{
                                "name": "httproute/edge/graph/rule/0/match/-1/*",
                                "match": {"prefix": "/"},
                                "route": {
                                    "cluster": cluster,
                                    "timeout": "0s",
                                    "upgrade_configs": [{"upgrade_type": "websocket"}],
                                },
                            }],
                        }],
                    },
                    "server_header_transformation": "PASS_THROUGH",
                    "use_remote_address": true,
                },
            }],
        },
    });
    Served {
        listeners: vec![listener],
        clusters: vec![json!({
            "name": cluster,
            "type": "STATIC",
            "connect_timeout": "10s",
            "per_connection_buffer_limit_bytes": 32_768,
            "load_assignment": {
                "cluster_name": cluster,
                "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(upstream)}}]}],
            },
        })],
    }
}
