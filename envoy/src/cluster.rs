//! Clusters.

use std::time::Duration;

use serde_json::{Value, json};

use crate::bootstrap::duration;
use crate::options::{
    CONTROL_PLANE, Endpoints, GATEWAY_PREFIX, HttpVersion, StaticOptions, UPSTREAM,
    UPSTREAM_PRIMARY, UPSTREAM_REPLICA, UpstreamTls,
};
use crate::{Address, Jwks, TRACES, jwt, sds, upstream};

pub(crate) fn all(options: &StaticOptions) -> Vec<Value> {
    let mut clusters = upstream::clusters(options);
    clusters.extend(asked(options));
    clusters
}

/// Those that the guard, or Envoy for its sake, asks something.
pub(crate) fn asked(options: &StaticOptions) -> Vec<Value> {
    let made = of_asked(options).into_iter();
    let made = made.map(|(name, endpoints, version)| {
        let groups = [Group::anywhere(&endpoints.addresses)];
        cluster(&name, &groups, endpoints.tls.as_ref(), options, version)
    });
    made.collect()
}

/// Names of the same, and what they are made of.
fn of_asked(options: &StaticOptions) -> Vec<(String, &Endpoints, HttpVersion)> {
    let mut clusters = Vec::new();
    let mut add = |name: &str, endpoints, version| {
        clusters.push((name.to_owned(), endpoints, version));
    };
    if let Some(store) = &options.text_store {
        add(&store.cluster, &store.endpoints, HttpVersion::Http1);
    }
    for provider in &options.jwt_providers {
        if let Jwks::Remote { endpoints, .. } = &provider.jwks {
            add(&jwt::jwks_cluster(provider), endpoints, HttpVersion::Http1);
        }
    }
    if let Some(control_plane) = &options.control_plane {
        add(CONTROL_PLANE, &control_plane.endpoints, HttpVersion::Http2);
    }
    if let Some(tracing) = &options.tracing {
        add(TRACES, &tracing.collector, HttpVersion::Http2);
    }
    clusters
}

/// Whether a cluster that is made here may be called so: a store of texts needs another name.
pub fn is_cluster_of_ours(name: &str) -> bool {
    let ours = [
        CONTROL_PLANE,
        TRACES,
        UPSTREAM,
        UPSTREAM_PRIMARY,
        UPSTREAM_REPLICA,
    ];
    ours.contains(&name)
        || [jwt::JWKS_PREFIX, GATEWAY_PREFIX]
            .iter()
            .any(|begin| name.starts_with(begin))
}

/// Clusters that are reached by TLS, but for the service's.
pub(crate) fn with_tls(options: &StaticOptions) -> Vec<(String, &UpstreamTls)> {
    let asked = of_asked(options).into_iter();
    let asked = asked.filter_map(|(name, endpoints, _)| Some((name, endpoints.tls.as_ref()?)));
    let gateways = options.region.iter().flat_map(|region| {
        let tls = region.gateway_tls.as_ref();
        let names = region.gateways.keys();
        names.filter_map(move |name| Some((upstream::gateway(name), tls?)))
    });
    asked.chain(gateways).collect()
}

/// Hosts of one priority; those of a later one serve where the earlier cannot.
pub(crate) struct Group<'a> {
    region: Option<&'a str>,
    addresses: &'a [Address],
}

impl<'a> Group<'a> {
    pub(crate) fn anywhere(addresses: &'a [Address]) -> Self {
        Self {
            region: None,
            addresses,
        }
    }

    pub(crate) fn of_region(region: &'a str, addresses: &'a [Address]) -> Self {
        Self {
            region: Some(region),
            addresses,
        }
    }

    /// Its hosts.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &'a Address> + use<'a> {
        self.addresses.iter()
    }

    fn to_envoy(&self, priority: usize) -> Value {
        let mut group = json!({"lb_endpoints": hosts(self.addresses)});
        if priority > 0 {
            group["priority"] = json!(priority);
        }
        if let Some(region) = self.region {
            group["locality"] = json!({"region": region});
        }
        group
    }
}

pub(crate) fn cluster(
    name: &str,
    groups: &[Group<'_>],
    tls: Option<&UpstreamTls>,
    options: &StaticOptions,
    version: HttpVersion,
) -> Value {
    let timeouts = &options.timeouts;
    let groups_by_priority = groups.iter().enumerate();
    // What is read of a WebSocket at once has to fit into what a filter may hold.
    let read_at_once = match options.websockets {
        Some(_) => options.buffers.per_connection_bytes / 2,
        None => options.buffers.per_connection_bytes,
    };
    let mut cluster = json!({
        "name": name,
        "connect_timeout": duration(timeouts.connect),
        "per_connection_buffer_limit_bytes": read_at_once,
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions":
                protocol_options(name, version, timeouts.upstream_idle),
        },
        "load_assignment": {
            "cluster_name": name,
            "endpoints": groups_by_priority
                .map(|(priority, group)| group.to_envoy(priority))
                .collect::<Vec<_>>(),
        },
    });
    let mut addresses = groups.iter().flat_map(|group| group.addresses);
    if addresses.all(Address::is_ip) {
        cluster["type"] = json!("STATIC");
    } else {
        cluster["type"] = json!("STRICT_DNS");
        cluster["dns_lookup_family"] = json!("V4_PREFERRED");
    }
    if let Some(tls) = tls {
        cluster["transport_socket"] = transport_socket(name, tls, options);
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

fn transport_socket(cluster: &str, tls: &UpstreamTls, options: &StaticOptions) -> Value {
    json!({
        "name": "envoy.transport_sockets.tls",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            "sni": tls.server_name,
            "common_tls_context": sds::common_context(cluster, tls, options),
        },
    })
}
