//! Two regions under load, whose hosts come and go.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http_body_util::Full;
use hyper::body::Bytes;
use ig_contract::snapshot::{Foreign, Region, Residency, Tenant};
use ig_e2e::{
    Connection, Envoy, Fixture, Host, RegionalUpstream, TokenClaims, demo, free_address, signature,
};
use ig_envoy::{LocalRegion, Upstream};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::skip;

const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
const TENANTS: usize = 50;
const CLIENTS: u64 = 16;

/// `IG_REQUESTS`, which the whole measurement of `docs/residency.md` sets.
fn requests() -> u64 {
    let asked = std::env::var("IG_REQUESTS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(6_000)
}

/// Numbers that look random and are the same each time (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % end
    }
}

fn region_of(tenant: usize) -> &'static str {
    REGIONS[tenant % REGIONS.len()]
}

/// Everything but clients.
struct World {
    fixture: Fixture,
    gateways: Vec<Envoy>,
    upstreams: Vec<Arc<Mutex<RegionalUpstream>>>,
}

impl World {
    async fn start(workers: u32) -> Self {
        let mut fixture = demo().await.unwrap();
        let addresses: Vec<SocketAddr> = REGIONS.iter().map(|_| free_address().unwrap()).collect();
        let mut hosts = Vec::new();
        // Addresses of their own: a port of a dead host is nobody else's.
        let pid = std::process::id();
        let own = |number: u8| {
            let [.., high, low] = (pid % 0xffff).to_be_bytes();
            SocketAddr::from(([127, high.max(1), low, number], 4000))
        };
        let mut regions = BTreeMap::new();
        for (number, name) in (1..).zip(REGIONS) {
            let (primary, replica) = (own(10 * number + 1), own(10 * number + 2));
            for (address, is_primary) in [(primary, true), (replica, false)] {
                let region = name.to_owned();
                hosts.push(Host {
                    region,
                    is_primary,
                    address,
                });
            }
            let region = Region {
                gateways: [addresses[usize::from(number) - 1].to_string()].into(),
                primary: [primary.to_string()].into(),
                replicas: [replica.to_string()].into(),
            };
            regions.insert(name.to_owned(), region);
        }
        let residency = Residency {
            regions,
            default_region: None,
            foreign: Foreign::Forward,
        };
        fixture.head.residency = Some(residency.clone());
        let tenants = (0..TENANTS).map(|number| {
            let tenant = Tenant {
                region: Some(region_of(number).to_owned()),
                purposes: ["investigation".to_owned()].into(),
                ..Tenant::default()
            };
            (format!("t{number}"), tenant)
        });
        fixture.head.tenants = tenants.collect();
        let mut upstreams = Vec::new();
        for host in hosts {
            let mut upstream = RegionalUpstream::new(host);
            upstream.start().unwrap();
            upstreams.push(Arc::new(Mutex::new(upstream)));
        }
        let mut gateways = Vec::new();
        for (name, address) in REGIONS.iter().zip(addresses) {
            let admin = free_address().unwrap();
            let mut options = fixture.options(address, admin).unwrap();
            options.region = Some(LocalRegion::of(&residency, name).unwrap());
            options.upstream = Upstream::plain([]);
            let bootstrap = ig_envoy::render(&options);
            let envoy = Envoy::start_on(workers, address, admin, &bootstrap)
                .await
                .unwrap();
            gateways.push(envoy);
        }
        Self {
            fixture,
            gateways,
            upstreams,
        }
    }

    fn token(&self, tenant: usize) -> String {
        let claims = TokenClaims::alpha()
            .with("tenant", json!(format!("t{tenant}")))
            .with("sub", json!(format!("u@t{tenant}")));
        self.fixture.issuer.token(&claims)
    }

    /// By gateway.
    async fn breaches(&self) -> [u64; REGIONS.len()] {
        let mut all = [u64::MAX; REGIONS.len()];
        for (count, gateway) in all.iter_mut().zip(&self.gateways) {
            let stats = gateway
                .get_admin("/stats?filter=ig_region_breaches")
                .await
                .unwrap();
            let line = stats
                .lines()
                .find(|line| line.contains("ig_region_breaches: "));
            let (_, number) = line.unwrap().rsplit_once(": ").unwrap();
            *count = number.trim().parse().unwrap();
        }
        all
    }
}

/// Kills hosts, brings them back after a while, or at once.
async fn disturb(upstreams: Vec<Arc<Mutex<RegionalUpstream>>>, is_over: Arc<AtomicBool>) -> u64 {
    let (mut numbers, mut kills) = (Numbers(7), 0);
    while !is_over.load(Ordering::Relaxed) {
        let at = usize::try_from(numbers.below(upstreams.len() as u64)).unwrap();
        let mut upstream = upstreams[at].lock().await;
        if upstream.is_running() {
            upstream.kill().await;
            kills += 1;
            // Every other time it is back at once.
            if numbers.below(2) == 0 {
                upstream.start().unwrap();
            }
        } else {
            upstream.start().unwrap();
        }
        drop(upstream);
        tokio::time::sleep(Duration::from_millis(100 + numbers.below(400))).await;
    }
    for upstream in &upstreams {
        let mut upstream = upstream.lock().await;
        if !upstream.is_running() {
            upstream.start().unwrap();
        }
    }
    kills
}

/// What became of requests.
#[derive(Default)]
struct Tally {
    served: AtomicU64,
    unavailable: AtomicU64,
}

struct Client {
    tokens: Arc<Vec<String>>,
    bodies: Arc<[(String, bool); 2]>,
    connections: Vec<Connection>,
    numbers: Numbers,
}

impl Client {
    /// One request of any tenant at any gateway; it is served by its region, or
    /// not at all.
    async fn ask(&mut self, tally: &Tally) {
        let tenant = usize::try_from(self.numbers.below(TENANTS as u64)).unwrap();
        let at = usize::try_from(self.numbers.below(REGIONS.len() as u64)).unwrap();
        let (body, is_write) = self.bodies[usize::from(self.numbers.below(10) < 3)].clone();
        let nonce = format!("{:x}", self.numbers.below(u64::MAX));
        let request = http::Request::post("/graphql")
            .header("host", "edge")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {}", self.tokens[tenant]))
            .header("x-ig-purpose", "investigation")
            .header("x-nonce", nonce.as_str())
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let (head, body) = self.connections[at].send(request).await.unwrap();
        let header = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
        let text = String::from_utf8_lossy(&body);
        if head.status == 200 {
            let expected = signature(region_of(tenant), &nonce);
            assert_eq!(
                header("x-signature"),
                Some(&*expected),
                "served by another region"
            );
            if is_write {
                assert_eq!(header("x-served-by"), Some("primary"));
            }
            tally.served.fetch_add(1, Ordering::Relaxed);
            return;
        }
        assert_eq!(head.status, 503, "{text}");
        assert!(text.contains("REGION_UNAVAILABLE"), "{text}");
        // A write that broke off may have happened.
        let may_retry = !is_write || !text.contains("upstream-broke-off");
        assert_eq!(
            header("retry-after").is_some(),
            may_retry,
            "{text} {:?}",
            head.headers
        );
        tally.unavailable.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_comes_from_another_region_and_no_replica_writes() {
    if !skip::ready() {
        return;
    }
    let world = Arc::new(World::start(2).await);
    let is_over = Arc::new(AtomicBool::new(false));
    let chaos = tokio::spawn(disturb(world.upstreams.clone(), is_over.clone()));
    let id = |name: &str, variables: &str| {
        format!(
            r#"{{"documentId":"sha256:{}","variables":{variables}}}"#,
            world.fixture.hash(name)
        )
    };
    let bodies = Arc::new([
        (id("Case", r#"{"id":"1"}"#), false),
        (
            id(
                "CreateAsset",
                r#"{"input":{"label":"a","retention":"short-30d"}}"#,
            ),
            true,
        ),
    ]);
    let tokens = Arc::new(
        (0..TENANTS)
            .map(|tenant| world.token(tenant))
            .collect::<Vec<_>>(),
    );
    let (tally, total, started) = (Arc::new(Tally::default()), requests(), Instant::now());
    let mut clients = JoinSet::new();
    for number in 0..CLIENTS {
        let tally = tally.clone();
        let mut client = Client {
            tokens: tokens.clone(),
            bodies: bodies.clone(),
            connections: world
                .gateways
                .iter()
                .map(|one| Connection::new(one.gateway))
                .collect(),
            numbers: Numbers(number),
        };
        clients.spawn(async move {
            for _ in 0..total / CLIENTS {
                client.ask(&tally).await;
            }
        });
    }
    while let Some(ended) = clients.join_next().await {
        ended.unwrap();
    }
    let elapsed = started.elapsed();
    is_over.store(true, Ordering::Relaxed);
    let kills = chaos.await.unwrap();
    let count = |of: &AtomicU64| of.load(Ordering::Relaxed);
    let (served, unavailable) = (count(&tally.served), count(&tally.unavailable));
    let measured = json!({
        "what": "regions", "requests": served + unavailable, "tenants": TENANTS,
        "seconds": elapsed.as_secs_f64(), "kills": kills, "served": served,
        "unavailable": unavailable,
    });
    println!("measured {measured}");
    let mut writes = 0;
    for upstream in &world.upstreams {
        let upstream = upstream.lock().await;
        let (host, seen) = (&upstream.host, upstream.served());
        for tenant in seen.by_tenant.keys() {
            let number: usize = tenant.trim_start_matches('t').parse().unwrap();
            assert_eq!(region_of(number), host.region, "{tenant} reached {host:?}");
        }
        assert!(host.is_primary || seen.writes == 0, "{host:?} wrote");
        assert!(!seen.by_tenant.is_empty(), "{host:?} was never asked");
        writes += seen.writes;
    }
    assert!(served > total / 4, "{served} of {total}");
    assert!(kills > 0 && writes > 0, "{kills} kills, {writes} writes");
    assert_eq!(world.breaches().await, [0; REGIONS.len()]);
}
