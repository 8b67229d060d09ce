//! The real system: two regions with a gateway, a primary and two replicas each, two
//! replicas of the control plane on one PostgreSQL and one Redis. Every link between
//! them goes through a proxy that can disturb it.

mod certificates;
mod control;
mod exporter;
mod gateway;
mod links;
mod provide;
mod tokens;
mod upstream;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use ig_e2e::{Fixture, Postgres, Redis, Scim, demo, free_address, module};
use ig_envoy::{
    AccessLog, Address, ControlPlane, Endpoints, Guard, HealthCheck, LocalRegion, StaticOptions,
};
use rustix::process::geteuid;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use self::certificates::Certificates;
pub use self::control::{Replica, With};
pub use self::exporter::{ACTION, Exporter, TENANT as TENANT_OF_EXPORTS};
pub use self::gateway::Gateway;
pub use self::links::{Links, Under};
pub use self::provide::{GRAPH_OF_PUSHES, person};
use self::provide::{provide, residency};
pub use self::tokens::Tokens;
use self::upstream::HEALTH;
pub use self::upstream::Upstream;
use crate::fault::{Disk, Names, Toxics, with_filter};
use crate::history::History;

/// The regions, in the order of their gateways.
pub const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// Tenants; each lives in the region of its number's rest.
pub const TENANTS: usize = 6;

/// Seconds after which a guard without its directory knows nobody any more.
pub const MAX_STALE: u64 = 6;

const ISSUER: &str = "https://issuer.test";

/// Requests that a gateway lets be under way to a cluster: more than there are at a
/// time, and fewer than a burst has.
const MAX_REQUESTS: u32 = 32;

/// How long a WebSocket may be silent: longer than the guard lets one be.
const SOCKETS_IDLE: Duration = Duration::from_secs(3_660);

/// The region a tenant lives in.
pub fn region_of(tenant: usize) -> &'static str {
    REGIONS[tenant % REGIONS.len()]
}

/// A tenant's name.
pub fn tenant_name(tenant: usize) -> String {
    format!("t{tenant}")
}

/// Name of a tenant's analyst. Tenants of a region have one of the same name: what
/// forgets the tenant takes one for the other.
pub fn analyst(tenant: usize) -> String {
    format!("analyst-{}", tenant % REGIONS.len())
}

/// Everything but clients.
pub struct World {
    /// What happened.
    pub history: History,
    /// Issuer and operations.
    pub fixture: Fixture,
    /// By region.
    pub gateways: Vec<Gateway>,
    /// Primary and replicas of the first region, then of the second.
    pub upstreams: Vec<Upstream>,
    /// The control plane's.
    pub replicas: Vec<Replica>,
    /// Links between all of these.
    pub links: Links,
    /// The cache that replicas share limits in.
    pub redis: Redis,
    /// The database.
    pub postgres: Postgres,
    /// A provisioner by tenant, towards the first replica.
    pub scim: Vec<Scim>,
    /// The first token.
    pub token: String,
    /// Somebody who exports; one workload at a time has them.
    pub exporter: Arc<Mutex<Exporter>>,
    /// The control plane's program, and its database without a link.
    pub direct: With,
    folder: tempfile::TempDir,
    /// Those of the control plane, where something is done to them.
    certificates: Option<Certificates>,
    /// Where gateways resolve names, where something is done to that.
    names: Option<Names>,
    /// The database's, which goes after it.
    disk: Option<Disk>,
}

/// Programs and modules that are judged.
#[derive(Clone, Debug)]
pub struct Built {
    /// `ig-control-plane`.
    pub control_plane: PathBuf,
    /// The guard's module.
    pub module: PathBuf,
}

impl Built {
    /// Those of this workspace, as they were built.
    ///
    /// # Errors
    /// If they were not.
    pub fn here() -> Result<Self> {
        Ok(Self {
            control_plane: ig_e2e::built("ig-control-plane")?,
            module: module("ig_guard").map_err(anyhow::Error::msg)?,
        })
    }
}

/// Hosts of a region: the first is its primary.
const HOSTS: usize = 3;

/// An upstream's link: primary and replicas of each region.
pub const UPSTREAM_LINKS: [&str; 2 * HOSTS] = [
    "eu-primary",
    "eu-replica-1",
    "eu-replica-2",
    "us-primary",
    "us-replica-1",
    "us-replica-2",
];

/// The host of a region that writes.
pub fn primary_of(region: usize) -> usize {
    region * HOSTS
}

/// What hosts are asked in between, as an operator sets it who promises 350 ms:
/// `ig envoy render --health-path /health --health-interval 300 --health-timeout 200`.
fn health_check() -> HealthCheck {
    HealthCheck {
        interval: Duration::from_millis(300),
        timeout: Duration::from_millis(200),
        ..HealthCheck::new(HEALTH)
    }
}

/// Links from gateways to the control plane.
pub const CONTROL_LINKS: [&str; 2] = ["control-0", "control-1"];

/// Links to a region's gateway from the other's.
pub const PEER_LINKS: [&str; 2] = ["peer-eu", "peer-us"];

impl World {
    /// Starts everything. Gateways are ready once they have their snapshot.
    ///
    /// # Errors
    /// If a part is missing or does not get ready.
    pub async fn start(built: &Built, under: Under) -> Result<Self> {
        let history = History::default();
        let folder = tempfile::tempdir()?;
        let mut links = Links::new(under);
        let (mut disk, mut names, mut certificates) = (None, None, None);
        if under == Under::Chaos {
            // Nobody else may mount one; what fills it then says so.
            disk = geteuid().is_root().then(Disk::mount).transpose()?;
            names = Some(Names::start(links.next()).await?);
            certificates = Some(Certificates::new(folder.path())?);
        }
        let on = disk.as_ref().map_or(Path::new("/tmp"), Disk::path);
        let (postgres, redis) = (Postgres::start_on(on)?, Redis::start()?);
        let database = postgres.database()?;
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let redis_port = redis.url().rsplit(':').next().context("port")?.parse()?;
        links.join("postgres", local(postgres.port())).await?;
        links.join("redis", local(redis_port)).await?;
        let noted = (under == Under::Chaos).then(|| history.clone());
        let upstreams = upstreams(&mut links, noted.as_ref()).await?;
        let listen = REGIONS.map(|_| links.next());
        for (name, to) in PEER_LINKS.into_iter().zip(listen) {
            links.join(name, to).await?;
        }
        let residency = residency(&links)?;
        let linked = database.replace(
            &local(postgres.port()).to_string(),
            &links.address("postgres")?.to_string(),
        );
        let redis_link = links.address("redis")?;
        let with = |number: usize, database: &str| With {
            program: built.control_plane.clone(),
            database: database.to_owned(),
            config: certificates.as_ref().map(Certificates::config),
            redis: format!("redis://{redis_link}"),
            module: built.module.clone(),
            log: folder.path().join(format!("control-{number}.log")),
        };
        let (first, token) = Replica::start(with(0, &linked), true)?;
        let token = token.context("no token")?;
        let (second, _) = Replica::start(with(1, &linked), false)?;
        let replicas = vec![first, second];
        for (name, replica) in CONTROL_LINKS.into_iter().zip(&replicas) {
            links.join(name, replica.grpc).await?;
        }
        let fixture = demo().await?;
        let scim = provide(&replicas[0], &token, &residency)?;
        let exporter = Exporter::register(&replicas[0], &token, &scim, &fixture)?;
        let mut gateways = Vec::new();
        for (region, at) in REGIONS.iter().zip(listen) {
            let mut options = fixture.options(at, free_address()?)?;
            options.guards = vec![Guard::of_graph(&built.module, "demo")];
            options.region = Some(LocalRegion::of(&residency, region)?);
            options.control_plane = Some(ControlPlane {
                endpoints: Endpoints {
                    addresses: control_addresses(&links, names.as_ref())?,
                    tls: certificates.as_ref().map(Certificates::tls),
                },
                node: format!("edge-{region}"),
            });
            let gateway = gateway(
                options,
                region,
                at,
                links.under(),
                names.as_ref(),
                folder.path(),
            );
            gateways.push(gateway.await?);
        }
        Ok(Self {
            history,
            fixture,
            gateways,
            upstreams,
            replicas,
            links,
            redis,
            postgres,
            scim,
            token,
            exporter: Arc::new(Mutex::new(exporter)),
            direct: with(0, &database),
            folder,
            certificates,
            names,
            disk,
        })
    }

    /// Who makes access tokens.
    pub fn tokens(&self) -> Tokens {
        Tokens::of_issuer(self.fixture.issuer.clone())
    }

    /// Body of a request by the name of a catalogued operation.
    ///
    /// # Errors
    /// If the demo has none of the name.
    pub fn by_id(name: &str, variables: Value) -> Result<String> {
        let manifest = ig_e2e::workspace().join("persisted-queries/manifest.json");
        let manifest: Value = serde_json::from_slice(&std::fs::read(manifest)?)?;
        let operations = manifest["operations"].as_array();
        let mut operations = operations.into_iter().flatten();
        let found = operations.find(|one| one["name"] == name);
        let id = &found.with_context(|| format!("there is no operation {name}"))?["id"];
        Ok(json!({"documentId": id, "variables": variables}).to_string())
    }

    /// The database's disk.
    ///
    /// # Errors
    /// If it has none of its own.
    pub fn disk(&self) -> Result<&Disk> {
        self.disk
            .as_ref()
            .context("the database has no disk of its own")
    }

    /// Whether the control plane's certificate has ended.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn expire_certificates(&self, expire: bool) -> Result<()> {
        match &self.certificates {
            Some(certificates) => certificates.expire(expire),
            None => Ok(()),
        }
    }

    /// Whether names are resolved no more.
    pub fn fail_names(&self, fail: bool) {
        if let Some(names) = &self.names {
            names.fail(fail);
        }
    }

    /// Puts half a snapshot where the last publication is looked for; its revision.
    ///
    /// # Errors
    /// If the database does not take it.
    pub fn poison(&self) -> Result<String> {
        let database = self.direct.database.rsplit('/').next().unwrap_or_default();
        self.postgres.sql(database, POISON)
    }

    /// Sets what is done to links.
    pub fn disturb(&self, names: &[&str], toxics: Toxics) {
        self.links.set(names, toxics);
    }

    /// Everything is as it was: processes run, links are clean.
    ///
    /// # Errors
    /// If something does not start.
    pub async fn repair(&mut self) -> Result<()> {
        self.links.clear();
        for upstream in &mut self.upstreams {
            upstream.pause(false);
            upstream.start()?;
        }
        for replica in &mut self.replicas {
            let _ = replica.signal(rustix::process::Signal::CONT);
            replica.start_again()?;
        }
        for gateway in &mut self.gateways {
            let _ = gateway.signal(rustix::process::Signal::CONT);
            gateway.start_again().await?;
        }
        self.fail_names(false);
        self.expire_certificates(false)?;
        if let Some(disk) = &self.disk {
            disk.free()?;
        }
        let _ = self.postgres.signal("CONT");
        self.postgres.start_if_ended()?;
        let _ = self.redis.signal("CONT");
        if self.redis.say("PING").is_err() {
            let _ = self.redis.kill();
            self.redis.restart()?;
        }
        Ok(())
    }

    /// Copies every log to a folder, for somebody who wants to know why.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_logs(&self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        for entry in std::fs::read_dir(self.folder.path())? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                std::fs::copy(entry.path(), folder.join(entry.file_name()))?;
            }
        }
        for gateway in &self.gateways {
            std::fs::write(
                folder.join(format!("{}.envoy", gateway.node)),
                gateway.log(),
            )?;
        }
        Ok(())
    }
}

/// Half of the last snapshot, published after it, under the hash that it has.
const POISON: &str = "WITH last AS (SELECT graph, revision, state FROM publications \
    WHERE graph = 'demo' ORDER BY number DESC LIMIT 1), \
    cut AS (SELECT s.graph, substring(s.bytes FROM 1 FOR octet_length(s.bytes) / 2) AS bytes, \
    s.created_at, last.state FROM snapshots s JOIN last ON last.revision = s.revision), \
    kept AS (INSERT INTO snapshots (revision, graph, bytes, created_at) \
    SELECT encode(sha256(bytes), 'hex'), graph, bytes, created_at FROM cut \
    ON CONFLICT (revision) DO NOTHING) \
    INSERT INTO publications (graph, revision, state, published_at, published_by) \
    SELECT graph, encode(sha256(bytes), 'hex'), state, created_at, 'chaos' FROM cut \
    RETURNING revision";

/// What hosts of regions are: each behind its link.
async fn upstreams(links: &mut Links, noted: Option<&History>) -> Result<Vec<Upstream>> {
    let mut upstreams = Vec::new();
    for (number, name) in UPSTREAM_LINKS.into_iter().enumerate() {
        let at = links.next();
        let is_primary = number % HOSTS == 0;
        let region = REGIONS[number / HOSTS];
        let mut upstream = Upstream::new(region, is_primary, at, noted.cloned());
        upstream.start()?;
        upstreams.push(upstream);
        links.join(name, at).await?;
    }
    Ok(upstreams)
}

/// Where gateways find the control plane: by names where somebody resolves them.
fn control_addresses(links: &Links, names: Option<&Names>) -> Result<Vec<Address>> {
    let mut to = Vec::new();
    for name in CONTROL_LINKS {
        let link = links.address(name)?;
        let host = match (names, link.ip()) {
            (Some(names), IpAddr::V4(ip)) => {
                let host = format!("{name}.test");
                names.add(&host, ip);
                host
            }
            (_, ip) => ip.to_string(),
        };
        to.push(Address::new(host, link.port()));
    }
    Ok(to)
}

/// That Envoy asks this server for names, and no other.
fn resolver(at: SocketAddr) -> Value {
    let at = json!({"address": at.ip().to_string(), "port_value": at.port(), "protocol": "UDP"});
    json!({
        "name": "envoy.network.dns_resolver.cares",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig",
            "resolvers": [{"socket_address": at}],
            "dns_resolver_options": {"no_default_search_domain": true},
        },
    })
}

/// A region's gateway, with what an operator would say of its upstreams.
async fn gateway(
    mut options: StaticOptions,
    region: &str,
    at: SocketAddr,
    under: Under,
    names: Option<&Names>,
    folder: &Path,
) -> Result<Gateway> {
    let admin = format!("{}:{}", options.admin.host, options.admin.port).parse()?;
    let node = format!("edge-{region}");
    options.upstream = ig_envoy::Upstream::plain([]);
    let (workers, access_log) = match under {
        // One worker: what it remembers is one story.
        Under::Chaos => {
            options.upstream.max_requests = MAX_REQUESTS;
            (1, folder.join(format!("{region}.log")))
        }
        // Nobody reads gigabytes.
        Under::Load { workers } => {
            options.websockets = Some(SOCKETS_IDLE);
            (workers, "/dev/null".into())
        }
    };
    options.backpressure.health_check = Some(health_check());
    options.access_log = AccessLog::File(access_log.clone());
    let mut bootstrap = ig_envoy::render(&options);
    if let Some(names) = names {
        bootstrap = with_filter(bootstrap);
        bootstrap["typed_dns_resolver_config"] = resolver(names.address);
    }
    Gateway::start(workers, at, admin, node, access_log, bootstrap).await
}

/// Waits for something that is asked again and again.
///
/// # Errors
/// If it does not come within `patience`.
pub async fn until<T>(
    what: &str,
    patience: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return Ok(found);
        }
        ensure!(
            started.elapsed() < patience,
            "{what}: not within {patience:?}"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}
