//! Envoy configuration that loads the guard.
//!
//! [`render`] turns [`StaticOptions`] into a static bootstrap: a value that
//! Envoy reads as JSON or, JSON being YAML, as YAML. Pure: the caller reads
//! files and writes the result. [`istio`] and [`envoy_gateway`] put the same
//! guard into proxies that somebody else configures, by objects of Kubernetes.

#![forbid(unsafe_code)]

mod access_log;
mod address;
mod backpressure;
mod bootstrap;
mod cluster;
mod control_plane;
mod filter;
mod http;
mod jwt;
mod local_reply;
mod mesh;
mod options;
mod readiness;
mod region;
mod route;
mod sds;
mod stats;
mod tracing;
mod upstream;
mod yaml;

pub use address::{Address, InvalidAddress};
pub use backpressure::{
    AdmissionControl, Backpressure, GlobalLimits, HealthCheck, OutlierDetection, Retries,
};
pub use bootstrap::render;
pub use cluster::is_cluster_of_ours;
pub use mesh::{
    Backend, Chosen, EnvoyGateway, Istio, MeshError, Naming, Workload, envoy_gateway, istio,
};
pub use options::{
    AccessLog, BufferLimits, CONTROL_PLANE, ControlPlane, Endpoints, GATEWAY_PREFIX, Guard,
    HttpVersion, Jwks, JwtProvider, MAX_CLOCK_SKEW_SECONDS, SnapshotFrom, StaticOptions, TextStore,
    Timeouts, UPSTREAM, UPSTREAM_PRIMARY, UPSTREAM_REPLICA, Upstream, UpstreamTls,
};
pub use region::{LocalRegion, RegionError};
pub use sds::sds_files;
pub use tracing::{TRACES, Tracing};
pub use yaml::yaml;
