//! The real system: two regions with a gateway, a primary and a replica each, two
//! replicas of the control plane on one PostgreSQL and one Redis. Every link between
//! them goes through a proxy that can disturb it.

mod control;
mod gateway;
mod upstream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use ig_contract::snapshot::{Foreign, Region, Residency};
use ig_e2e::{
    Fixture, Issuer, Postgres, Redis, Scim, TokenClaims, demo, fill, free_address, module,
};
use ig_envoy::{AccessLog, Address, ControlPlane, Endpoints, Guard, LocalRegion};
use serde_json::{Value, json};

pub use self::control::{Replica, With};
pub use self::gateway::Gateway;
pub use self::upstream::Upstream;
use crate::fault::{FaultProxy, Toxics};
use crate::history::History;

/// The regions, in the order of their gateways.
pub const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// Tenants; each lives in the region of its number's rest.
pub const TENANTS: usize = 6;

/// Seconds after which a guard without its directory knows nobody any more.
pub const MAX_STALE: u64 = 6;

const ISSUER: &str = "https://issuer.test";

/// The region a tenant lives in.
pub fn region_of(tenant: usize) -> &'static str {
    REGIONS[tenant % REGIONS.len()]
}

/// A tenant's name.
pub fn tenant_name(tenant: usize) -> String {
    format!("t{tenant}")
}

/// Everything but clients.
pub struct World {
    /// What happened.
    pub history: History,
    /// Issuer and operations.
    pub fixture: Fixture,
    /// By region.
    pub gateways: Vec<Gateway>,
    /// Primary and replica of the first region, then of the second.
    pub upstreams: Vec<Upstream>,
    /// The control plane's.
    pub replicas: Vec<Replica>,
    /// Links by name.
    pub links: BTreeMap<&'static str, FaultProxy>,
    /// The cache that replicas share limits in.
    pub redis: Redis,
    /// The database.
    pub postgres: Postgres,
    /// A provisioner by tenant, towards the first replica.
    pub scim: Vec<Scim>,
    /// The first token.
    pub token: String,
    /// The control plane's program, and its database without a link.
    pub direct: With,
    folder: tempfile::TempDir,
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

/// Loopback addresses of their own: a port of a dead host is nobody else's.
struct Addresses(u8);

impl Addresses {
    fn next(&mut self) -> SocketAddr {
        self.0 += 1;
        let [.., high, low] = (std::process::id() % 0xffff).to_be_bytes();
        SocketAddr::from(([127, high.max(1), low, self.0], 4000))
    }
}

/// An upstream's link: primary and replica of each region.
pub const UPSTREAM_LINKS: [&str; 4] = ["eu-primary", "eu-replica", "us-primary", "us-replica"];

/// Links from gateways to the control plane.
pub const CONTROL_LINKS: [&str; 2] = ["control-0", "control-1"];

/// Links to a region's gateway from the other's.
pub const PEER_LINKS: [&str; 2] = ["peer-eu", "peer-us"];

impl World {
    /// Starts everything, and waits until every gateway serves its tenants.
    ///
    /// # Errors
    /// If a part is missing or does not get ready.
    pub async fn start(built: &Built) -> Result<Self> {
        let history = History::default();
        let folder = tempfile::tempdir()?;
        let mut addresses = Addresses(0);
        let mut links = BTreeMap::new();
        let (postgres, redis) = (Postgres::start()?, Redis::start()?);
        let database = postgres.database()?;
        let local = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
        let redis_port = redis.url().rsplit(':').next().context("port")?.parse()?;
        for (name, to) in [
            ("postgres", local(postgres.port())),
            ("redis", local(redis_port)),
        ] {
            let link = FaultProxy::start(name, addresses.next(), to).await?;
            links.insert(name, link);
        }

        // Upstreams stand behind links, and the snapshot knows the links only.
        let mut upstreams = Vec::new();
        for (number, name) in UPSTREAM_LINKS.into_iter().enumerate() {
            let at = addresses.next();
            let is_primary = number % 2 == 0;
            let region = REGIONS[number / 2];
            let mut upstream = Upstream::new(region, is_primary, at, history.clone());
            upstream.start()?;
            upstreams.push(upstream);
            links.insert(name, FaultProxy::start(name, addresses.next(), at).await?);
        }
        let listen: Vec<_> = REGIONS.iter().map(|_| addresses.next()).collect();
        for (name, to) in PEER_LINKS.into_iter().zip(&listen) {
            links.insert(name, FaultProxy::start(name, addresses.next(), *to).await?);
        }
        let residency = residency(&links);

        let with = |number: usize| With {
            program: built.control_plane.clone(),
            database: database.replace(
                &format!("127.0.0.1:{}", postgres.port()),
                &links["postgres"].address.to_string(),
            ),
            redis: format!("redis://{}", links["redis"].address),
            module: built.module.clone(),
            log: folder.path().join(format!("control-{number}.log")),
        };
        let direct = With {
            database: database.clone(),
            ..with(0)
        };
        let (first, token) = Replica::start(with(0), true)?;
        let token = token.context("no token")?;
        let (second, _) = Replica::start(with(1), false)?;
        let replicas = vec![first, second];
        for (name, replica) in CONTROL_LINKS.into_iter().zip(&replicas) {
            let link = FaultProxy::start(name, addresses.next(), replica.grpc).await?;
            links.insert(name, link);
        }

        let fixture = demo().await?;
        let scim = provide(&replicas[0], &token, &residency)?;
        let mut gateways = Vec::new();
        for (region, at) in REGIONS.iter().zip(listen) {
            let mut options = fixture.options(at, free_address()?)?;
            let admin = format!("{}:{}", options.admin.host, options.admin.port).parse()?;
            let node = format!("edge-{region}");
            let access_log = folder.path().join(format!("{region}.log"));
            options.guards = vec![Guard::of_graph(&built.module, "demo")];
            options.region = Some(LocalRegion::of(&residency, region)?);
            options.upstream = ig_envoy::Upstream::plain([]);
            options.access_log = AccessLog::File(access_log.clone());
            let to = CONTROL_LINKS.map(|name| address(links[name].address));
            options.control_plane = Some(ControlPlane {
                endpoints: Endpoints::plain(to),
                node: node.clone(),
            });
            let bootstrap = ig_envoy::render(&options);
            let gateway = Gateway::start(at, admin, node, access_log, bootstrap).await?;
            gateways.push(gateway);
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
            direct,
            folder,
        })
    }

    /// Who makes access tokens.
    pub fn tokens(&self) -> Tokens {
        Tokens(self.fixture.issuer.clone())
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

    /// Sets what is done to links.
    pub fn disturb(&self, names: &[&str], toxics: Toxics) {
        for name in names {
            if let Some(link) = self.links.get(name) {
                link.set(toxics);
            }
        }
    }

    /// Everything is as it was: processes run, links are clean.
    ///
    /// # Errors
    /// If something does not start.
    pub async fn repair(&mut self) -> Result<()> {
        for link in self.links.values() {
            link.set(Toxics::default());
        }
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

/// Makes access tokens.
#[derive(Clone)]
pub struct Tokens(Issuer);

impl Tokens {
    /// An access token of a tenant's user, that ends in so many seconds. It says
    /// nothing of what they may: that is in the directory.
    pub fn of(&self, tenant: usize, user: &str, seconds: i64) -> String {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let claims = TokenClaims::alpha()
            .with("tenant", json!(tenant_name(tenant)))
            .with("sub", json!(user))
            .with("groups", json!([]))
            .with("purposes", json!([]))
            .with("exp", json!(now.saturating_add_signed(seconds)));
        self.0.token(&claims)
    }
}

fn address(of: SocketAddr) -> Address {
    Address::new(of.ip().to_string(), of.port())
}

fn residency(links: &BTreeMap<&'static str, FaultProxy>) -> Residency {
    let at = |name: &str| [links[name].address.to_string()].into();
    let regions = REGIONS.into_iter().enumerate().map(|(number, region)| {
        let region_of = Region {
            gateways: at(PEER_LINKS[number]),
            primary: at(UPSTREAM_LINKS[2 * number]),
            replicas: at(UPSTREAM_LINKS[2 * number + 1]),
        };
        (region.to_owned(), region_of)
    });
    Residency {
        regions: regions.collect(),
        default_region: None,
        foreign: Foreign::Forward,
    }
}

/// The control plane's settings, in TOML.
fn settings(residency: &Residency) -> String {
    let mut text = format!(
        "endpoint = \"/graphql\"\n[directory]\ncluster = \"control-plane\"\n\
         authority = \"ig\"\nmax-stale-seconds = {MAX_STALE}\n\
         [residency]\nforeign = \"forward\"\n"
    );
    for (name, region) in &residency.regions {
        text.push_str(&format!(
            "[residency.regions.{name}]\ngateways = {}\nprimary = {}\nreplicas = {}\n",
            json!(region.gateways),
            json!(region.primary),
            json!(region.replicas)
        ));
    }
    text
}

/// Gives the control plane the demo, its tenants and their analysts.
fn provide(control: &Replica, token: &str, residency: &Residency) -> Result<Vec<Scim>> {
    let url = format!("http://{}", control.http);
    let bearer = format!("Bearer {token}");
    let call = |method: &str, path: &str, body: &[u8]| {
        ig_e2e::call(&url, &[("authorization", &bearer)], method, path, body)
            .unwrap_or_else(|error| (0, Value::String(format!("{error:#}"))))
    };
    let expect = |method: &str, path: &str, body: Value| {
        let (status, said) = call(method, path, body.to_string().as_bytes());
        ensure!(
            (200..300).contains(&status),
            "{method} {path}: {status} {said}"
        );
        anyhow::Ok(said)
    };
    fill(call)?;
    expect("DELETE", "/tenants/alpha", Value::Null)?;
    let mut provisioners = Vec::new();
    for tenant in 0..TENANTS {
        let name = tenant_name(tenant);
        let of = json!({
            "region": region_of(tenant), "purposes": ["investigation", "audit"],
            "purposesByGroup": {"analyst": ["investigation"]},
            "issuers": {ISSUER: {"attribute": "userName"}},
        });
        expect("PUT", &format!("/tenants/{name}"), of)?;
        let new = json!({
            "name": format!("idp-{name}"), "role": "provisioner", "tenant": name,
            "mayConfer": true,
        });
        let made = expect("POST", "/tokens", new)?;
        let token = made["token"].as_str().context("no token")?;
        let scim = Scim::new(format!("{url}/scim/v2"), token);
        let user = scim.post("/Users", &person(&format!("analyst-{name}")));
        ensure!(user.status == 201, "{}", user.text);
        let group = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": "analyst", "members": [{"value": user.id()}],
        });
        let group = scim.post("/Groups", &group);
        ensure!(group.status == 201, "{}", group.text);
        provisioners.push(scim);
    }
    let mut graph = expect("GET", "/graphs/demo", Value::Null)?;
    graph["settings"] = json!(settings(residency));
    expect("PUT", "/graphs/demo", graph)?;
    expect("POST", "/snapshots/demo", Value::Null)?;
    Ok(provisioners)
}

/// A user as SCIM has it.
pub fn person(name: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name, "externalId": name,
    })
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
