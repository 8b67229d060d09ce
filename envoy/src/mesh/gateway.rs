//! An EnvoyPatchPolicy of Envoy Gateway. EnvoyExtensionPolicy cannot say
//! `allow_on_headers_stop_iteration`, without which no guard reads a body.

use serde_json::{Value, json};

use super::{MeshError, check, filters, logs, metadata, sds_files, settings};
use crate::cluster;
use crate::options::StaticOptions;

/// An EnvoyPatchPolicy of `gateway.envoyproxy.io/v1alpha1`, and what it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EnvoyGateway {
    /// Name of the policy.
    pub name: String,
    /// Namespace of the Gateway, and so of the policy.
    pub namespace: String,
    /// The Gateway.
    pub gateway: String,
    /// Names of its listeners to guard; of those that share a port, the first.
    pub listeners: Vec<String>,
    /// What Envoy Gateway calls them.
    pub naming: Naming,
    /// The Gateway and its route as well, where there is none yet.
    pub backend: Option<Backend>,
}

/// Names of listeners in what Envoy Gateway serves; a policy that has another finds none
/// (<https://gateway.envoyproxy.io/news/releases/notes/v1.5.0>).
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Naming {
    /// `NAMESPACE/GATEWAY/LISTENER`: before 1.10.
    #[default]
    ByName,
    /// `tcp-PORT`, with these ports of the Gateway's listeners: since 1.10, and since 1.5 with
    /// its runtime flag `XDSNameSchemeV2`.
    ByPort(Vec<u16>),
}

/// What is needed for a Gateway of one's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Backend {
    /// The GatewayClass of Envoy Gateway.
    pub class: String,
    /// Port of the Gateway's listeners; the first has it, others follow.
    pub port: u16,
    /// The GraphQL service, in the Gateway's namespace.
    pub service: String,
    /// Its port.
    pub service_port: u16,
}

const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";
const CLUSTER: &str = "type.googleapis.com/envoy.config.cluster.v3.Cluster";

/// JSONPath of the connection managers of a listener, whichever filter chain
/// they are in.
const MANAGERS: &str =
    "$..filters[?(@.name == 'envoy.filters.network.http_connection_manager')].typed_config";

/// JSONPath of their routers. What is added at an index comes before what is
/// there.
const ROUTERS: &str = "$..http_filters[?(@.name == 'envoy.filters.http.router')]";

/// The objects to apply.
///
/// What of `options` is a bootstrap's alone (where clients connect, the service,
/// what keeps a failing one from taking others with it) is Envoy Gateway's.
///
/// # Errors
/// [`MeshError`] for what its proxies cannot be made to do.
pub fn envoy_gateway(
    options: &StaticOptions,
    object: &EnvoyGateway,
) -> Result<Vec<Value>, MeshError> {
    let names = object.names();
    check(options, names.len())?;
    let mut patches: Vec<_> = cluster::asked(options).into_iter().map(added).collect();
    for name in &names {
        patches.extend(guarded(options, name));
    }
    let policy = json!({
        "apiVersion": "gateway.envoyproxy.io/v1alpha1",
        "kind": "EnvoyPatchPolicy",
        "metadata": metadata(&object.name, Some(&object.namespace)),
        "spec": {
            "targetRef": {
                "group": "gateway.networking.k8s.io",
                "kind": "Gateway",
                "name": object.gateway,
            },
            "type": "JSONPatch",
            // After other policies, so that no filter of theirs comes between
            // the guard and the router: it could change what was decided on.
            "priority": 100,
            "jsonPatches": patches,
        },
    });
    let mut objects = Vec::new();
    if let Some(backend) = &object.backend {
        objects.extend([object.gateway(backend), object.route(backend)]);
    }
    objects.extend(sds_files(options, &object.name, Some(&object.namespace)));
    objects.push(policy);
    Ok(objects)
}

fn added(cluster: Value) -> Value {
    json!({
        "type": CLUSTER,
        "name": cluster["name"],
        "operation": {"op": "add", "path": "", "value": cluster},
    })
}

/// The patches of one listener.
fn guarded(options: &StaticOptions, name: &str) -> Vec<Value> {
    let patch = |operation: Value| json!({"type": LISTENER, "name": name, "operation": operation});
    // Envoy Gateway's 32 KiB are less than what a guard may have to read.
    let mut patches = vec![patch(json!({
        "op": "add",
        "path": "/per_connection_buffer_limit_bytes",
        "value": options.buffers.per_connection_bytes,
    }))];
    let at = |path: &str, value: Value| {
        patch(json!({"op": "add", "jsonPath": MANAGERS, "path": path, "value": value}))
    };
    let settings = settings(options).into_iter();
    patches.extend(settings.map(|(pointer, value)| at(pointer, value)));
    let logs = logs(options).into_iter();
    patches.extend(logs.map(|log| at("/access_log/-", log)));
    let filters = filters(options).into_iter();
    patches.extend(
        filters.map(|filter| patch(json!({"op": "add", "jsonPath": ROUTERS, "value": filter}))),
    );
    patches
}

impl EnvoyGateway {
    /// The listeners, as Envoy Gateway calls them.
    fn names(&self) -> Vec<String> {
        match &self.naming {
            Naming::ByName => {
                let of = |listener| format!("{}/{}/{listener}", self.namespace, self.gateway);
                self.listeners.iter().map(of).collect()
            }
            Naming::ByPort(ports) => ports.iter().map(|port| format!("tcp-{port}")).collect(),
        }
    }

    fn gateway(&self, backend: &Backend) -> Value {
        let listeners = self.listeners.iter().zip(backend.port..=u16::MAX);
        let listeners: Vec<_> = listeners
            .map(|(name, port)| json!({"name": name, "protocol": "HTTP", "port": port}))
            .collect();
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "Gateway",
            "metadata": metadata(&self.gateway, Some(&self.namespace)),
            "spec": {"gatewayClassName": backend.class, "listeners": listeners},
        })
    }

    fn route(&self, backend: &Backend) -> Value {
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": metadata(&self.name, Some(&self.namespace)),
            "spec": {
                "parentRefs": [{"name": self.gateway}],
                "rules": [{
                    "backendRefs": [{"name": backend.service, "port": backend.service_port}],
                    // Subscriptions over SSE have no end.
                    "timeouts": {"request": "0s"},
                }],
            },
        })
    }
}
