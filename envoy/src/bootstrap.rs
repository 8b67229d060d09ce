//! The bootstrap as a whole.

use std::time::Duration;

use ig_contract::trace;
use serde_json::{Value, json};

use crate::options::StaticOptions;
use crate::{cluster, http, readiness, stats};

/// Renders a static bootstrap.
pub fn render(options: &StaticOptions) -> Value {
    let mut bootstrap = json!({
        "admin": {"address": options.admin.to_envoy()},
        "stats_config": stats::config(),
        "static_resources": {
            "listeners": [{
                "name": "ingress",
                "address": options.listen.to_envoy(),
                "per_connection_buffer_limit_bytes": options.buffers.per_connection_bytes,
                "filter_chains": [{"filters": [http::connection_manager(options)]}],
            }],
            "clusters": cluster::all(options),
        },
        "overload_manager": {
            "resource_monitors": [{
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": options.max_connections,
                },
            }],
        },
    });
    let node = options.control_plane.as_ref().map(|fed| &*fed.node);
    // Secret discovery wants one too, from files as well.
    if let Some(node) = node.or(options.sds.is_some().then_some("envoy")) {
        bootstrap["node"] = json!({"id": node, "cluster": "ig"});
    }
    if let (Some(address), Some(listeners)) = (
        &options.readiness,
        bootstrap["static_resources"]["listeners"].as_array_mut(),
    ) {
        listeners.push(readiness::listener(options, address));
    }
    if let Some(region) = &options.region {
        bootstrap["node"]["locality"] = json!({"region": region.name});
    }
    if options.tracing.is_some() {
        bootstrap["node"]["metadata"] = json!({trace::METADATA: trace::WRITTEN});
    }
    bootstrap
}

/// A duration as protobuf's JSON has it.
pub(crate) fn duration(duration: Duration) -> String {
    match duration.subsec_nanos() {
        0 => format!("{}s", duration.as_secs()),
        nanos => format!("{}.{nanos:09}s", duration.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(duration(Duration::ZERO), "0s");
        assert_eq!(duration(Duration::from_secs(90)), "90s");
        assert_eq!(duration(Duration::from_millis(1_050)), "1.050000000s");
    }
}
