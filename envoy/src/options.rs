//! What a static configuration can say.

use std::path::PathBuf;
use std::time::Duration;

use crate::{Address, Backpressure, GlobalLimits, LocalRegion, Tracing};

/// Name of the cluster that requests go to, where there are no regions.
pub const UPSTREAM: &str = "upstream";

/// Name of the cluster of the region's hosts that write.
pub const UPSTREAM_PRIMARY: &str = "upstream-primary";

/// Name of the cluster of the region's hosts that read.
pub const UPSTREAM_REPLICA: &str = "upstream-replica";

/// The names of other regions' clusters begin so, and end in the region's.
pub const GATEWAY_PREFIX: &str = "gateway-";

/// Name of the control plane's cluster.
pub const CONTROL_PLANE: &str = "control-plane";

/// Most seconds by which clocks may differ when tokens are checked.
pub const MAX_CLOCK_SKEW_SECONDS: u32 = 5;

/// Everything a static bootstrap is made of.
#[derive(Clone, Debug)]
pub struct StaticOptions {
    /// Where clients connect.
    pub listen: Address,
    /// Envoy's admin interface; keep it on a loopback address.
    pub admin: Address,
    /// Guard instances, in the order requests meet them; normally one.
    pub guards: Vec<Guard>,
    /// The GraphQL service behind the guard.
    pub upstream: Upstream,
    /// The region that the proxy is in, where tenants' data has one. Its hosts
    /// are the service's then, in place of the addresses of `upstream`.
    pub region: Option<LocalRegion>,
    /// How much the service is given, and what is done when it fails.
    pub backpressure: Backpressure,
    /// Limits for all proxies; they need a control plane.
    pub global_limits: Option<GlobalLimits>,
    /// Store of document texts, where the snapshot does not embed them.
    pub text_store: Option<TextStore>,
    /// Issuers whose access tokens are accepted. Without one every request is
    /// unauthenticated, and the guard answers so.
    pub jwt_providers: Vec<JwtProvider>,
    /// Key of the verified payload in `jwt_authn`'s metadata; the head's
    /// `identity.metadataKey`.
    pub metadata_key: String,
    /// Where the access log goes, beside the control plane.
    pub access_log: AccessLog,
    /// Where spans go; nowhere by default.
    pub tracing: Option<Tracing>,
    /// The control plane, where guards take their snapshots from it.
    pub control_plane: Option<ControlPlane>,
    /// Proxies in front of this one that append to `x-forwarded-for`.
    pub trusted_hops: u32,
    /// Buffer limits.
    pub buffers: BufferLimits,
    /// Timeouts.
    pub timeouts: Timeouts,
    /// Most downstream connections at a time.
    pub max_connections: u32,
    /// Where it is said whether the guards have their snapshots; nowhere by default. It is
    /// for who decides whether the proxy takes requests, over plain HTTP.
    pub readiness: Option<Address>,
    /// Folder of [`sds_files`](crate::sds_files), as Envoy finds it. Certificates of the control
    /// plane's, other gateways' and spans' clusters come by them, and are read again when they
    /// are renewed; without it they are read once.
    pub sds: Option<PathBuf>,
    /// How long a WebSocket may be silent; without it, no upgrade is let in. The
    /// guard's own time-out has to be shorter, since it tells both sides why.
    pub websockets: Option<Duration>,
}

impl StaticOptions {
    /// Options with defaults for everything but what has none.
    pub fn new(listen: Address, admin: Address, upstream: Upstream) -> Self {
        Self {
            listen,
            admin,
            guards: Vec::new(),
            upstream,
            region: None,
            backpressure: Backpressure::default(),
            global_limits: None,
            text_store: None,
            jwt_providers: Vec::new(),
            metadata_key: ig_contract::snapshot::Identity::default().metadata_key,
            access_log: AccessLog::Stdout,
            tracing: None,
            control_plane: None,
            trusted_hops: 0,
            buffers: BufferLimits::default(),
            timeouts: Timeouts::default(),
            max_connections: 50_000,
            readiness: None,
            sds: None,
            websockets: None,
        }
    }
}

/// One instance of the Wasm module.
#[derive(Clone, Debug)]
pub struct Guard {
    /// Name of the HTTP filter and of the plugin.
    pub name: String,
    /// Which guards of the module this instance runs; empty for all.
    pub root_id: String,
    /// Instances with one `vm_id`, module and VM configuration share a VM.
    pub vm_id: String,
    /// The module, as Envoy finds it.
    pub module: PathBuf,
    /// Where its snapshot comes from.
    pub snapshot: SnapshotFrom,
}

/// Where a guard's snapshot comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SnapshotFrom {
    /// These bytes.
    Embedded(Vec<u8>),
    /// The control plane, by the filter's name. Until it has sent one, and
    /// where it has none, everything is denied.
    ControlPlane,
}

impl Guard {
    /// The instance that runs all guards of a module.
    pub fn new(module: impl Into<PathBuf>, snapshot: Vec<u8>) -> Self {
        Self {
            name: "ig.guard".into(),
            root_id: String::new(),
            vm_id: "ig.guard".into(),
            module: module.into(),
            snapshot: SnapshotFrom::Embedded(snapshot),
        }
    }

    /// The instance that runs what the control plane publishes for a graph.
    pub fn of_graph(module: impl Into<PathBuf>, graph: &str) -> Self {
        Self {
            name: format!("ig.guard.{graph}"),
            snapshot: SnapshotFrom::ControlPlane,
            ..Self::new(module, Vec::new())
        }
    }
}

/// The control plane: snapshots from it, decisions to it.
#[derive(Clone, Debug)]
pub struct ControlPlane {
    /// Its gRPC addresses.
    pub endpoints: Endpoints,
    /// How this proxy names itself.
    pub node: String,
}

/// Hosts of a cluster.
#[derive(Clone, Debug)]
pub struct Endpoints {
    /// Addresses, at least one. IP addresses only make a static cluster; any
    /// name makes it resolve by DNS.
    pub addresses: Vec<Address>,
    /// TLS to the hosts; none is plain text.
    pub tls: Option<UpstreamTls>,
}

impl Endpoints {
    /// Plain-text hosts.
    pub fn plain(addresses: impl IntoIterator<Item = Address>) -> Self {
        Self {
            addresses: addresses.into_iter().collect(),
            tls: None,
        }
    }
}

/// TLS towards a cluster. The certificate must be for `server_name`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UpstreamTls {
    /// SNI, and the name the certificate is checked for.
    pub server_name: String,
    /// Certificates of the authorities to trust, as Envoy finds them.
    pub trusted_ca: PathBuf,
    /// What Envoy shows of itself: a chain and its key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// HTTP version towards an upstream.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum HttpVersion {
    /// HTTP/1.1
    #[default]
    Http1,
    /// HTTP/2, with prior knowledge where there is no TLS.
    Http2,
}

/// The GraphQL service.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Its hosts.
    pub endpoints: Endpoints,
    /// Its HTTP version.
    pub http_version: HttpVersion,
    /// Most connections, and most requests, at a time, to each of its clusters.
    /// An SSE subscription over HTTP/1.1 holds one of each for as long as it
    /// lasts.
    pub max_requests: u32,
    /// As many more for tenants of the priority `high`, who share no
    /// connections with others.
    pub max_requests_high: u32,
}

impl Upstream {
    /// A plain HTTP/1.1 service.
    pub fn plain(addresses: impl IntoIterator<Item = Address>) -> Self {
        Self {
            endpoints: Endpoints::plain(addresses),
            http_version: HttpVersion::Http1,
            max_requests: 10_000,
            max_requests_high: 2_000,
        }
    }
}

/// A store of document texts.
#[derive(Clone, Debug)]
pub struct TextStore {
    /// Name of the cluster; the head's `texts.cluster`.
    pub cluster: String,
    /// Its hosts.
    pub endpoints: Endpoints,
}

/// An issuer of access tokens.
#[derive(Clone, Debug)]
pub struct JwtProvider {
    /// Name in the configuration; letters, digits, `-` and `_`.
    pub name: String,
    /// The `iss` of its tokens.
    pub issuer: String,
    /// The audiences of which a token must name one; none accepts any.
    pub audiences: Vec<String>,
    /// Its keys.
    pub jwks: Jwks,
    /// Seconds by which clocks may differ; [`MAX_CLOCK_SKEW_SECONDS`] at most.
    pub clock_skew_seconds: u32,
}

/// Keys of an issuer.
#[derive(Clone, Debug)]
pub enum Jwks {
    /// A JWK set, as text.
    Inline(String),
    /// A JWK set to fetch, and to fetch again every five minutes.
    Remote {
        /// Its URL.
        uri: String,
        /// The hosts that serve it.
        endpoints: Endpoints,
    },
}

/// Where the access log goes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum AccessLog {
    /// Standard output.
    #[default]
    Stdout,
    /// A file, appended to.
    File(PathBuf),
}

/// Buffer limits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BufferLimits {
    /// Most bytes Envoy holds of one request or response. The guard reads whole
    /// bodies, so this bounds what it can see; not below `limits.maxBodyBytes`.
    pub per_connection_bytes: u32,
}

impl Default for BufferLimits {
    fn default() -> Self {
        Self {
            per_connection_bytes: 1024 * 1024,
        }
    }
}

/// Timeouts. Zero turns one off.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Timeouts {
    /// For all headers of a request to arrive.
    pub request_headers: Duration,
    /// For a whole request to arrive.
    pub request: Duration,
    /// For a whole response. Off, because a subscription over SSE has no end;
    /// `stream_idle` bounds the silence instead.
    pub response: Duration,
    /// For a stream without a byte in either direction.
    pub stream_idle: Duration,
    /// For a downstream connection without a request.
    pub connection_idle: Duration,
    /// For a connection to the upstream to be made.
    pub connect: Duration,
    /// For an upstream connection without a request. Shorter than what servers
    /// have (Node.js: five seconds), because a request that meets the server's
    /// close is lost, and a mutation is not sent again.
    pub upstream_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            request_headers: Duration::from_secs(10),
            request: Duration::from_secs(30),
            response: Duration::ZERO,
            stream_idle: Duration::from_secs(300),
            connection_idle: Duration::from_secs(3600),
            connect: Duration::from_secs(2),
            upstream_idle: Duration::from_secs(4),
        }
    }
}
