//! Clusters.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bootstrap::duration;
use crate::options::{CONTROL_PLANE, Endpoints, HttpVersion, StaticOptions, UPSTREAM, UpstreamTls};
use crate::{Address, Jwks, jwt};

pub(crate) fn all(options: &StaticOptions) -> Vec<Value> {
    let upstream = &options.upstream;
    let mut clusters = vec![cluster(
        UPSTREAM,
        &upstream.endpoints,
        options,
        upstream.http_version,
        Some(upstream.max_requests),
    )];
    if let Some(store) = &options.text_store {
        clusters.push(cluster(
            &store.cluster,
            &store.endpoints,
            options,
            HttpVersion::Http1,
            None,
        ));
    }
    for provider in &options.jwt_providers {
        if let Jwks::Remote { endpoints, .. } = &provider.jwks {
            let name = jwt::jwks_cluster(provider);
            clusters.push(cluster(&name, endpoints, options, HttpVersion::Http1, None));
        }
    }
    if let Some(control_plane) = &options.control_plane {
        let endpoints = &control_plane.endpoints;
        clusters.push(cluster(
            CONTROL_PLANE,
            endpoints,
            options,
            HttpVersion::Http2,
            None,
        ));
    }
    clusters
}

fn cluster(
    name: &str,
    endpoints: &Endpoints,
    options: &StaticOptions,
    version: HttpVersion,
    max_requests: Option<u32>,
) -> Value {
    let timeouts = &options.timeouts;
    let mut cluster = json!({
        "name": name,
        "connect_timeout": duration(timeouts.connect),
        "per_connection_buffer_limit_bytes": options.buffers.per_connection_bytes,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions":
                protocol_options(name, version, timeouts.upstream_idle),
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": [{"lb_endpoints": hosts(&endpoints.addresses)}],
        },
    });
    if endpoints.addresses.iter().all(Address::is_ip) {
        cluster["type"] = json!("STATIC");
    } else {
        cluster["type"] = json!("STRICT_DNS");
        cluster["dns_lookup_family"] = json!("V4_PREFERRED");
    }
    if let Some(tls) = &endpoints.tls {
        cluster["transport_socket"] = transport_socket(tls);
    }
    if let Some(max) = max_requests {
        cluster["circuit_breakers"] = json!({"thresholds": [{
            "max_connections": max,
            "max_pending_requests": max,
            "max_requests": max,
        }]});
    }
    cluster
}

fn protocol_options(cluster: &str, version: HttpVersion, idle: Duration) -> Value {
    let explicit = match (version, cluster) {
        (HttpVersion::Http1, _) => json!({"http_protocol_options": {}}),
        // A stream that is silent for hours is not one that is gone.
        (HttpVersion::Http2, CONTROL_PLANE) => json!({"http2_protocol_options": {
            "connection_keepalive": {"interval": "30s", "timeout": "5s"},
        }}),
        (HttpVersion::Http2, _) => json!({"http2_protocol_options": {}}),
    };
    json!({
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "common_http_protocol_options": {"idle_timeout": duration(idle)},
        "explicit_http_config": explicit,
    })
}

fn hosts(addresses: &[Address]) -> Vec<Value> {
    let host = |address: &Address| json!({"endpoint": {"address": address.to_envoy()}});
    addresses.iter().map(host).collect()
}

fn transport_socket(tls: &UpstreamTls) -> Value {
    let mut socket = json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": tls.server_name,
            "common_tls_context": {
                "validation_context": {
                    "trusted_ca": {"filename": tls.trusted_ca.to_string_lossy()},
                    "match_typed_subject_alt_names": [
                        {"san_type": "DNS", "matcher": {"exact": tls.server_name}},
                    ],
                },
            },
        },
    });
    if let Some((chain, key)) = &tls.identity {
        socket["typed_config"]["common_tls_context"]["tls_certificates"] = json!([{
            "certificate_chain": {"filename": chain.to_string_lossy()},
            "private_key": {"filename": key.to_string_lossy()},
        }]);
    }
    socket
}
