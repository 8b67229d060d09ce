//! The HTTP filters, in the order requests meet them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::options::{Guard, SnapshotFrom, StaticOptions};
use crate::{control_plane, jwt, tracing, upstream};

/// Name of the filter that ends every chain.
pub(crate) const ROUTER: &str = "envoy.filters.http.router";

pub(crate) fn chain(options: &StaticOptions) -> Vec<Value> {
    let mut filters: Vec<Value> = tracing::filter(options).into_iter().collect();
    filters.extend(jwt::filter(options));
    filters.extend(guards(options));
    filters.extend(upstream::admission_control(options));
    filters.push(router());
    filters
}

/// What ends every chain.
pub(crate) fn router() -> Value {
    json!({
        "name": ROUTER,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
        },
    })
}

/// The guards, and what asks the control plane what it counts for all proxies.
pub(crate) fn guards(options: &StaticOptions) -> Vec<Value> {
    let mut filters: Vec<Value> = options.guards.iter().map(wasm).collect();
    if let (Some(limits), Some(_)) = (options.global_limits, &options.control_plane) {
        let is_fed = |guard: &&Guard| guard.snapshot == SnapshotFrom::ControlPlane;
        let fed = options.guards.iter().filter(is_fed);
        filters.extend(fed.map(|guard| control_plane::rate_limit(guard, limits)));
    }
    filters
}

/// One guard.
pub(crate) fn wasm(guard: &Guard) -> Value {
    let mut config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
        "config": {
            "name": guard.name,
            "root_id": guard.root_id,
            // A trap costs the requests of one VM until it is back, and
            // they are answered 503; without this it costs all of them
            // until somebody restarts Envoy.
            "failure_policy": "FAIL_RELOAD",
            // Without this the guard could not hold headers back while it
            // reads the body.
            "allow_on_headers_stop_iteration": true,
            "vm_config": {
                "vm_id": guard.vm_id,
                "runtime": "envoy.wasm.runtime.v8",
                "code": {"local": {"filename": guard.module.to_string_lossy()}},
            },
        },
    });
    match &guard.snapshot {
        SnapshotFrom::ControlPlane => control_plane::discovered(guard, config),
        SnapshotFrom::Embedded(bytes) => {
            config["config"]["configuration"] = json!({
                "@type": "type.googleapis.com/google.protobuf.BytesValue",
                "value": STANDARD.encode(bytes),
            });
            json!({"name": guard.name, "typed_config": config})
        }
    }
}
