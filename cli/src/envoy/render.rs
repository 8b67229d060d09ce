//! `ig envoy render`

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum;
use ig_contract::Snapshot;
use ig_contract::snapshot::{Head, Residency};
use ig_envoy::{
    AccessLog, Address, Endpoints, GlobalLimits, Guard, HealthCheck, JwtProvider,
    MAX_CLOCK_SKEW_SECONDS, MeshError, StaticOptions, TextStore, Upstream, is_cluster_of_ours,
    render, sds_files, yaml,
};

use super::{control_plane, jwks, mesh, region, tracing};
use crate::{Outcome, files};

/// Render configuration that loads the guard.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  ig envoy render --snapshot guard.igsnap --module ig_guard.wasm --upstream 127.0.0.1:4000 \\
      --jwks target/dev/keys/jwks.json --issuer https://issuer.localhost --audience ig -o envoy.json
  ig envoy render --snapshot guard.igsnap --module ig_guard.wasm --upstream 127.0.0.1:4000 \\
      --jwks https://login.example/keys --issuer https://login.example --audience graph -o envoy.json
  ig envoy render --control-plane 127.0.0.1:18000 --graph demo --module ig_guard.wasm \\
      --upstream 127.0.0.1:4000 --jwks target/dev/keys/jwks.json --issuer https://issuer.localhost \\
      -o envoy.json
  ig envoy render --snapshot regions.igsnap --region eu --gateway-ca ca.pem --gateway-name gw.example \\
      --module ig_guard.wasm --jwks target/dev/keys/jwks.json --issuer https://issuer.localhost \\
      -o envoy.json
  envoy -c envoy.json
  ig envoy render --flavour istio --attach gateway --label istio=ingressgateway --namespace edge \\
      --control-plane ig.ig-system.svc:18000 --graph demo --control-plane-ca /ig/ca.crt \\
      --proxy-certificate /ig/tls.crt --proxy-key /ig/tls.key --module /ig/ig_guard.wasm \\
      --jwks target/dev/keys/jwks.json --issuer https://issuer.localhost -o istio.yaml
  ig envoy render --flavour envoy-gateway --gateway graph --listener http --namespace edge \\
      --control-plane ig.ig-system.svc:18000 --graph demo --control-plane-ca /ig/ca.crt \\
      --proxy-certificate /ig/tls.crt --proxy-key /ig/tls.key --module /ig/ig_guard.wasm \\
      --jwks target/dev/keys/jwks.json --issuer https://issuer.localhost -o envoy-gateway.yaml

A snapshot of a file is embedded. Envoy reads the module where --module says, so give a
path that is right where Envoy runs.")]
pub(crate) struct Args {
    /// What the configuration is for.
    #[arg(long, value_enum, default_value_t = Flavour::Envoy)]
    flavour: Flavour,
    /// The snapshot to enforce.
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "control_plane",
        conflicts_with = "control_plane"
    )]
    snapshot: Option<PathBuf>,
    #[command(flatten)]
    control_plane: control_plane::ControlPlaneArgs,
    /// The guard's Wasm module, as Envoy finds it.
    #[arg(long, value_name = "FILE")]
    module: PathBuf,
    /// Guards of the module to run, by the module's root id; all by default.
    #[arg(long, value_name = "ROOT_ID", default_value = "")]
    root_id: String,
    /// The GraphQL service; may be given several times. In a mesh, requests go
    /// where its own routes say.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "region")]
    upstream: Vec<Address>,
    #[command(flatten)]
    region: region::RegionArgs,
    #[command(flatten)]
    mesh: mesh::MeshArgs,
    /// Path of the GraphQL service that says 200 while it is healthy; by default
    /// hosts are judged by what they answer.
    #[arg(long, value_name = "PATH", value_parser = path)]
    health_path: Option<String>,
    /// Milliseconds between two of these questions to a host; 2000 by default.
    #[arg(long, value_name = "MS", requires = "health_path", value_parser = milliseconds())]
    health_interval: Option<u64>,
    /// Milliseconds that a host may take for the answer; 1000 by default. One that is
    /// slower is left out, so this may be what callers are promised.
    #[arg(long, value_name = "MS", requires = "health_path", value_parser = milliseconds())]
    health_timeout: Option<u64>,
    /// Public keys of an issuer of access tokens, a JWK set: a file to embed, or
    /// the issuer's `jwks_uri`, which Envoy then follows. One for each --issuer,
    /// in their order.
    #[arg(long, value_name = "FILE|URL", requires = "issuer")]
    jwks: Vec<jwks::Source>,
    /// Authorities to trust when keys come from a URL, as Envoy finds them.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    jwks_ca: PathBuf,
    /// Issuer of access tokens; may be given several times.
    #[arg(long, value_name = "URL", requires = "jwks")]
    issuer: Vec<String>,
    /// Audience that every issuer's tokens must name; may be given several times.
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// The store of texts: the cluster that the snapshot names, and its host.
    #[arg(long, value_name = "CLUSTER=HOST:PORT")]
    text_store: Option<StoreArg>,
    /// Where clients connect; 127.0.0.1:10000 by default.
    #[arg(long, value_name = "HOST:PORT")]
    listen: Option<Address>,
    /// Envoy's admin interface; 127.0.0.1:9901 by default.
    #[arg(long, value_name = "HOST:PORT")]
    admin: Option<Address>,
    /// Where a proxy answers 200 when the guard has its snapshot, and 503 before, to
    /// whoever decides whether it takes requests; nowhere by default.
    #[arg(long, value_name = "HOST:PORT")]
    readiness: Option<Address>,
    /// The access log; standard output by default.
    #[arg(long, value_name = "FILE")]
    access_log: Option<PathBuf>,
    #[command(flatten)]
    tracing: tracing::TracingArgs,
    /// Folder, as Envoy finds it, of files by which it reads certificates of proxies again when
    /// they are renewed; without it they are read once. They are written there or, for a
    /// mesh, to a ConfigMap to mount there.
    #[arg(long, value_name = "FOLDER")]
    sds: Option<PathBuf>,
    /// The configuration; `-` for standard output.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Flavour {
    /// A static bootstrap of Envoy.
    Envoy,
    /// An EnvoyFilter of Istio, as YAML.
    Istio,
    /// An EnvoyPatchPolicy of Envoy Gateway, as YAML.
    EnvoyGateway,
}

impl Flavour {
    /// Refuses what a mesh cannot be held to.
    fn takes(self, residency: Option<&Residency>) -> Result<(), MeshError> {
        match (self, residency) {
            (Self::Envoy, _) | (_, None) => Ok(()),
            (Self::Istio | Self::EnvoyGateway, Some(_)) => Err(MeshError::Regions),
        }
    }
}

#[derive(Clone)]
struct StoreArg {
    cluster: String,
    address: Address,
}

impl StoreArg {
    fn into_store(self) -> TextStore {
        TextStore {
            cluster: self.cluster,
            endpoints: Endpoints::plain([self.address]),
        }
    }
}

impl FromStr for StoreArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (cluster, address) = text.split_once('=').ok_or("write CLUSTER=HOST:PORT")?;
        if is_cluster_of_ours(cluster) {
            return Err(format!(
                "another cluster is called {cluster}: give the store another name"
            ));
        }
        let address = address
            .parse::<Address>()
            .map_err(|error| error.to_string())?;
        Ok(Self {
            cluster: cluster.to_owned(),
            address,
        })
    }
}

pub(super) fn run(args: Args) -> Result<Outcome> {
    match args.flavour {
        Flavour::Envoy => {
            args.mesh.refuse()?;
            ensure!(
                !args.upstream.is_empty() || args.region.is_given(),
                "say where the GraphQL service is, with --upstream, or with --region which \
                 region's it is"
            );
        }
        Flavour::Istio | Flavour::EnvoyGateway => args.refuse_bootstraps()?,
    }
    let graph = args.control_plane.graph().map(str::to_owned);
    let health_check = args.health_check();
    let local = |given: Option<Address>, port| given.unwrap_or(Address::new("127.0.0.1", port));
    let mut options = StaticOptions::new(
        local(args.listen, 10_000),
        local(args.admin, 9901),
        Upstream::plain(args.upstream.clone()),
    );
    options.backpressure.health_check = health_check;
    match &args.snapshot {
        Some(path) => {
            let bytes = files::read(path)?;
            let snapshot = Snapshot::decode(bytes.clone())
                .with_context(|| format!("{} is not valid", path.display()))?;
            let head = snapshot.head();
            if let Some(directory) = &head.directory {
                bail!(
                    "the snapshot asks a directory in the cluster `{}`: take it from the control \
                     plane that has the directory, with --control-plane",
                    directory.cluster
                );
            }
            ensure!(
                !is_limited_as_a_fleet(head),
                "the snapshot limits what a tenant may ask of all proxies together, which a \
                 control plane counts: take the snapshot from it, with --control-plane, or leave \
                 out the `fleet` limits"
            );
            suit(&mut options, head);
            args.flavour.takes(head.residency.as_ref())?;
            args.region.apply(&mut options, head.residency.as_ref())?;
            options.text_store = text_store(&snapshot, args.text_store)?;
            let mut guard = Guard::new(args.module, bytes);
            guard.root_id = args.root_id;
            options.guards.push(guard);
        }
        None => {
            if !args.root_id.is_empty() {
                bail!("the control plane publishes for all guards: leave out --root-id");
            }
            options.text_store = args.text_store.map(StoreArg::into_store);
            let head = args.control_plane.head()?;
            if let Some(head) = &head {
                suit(&mut options, head);
            }
            // Limits may come with any publication; without any nothing is asked.
            options.global_limits = Some(GlobalLimits::default());
            let residency = head.as_ref().and_then(|head| head.residency.as_ref());
            ensure!(
                head.is_some() || !args.region.is_given(),
                "--region says where the proxy is, and the configuration which hosts are there: \
                 give it with --config guard.toml"
            );
            args.flavour.takes(residency)?;
            args.region.apply(&mut options, residency)?;
            args.control_plane.apply(&mut options, args.module)?;
        }
    }
    options.jwt_providers = issuers(&args.issuer, &args.jwks, &args.jwks_ca, &args.audience)?;
    if let Some(path) = args.access_log {
        options.access_log = AccessLog::File(path);
    }
    options.tracing = args.tracing.into_tracing()?;
    options.sds = args.sds;
    options.readiness = args.readiness;
    let sds = sds_files(&options);
    ensure!(
        options.sds.is_none() || !sds.is_empty(),
        "there is no certificate that could be renewed: leave out --sds"
    );
    if let (Flavour::Envoy, Some(folder)) = (args.flavour, &options.sds) {
        for (name, file) in &sds {
            files::write(&folder.join(name), file.to_string().as_bytes())?;
        }
    }
    let text = match args.flavour {
        Flavour::Envoy => serde_json::to_string_pretty(&render(&options))? + "\n",
        Flavour::Istio => yaml(&args.mesh.istio(&options, graph.as_deref())?),
        Flavour::EnvoyGateway => yaml(&args.mesh.envoy_gateway(
            &options,
            graph.as_deref(),
            &args.upstream,
        )?),
    };
    files::write(&args.output, text.as_bytes())?;
    Ok(Outcome::Clean)
}

/// A millisecond to a minute.
fn milliseconds() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=60_000)
}

impl Args {
    fn health_check(&self) -> Option<HealthCheck> {
        let mut check = HealthCheck::new(self.health_path.as_deref()?);
        if let Some(interval) = self.health_interval {
            check.interval = Duration::from_millis(interval);
        }
        if let Some(timeout) = self.health_timeout {
            check.timeout = Duration::from_millis(timeout);
        }
        Some(check)
    }

    /// Refuses what is for an Envoy of its own: a mesh has its own listeners,
    /// hosts and logs.
    fn refuse_bootstraps(&self) -> Result<()> {
        let only_there = [
            ("--listen", self.listen.is_some()),
            ("--admin", self.admin.is_some()),
            ("--readiness", self.readiness.is_some()),
            ("--region", self.region.is_given()),
            ("--health-path", self.health_path.is_some()),
            ("--access-log", self.access_log.is_some()),
            ("--tracing", self.tracing.is_given()),
            ("--node", self.control_plane.node.is_some()),
            (
                "--upstream without --gateway-class",
                !self.upstream.is_empty() && !self.mesh.has_route(),
            ),
        ];
        match only_there.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((name, _)) => bail!("{name} is for --flavour envoy: a mesh says this itself"),
        }
    }
}

/// Seconds by which Envoy waits longer than the guard, which says why it closes.
const LONGER_SECONDS: u64 = 60;

/// Sets Envoy up as the guard of the head needs it.
fn suit(options: &mut StaticOptions, head: &Head) {
    if let Some(subscriptions) = &head.subscriptions {
        let seconds = u64::from(subscriptions.idle_timeout_seconds) + LONGER_SECONDS;
        options.websockets = Some(Duration::from_secs(seconds));
    }
    options.metadata_key.clone_from(&head.identity.metadata_key);
    let buffer = &mut options.buffers.per_connection_bytes;
    *buffer = (*buffer).max(head.limits.max_body_bytes);
}

fn is_limited_as_a_fleet(head: &Head) -> bool {
    head.rate_limit
        .as_ref()
        .is_some_and(|limits| limits.is_global())
}

fn path(text: &str) -> Result<String, &'static str> {
    let is_path = text.starts_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_path.then(|| text.to_owned()).ok_or("write /PATH")
}

/// Each issuer with its keys.
fn issuers(
    issuers: &[String],
    jwks: &[jwks::Source],
    jwks_ca: &Path,
    audiences: &[String],
) -> Result<Vec<JwtProvider>> {
    ensure!(
        issuers.len() == jwks.len(),
        "{} times --issuer and {} times --jwks: give one --jwks for each --issuer",
        issuers.len(),
        jwks.len()
    );
    let mut providers = Vec::<JwtProvider>::new();
    for (number, (issuer, jwks)) in issuers.iter().zip(jwks).enumerate() {
        let is_new = providers.iter().all(|provider| provider.issuer != *issuer);
        ensure!(is_new, "{issuer} is given twice");
        providers.push(JwtProvider {
            name: match number {
                0 => "issuer".to_owned(),
                _ => format!("issuer{}", number + 1),
            },
            issuer: issuer.clone(),
            audiences: audiences.to_vec(),
            jwks: jwks.resolve(jwks_ca)?,
            clock_skew_seconds: MAX_CLOCK_SKEW_SECONDS,
        });
    }
    Ok(providers)
}

/// The guard asks the cluster that the snapshot names: it has to be there.
fn text_store(snapshot: &Snapshot, given: Option<StoreArg>) -> Result<Option<TextStore>> {
    match (&snapshot.head().texts, given) {
        (None, None) => Ok(None),
        (Some(wanted), Some(given)) if wanted.cluster == given.cluster => {
            Ok(Some(given.into_store()))
        }
        (Some(wanted), _) => bail!(
            "the snapshot has its texts in the cluster `{0}`: say where it is with \
             --text-store {0}=HOST:PORT",
            wanted.cluster
        ),
        (None, Some(_)) => bail!("the snapshot embeds its texts: leave out --text-store"),
    }
}
