//! The guard in proxies that somebody else configures: Istio's, or Envoy
//! Gateway's. The pieces are those of a bootstrap of our own; where clients
//! connect and where requests go is not ours here.

mod gateway;
mod istio;

use ig_contract::headers;
use serde_json::{Map, Value, json};

use crate::options::{SnapshotFrom, StaticOptions};
use crate::{access_log, filter, http, jwt, local_reply, route, sds};

pub use gateway::{Backend, EnvoyGateway, Naming, envoy_gateway};
pub use istio::{Chosen, Istio, Workload, istio};

/// Options that a mesh's proxies cannot have.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MeshError {
    /// Routes by region are the mesh's, and nothing here could hold them to it.
    #[error(
        "the configuration says where tenants' data lives; a mesh routes as it likes, so nothing \
         would keep requests in their region: put an Envoy of its own there, with --flavour envoy"
    )]
    Regions,
    /// There is no way to make a waypoint hold more.
    #[error(
        "bodies of {0} bytes do not fit a waypoint, which holds {1}: lower `max-body-bytes`, or \
         attach to a gateway or sidecar"
    )]
    WaypointBuffer(u32, u32),
    /// It comes within one object, once for each listener.
    #[error(
        "the snapshot is {0} bytes in one object, and Kubernetes takes {MAX_EMBEDDED}: take it \
         from a control plane, with --control-plane"
    )]
    TooLarge(usize),
}

/// Most bytes of a snapshot within an object. `kubectl apply` keeps the object
/// in an annotation, and annotations may have 256 KiB; this is in base64 there.
const MAX_EMBEDDED: usize = 128 * 1024;

/// Bytes that a proxy holds of a request where nobody says otherwise.
const DEFAULT_BUFFER: u32 = 1024 * 1024;

/// Refuses what no mesh can do with as many copies of each filter.
fn check(options: &StaticOptions, copies: usize) -> Result<(), MeshError> {
    if options.region.is_some() {
        return Err(MeshError::Regions);
    }
    let sizes = options.guards.iter().map(|guard| match &guard.snapshot {
        SnapshotFrom::Embedded(bytes) => bytes.len(),
        SnapshotFrom::ControlPlane => 0,
    });
    match sizes.sum::<usize>().saturating_mul(copies) {
        size if size > MAX_EMBEDDED => Err(MeshError::TooLarge(size)),
        _ => Ok(()),
    }
}

/// What comes right before the router, in the order requests meet it. Names
/// differ from those that meshes use: filters of one name share what routes say
/// of them.
fn filters(options: &StaticOptions) -> Vec<Value> {
    let only_ours = [headers::JWT_PAYLOAD, headers::DECISION_ID];
    let arriving = route::ANNOTATIONS.iter().chain(&only_ours);
    let mut filters = vec![without("ig.arriving", arriving)];
    filters.extend(jwt::filter(options).map(|mut tokens| {
        tokens["name"] = json!("ig.jwt_authn");
        tokens
    }));
    filters.extend(filter::guards(options));
    // An upstream could log the one, and replay the other.
    let leaving = [headers::JWT_PAYLOAD, headers::STEP_UP];
    filters.push(without("ig.leaving", leaving.iter()));
    filters
}

/// A filter that removes request headers.
fn without<'a>(name: &str, headers: impl Iterator<Item = &'a &'static str>) -> Value {
    let removals: Vec<_> = headers.map(|name| json!({"remove": name})).collect();
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
            "mutations": {"request_mutations": removals},
        },
    })
}

/// Members of the connection manager that replace what it has, by JSON pointer.
fn settings(options: &StaticOptions) -> Vec<(&'static str, Value)> {
    let mut settings = Vec::from(http::one_reading());
    // Below what the guard reads, Envoy would answer for it.
    let window = options.buffers.per_connection_bytes.max(65_535);
    let place = "/http2_protocol_options/initial_stream_window_size";
    settings.push((place, json!(window)));
    settings.push(("/local_reply_config", local_reply::config(options)));
    settings
}

/// Members of its access log, which come beside those that it has.
fn logs(options: &StaticOptions) -> Vec<Value> {
    access_log::decisions(options)
}

/// A ConfigMap to mount at the folder `options.sds`; none where there is no such folder.
fn sds_files(options: &StaticOptions, name: &str, namespace: Option<&str>) -> Option<Value> {
    let files = sds::sds_files(options);
    if files.is_empty() {
        return None;
    }
    let texts = files.into_iter();
    let texts: Map<_, _> = texts
        .map(|(name, file)| (name, json!(file.to_string())))
        .collect();
    Some(json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(&format!("{name}-sds"), namespace),
        "data": texts,
    }))
}

/// The object's name and namespace.
fn metadata(name: &str, namespace: Option<&str>) -> Value {
    let mut metadata = json!({"name": name});
    if let Some(namespace) = namespace {
        metadata["namespace"] = json!(namespace);
    }
    metadata
}
