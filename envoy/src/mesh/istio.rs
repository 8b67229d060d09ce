//! An EnvoyFilter. WasmPlugin and TrafficExtension cannot say
//! `allow_on_headers_stop_iteration`, without which no guard reads a body.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{DEFAULT_BUFFER, MeshError, check, filters, logs, metadata, sds_files, settings};
use crate::cluster;
use crate::filter::ROUTER;
use crate::http::{CONNECTION_MANAGER, CONNECTION_MANAGER_TYPE, set};
use crate::options::StaticOptions;

/// An EnvoyFilter of `networking.istio.io/v1alpha3`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Istio {
    /// Name of the object.
    pub name: String,
    /// Its namespace; none leaves it to who applies it.
    pub namespace: Option<String>,
    /// The proxies.
    pub workload: Workload,
    /// Port of the gateway's or service's listener; none guards all HTTP.
    pub port: Option<u16>,
}

/// Which proxies, and which of their listeners.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Workload {
    /// Gateways: requests from outside.
    Gateway(Chosen),
    /// Sidecars with these labels: requests that arrive.
    Sidecar(BTreeMap<String, String>),
    /// Ambient waypoints, of Istio 1.29 or later.
    Waypoint(Chosen),
}

/// How proxies are chosen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Chosen {
    /// By the labels of their pods.
    Labels(BTreeMap<String, String>),
    /// By their Gateway, in the same namespace.
    Gateway(String),
    /// By a Service whose requests they take; waypoints only.
    Service(String),
}

impl Workload {
    fn context(&self) -> &'static str {
        match self {
            Self::Gateway(_) => "GATEWAY",
            Self::Sidecar(_) => "SIDECAR_INBOUND",
            Self::Waypoint(_) => "WAYPOINT",
        }
    }

    /// The member of the object's `spec` that says so.
    fn selector(&self) -> (&'static str, Value) {
        let (group, kind, name) = match self {
            Self::Sidecar(labels)
            | Self::Gateway(Chosen::Labels(labels))
            | Self::Waypoint(Chosen::Labels(labels)) => {
                return ("workloadSelector", json!({"labels": labels}));
            }
            Self::Gateway(Chosen::Gateway(name)) | Self::Waypoint(Chosen::Gateway(name)) => {
                ("gateway.networking.k8s.io", "Gateway", name)
            }
            Self::Gateway(Chosen::Service(name)) | Self::Waypoint(Chosen::Service(name)) => {
                ("", "Service", name)
            }
        };
        let target = json!({"group": group, "kind": kind, "name": name});
        ("targetRefs", json!([target]))
    }
}

impl Istio {
    /// What a patch is applied to: the clusters, the connection managers, or a
    /// filter of theirs.
    fn matching(&self, filter: Option<Value>) -> Value {
        let mut matching = json!({"context": self.workload.context()});
        let is_cluster = filter.is_none();
        let mut member = json!({});
        if let (Some(port), false) = (self.port, is_cluster) {
            member["portNumber"] = json!(port);
        }
        if matches!(self.workload, Workload::Waypoint(_)) {
            // It has to be there, whatever it says.
            if let Some(filter) = filter {
                member["filter"] = filter;
            }
            matching["waypoint"] = member;
        } else if let Some(filter) = filter {
            member["filterChain"] = json!({"filter": filter});
            matching["listener"] = member;
        }
        matching
    }

    /// The listeners themselves. A waypoint's cannot be patched.
    fn buffer(&self, bytes: u32) -> Result<Option<Value>, MeshError> {
        if bytes <= DEFAULT_BUFFER {
            return Ok(None);
        }
        let listener = match &self.workload {
            Workload::Waypoint(_) => return Err(MeshError::WaypointBuffer(bytes, DEFAULT_BUFFER)),
            Workload::Sidecar(_) => json!({"name": "virtualInbound"}),
            Workload::Gateway(_) => match self.port {
                Some(port) => json!({"portNumber": port}),
                None => json!({}),
            },
        };
        let matching = json!({"context": self.workload.context(), "listener": listener});
        let value = json!({"per_connection_buffer_limit_bytes": bytes});
        Ok(Some(patch("LISTENER", matching, "MERGE", value)))
    }
}

/// The objects to apply: one EnvoyFilter, and with `options.sds` a ConfigMap.
///
/// What of `options` is a bootstrap's alone (where clients connect, the service,
/// what keeps a failing one from taking others with it) is Istio's.
///
/// # Errors
/// [`MeshError`] for what Istio's proxies cannot be made to do.
pub fn istio(options: &StaticOptions, object: &Istio) -> Result<Vec<Value>, MeshError> {
    check(options, 1)?;
    let add = |cluster| patch("CLUSTER", object.matching(None), "ADD", cluster);
    let mut patches: Vec<_> = cluster::asked(options).into_iter().map(add).collect();
    patches.extend(object.buffer(options.buffers.per_connection_bytes)?);

    // A merge appends to lists.
    let mut merged = json!({"@type": CONNECTION_MANAGER_TYPE, "access_log": logs(options)});
    for (pointer, value) in settings(options) {
        set(&mut merged, pointer, value);
    }
    let manager = json!({"name": CONNECTION_MANAGER});
    let value = json!({"name": CONNECTION_MANAGER, "typed_config": merged});
    let matching = object.matching(Some(manager));
    patches.push(patch("NETWORK_FILTER", matching, "MERGE", value));

    let router = json!({"name": CONNECTION_MANAGER, "subFilter": {"name": ROUTER}});
    let matching = object.matching(Some(router));
    let insert = |filter| patch("HTTP_FILTER", matching.clone(), "INSERT_BEFORE", filter);
    patches.extend(filters(options).into_iter().map(insert));

    let (selector, chosen) = object.workload.selector();
    let mut spec = json!({
        // After other EnvoyFilters, so that none of theirs comes between the
        // guard and the router: it could change what was decided on.
        "priority": 100,
        "configPatches": patches,
    });
    spec[selector] = chosen;
    // First, so that it is there when it is asked for.
    let files = sds_files(options, &object.name, object.namespace.as_deref());
    let mut objects = Vec::from_iter(files);
    objects.push(json!({
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": metadata(&object.name, object.namespace.as_deref()),
        "spec": spec,
    }));
    Ok(objects)
}

fn patch(apply_to: &str, matching: Value, operation: &str, value: Value) -> Value {
    json!({
        "applyTo": apply_to,
        "match": matching,
        "patch": {"operation": operation, "value": value},
    })
}
