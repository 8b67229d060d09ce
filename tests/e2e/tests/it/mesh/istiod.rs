//! What istiod does with an EnvoyFilter, as its documentation says, and the
//! listeners that it writes. Filters that only Istio's own build of Envoy has
//! are left out of them.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::Served;

const MANAGER: &str = "envoy.filters.network.http_connection_manager";

/// Merges as protobuf does: objects member by member, lists one behind the
/// other, everything else anew.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from)) => into.extend(from.iter().cloned()),
        (into, from) => *into = from.clone(),
    }
}

/// Applies an EnvoyFilter to what a proxy is served, in one context.
pub(super) fn apply(objects: &[Value], context: &str, mut served: Served) -> Served {
    let [object] = objects else {
        panic!("one object: {objects:?}")
    };
    assert_eq!(object["kind"], "EnvoyFilter");
    let patches = object["spec"]["configPatches"].as_array().unwrap();
    // By what they are for, in this order, whatever the order of the list.
    for kind in ["CLUSTER", "LISTENER", "NETWORK_FILTER", "HTTP_FILTER"] {
        let of_kind = patches.iter().filter(|patch| patch["applyTo"] == kind);
        for patch in of_kind.filter(|patch| patch["match"]["context"] == context) {
            let operation = patch["patch"]["operation"].as_str().unwrap();
            let value = &patch["patch"]["value"];
            match (kind, operation) {
                ("CLUSTER", "ADD") => served.clusters.push(value.clone()),
                ("LISTENER", "MERGE") => {
                    let listeners = served.listeners.iter_mut();
                    for one in listeners.filter(|one| is_listener(one, patch)) {
                        merge(one, value);
                    }
                }
                _ => {
                    for listener in &mut served.listeners {
                        for filter in managers(listener, patch) {
                            change(filter, patch, kind, operation);
                        }
                    }
                }
            }
        }
    }
    let known = ["CLUSTER", "LISTENER", "NETWORK_FILTER", "HTTP_FILTER"];
    let kinds = patches
        .iter()
        .map(|patch| patch["applyTo"].as_str().unwrap());
    assert!(kinds.into_iter().all(|kind| known.contains(&kind)));
    served
}

/// What a patch matches by: a waypoint's has its own member.
fn matching(patch: &Value) -> (&Value, &Value) {
    let waypoint = &patch["match"]["waypoint"];
    match waypoint.is_object() {
        true => (waypoint, &waypoint["filter"]),
        false => {
            let listener = &patch["match"]["listener"];
            (listener, &listener["filterChain"]["filter"])
        }
    }
}

fn is_listener(listener: &Value, patch: &Value) -> bool {
    let (wanted, _) = matching(patch);
    let is_named = wanted["name"].is_null() || wanted["name"] == listener["name"];
    // The port of a virtual listener is that of its filter chains.
    let is_virtual = listener["name"] == "virtualInbound";
    let port = &listener["address"]["socket_address"]["port_value"];
    let is_port = wanted["portNumber"].is_null() || is_virtual || wanted["portNumber"] == *port;
    is_named && is_port
}

/// The connection managers of a listener that a patch is for.
fn managers<'a>(listener: &'a mut Value, patch: &Value) -> Vec<&'a mut Value> {
    let (wanted, filter) = matching(patch);
    let (port, name) = (wanted["portNumber"].clone(), filter["name"].clone());
    assert_eq!(name, MANAGER);
    if !is_listener(listener, patch) {
        return Vec::new();
    }
    let is_virtual = listener["name"] == "virtualInbound";
    let chains = listener["filter_chains"].as_array_mut().unwrap().iter_mut();
    let chains = chains.filter(|chain| {
        let own = &chain["filter_chain_match"]["destination_port"];
        !is_virtual || port.is_null() || *own == port
    });
    let filters = chains.flat_map(|chain| chain["filters"].as_array_mut().unwrap());
    filters.filter(|filter| filter["name"] == name).collect()
}

fn change(manager: &mut Value, patch: &Value, kind: &str, operation: &str) {
    let value = &patch["patch"]["value"];
    match (kind, operation) {
        ("NETWORK_FILTER", "MERGE") => merge(manager, value),
        ("HTTP_FILTER", "INSERT_BEFORE") => {
            let (_, filter) = matching(patch);
            let before = &filter["subFilter"]["name"];
            let filters = manager["typed_config"]["http_filters"]
                .as_array_mut()
                .unwrap();
            // Where the filter is not found nothing is inserted.
            if let Some(at) = filters.iter().position(|one| one["name"] == *before) {
                filters.insert(at, value.clone());
            }
        }
        other => panic!("{other:?} is not what is rendered"),
    }
}

fn connection_manager(prefix: &str, cluster: &str) -> Value {
    let typed = |name: &str, kind: &str| {
        let kind = format!("type.googleapis.com/envoy.extensions.filters.http.{kind}");
        json!({"name": name, "typed_config": {"@type": kind}})
    };
    json!({
        "name": MANAGER,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": prefix,
            "normalize_path": true,
            "path_with_escaped_slashes_action": "KEEP_UNCHANGED",
            "forward_client_cert_details": "APPEND_FORWARD",
            "set_current_client_cert_details": {"subject": true, "dns": true, "uri": true},
            "server_name": "istio-envoy",
            "use_remote_address": false,
            "route_config": {
                "name": cluster,
                "validate_clusters": false,
                "virtual_hosts": [{
                    "name": "inbound|http|4000",
                    "domains": ["*"],
                    "routes": [{
                        "name": "default",
                        "match": {"prefix": "/"},
                        "route": {"cluster": cluster, "timeout": "0s"},
                    }],
                }],
            },
            "access_log": [{
                "name": "envoy.access_loggers.file",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
                    "path": "/dev/stdout",
                },
            }],
            "http_filters": [
                typed("envoy.filters.http.rbac", "rbac.v3.RBAC"),
                typed("envoy.filters.http.grpc_stats", "grpc_stats.v3.FilterConfig"),
                typed("envoy.filters.http.fault", "fault.v3.HTTPFault"),
                typed("envoy.filters.http.cors", "cors.v3.Cors"),
                typed("envoy.filters.http.router", "router.v3.Router"),
            ],
        },
    })
}

fn cluster(name: &str, to: SocketAddr) -> Value {
    json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "10s",
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(to)}}]}],
        },
    })
}

fn socket(address: SocketAddr) -> Value {
    json!({"socket_address": {
        "address": address.ip().to_string(), "port_value": address.port(),
    }})
}

/// A listener of a gateway.
pub(super) fn gateway(listen: SocketAddr, upstream: SocketAddr) -> Served {
    let name = "outbound|4000||graph.edge.svc.cluster.local";
    Served {
        listeners: vec![json!({
            "name": format!("{}_{}", listen.ip(), listen.port()),
            "address": socket(listen),
            "traffic_direction": "OUTBOUND",
            "filter_chains": [{"filters": [connection_manager("outbound_0.0.0.0_8080", name)]}],
        })],
        clusters: vec![cluster(name, upstream)],
    }
}

/// The one listener that everything arrives at in a pod: a chain for each port
/// of the workload, with and without TLS, and some for what is none of them.
pub(super) fn sidecar(listen: SocketAddr, upstream: SocketAddr) -> Served {
    let name = "inbound|4000||";
    let chain = |name: &str, matching: Value, filter: Value| json!({"name": name, "filter_chain_match": matching, "filters": [filter]});
    let tcp = |prefix: &str, cluster: &str| {
        json!({
            "name": "envoy.filters.network.tcp_proxy",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": prefix,
                "cluster": cluster,
            },
        })
    };
    let of_port = |transport: &str| json!({"destination_port": listen.port(), "transport_protocol": transport});
    Served {
        listeners: vec![json!({
            "name": "virtualInbound",
            "address": socket(listen),
            "traffic_direction": "INBOUND",
            "listener_filters": [
                {
                    "name": "envoy.filters.listener.tls_inspector",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"},
                },
                {
                    "name": "envoy.filters.listener.http_inspector",
                    "typed_config": {"@type": "type.googleapis.com/envoy.extensions.filters.listener.http_inspector.v3.HttpInspector"},
                },
            ],
            "filter_chains": [
                chain(
                    "virtualInbound-blackhole",
                    json!({"destination_port": 15006}),
                    tcp("BlackHoleCluster", "BlackHoleCluster"),
                ),
                chain(
                    "virtualInbound-catchall-http",
                    json!({"application_protocols": ["http/1.1", "h2c"], "transport_protocol": "raw_buffer"}),
                    connection_manager("InboundPassthroughClusterIpv4", "InboundPassthroughClusterIpv4"),
                ),
                chain("4000-tls", of_port("tls"), connection_manager("inbound_4000", name)),
                chain("4000", of_port("raw_buffer"), connection_manager("inbound_4000", name)),
            ],
        })],
        clusters: vec![cluster(name, upstream)],
    }
}
