//! Limits of the fleet: two Envoys, each with its control plane, and one Redis.

use std::time::{Duration, Instant};

use ig_control_plane::{Config, RateLimitConfig, RedisUrl};
use ig_e2e::{
    ControlPlane, LoadRequest, Pace, Redis, TokenClaims, demo, fill, load, module, redis_server,
};
use ig_envoy::{Address, Endpoints, GlobalLimits, Guard};
use serde_json::{Value, json};

use crate::control_plane::{by_id, publish};
use crate::gateway::Gateway;
use crate::rate_limit::{query, seconds};
use crate::skip;

struct Fleet {
    redis: Redis,
    gateways: Vec<Gateway>,
    controls: Vec<ControlPlane>,
    _folder: tempfile::TempDir,
}

const COST: u32 = 200;
const BURST: u32 = 100;

impl Fleet {
    async fn start() -> Self {
        let redis = Redis::start().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (mut gateways, mut controls) = (Vec::new(), Vec::new());
        for number in 0..2 {
            let file = folder.path().join(format!("{number}.db"));
            let guard = module("ig_guard").unwrap();
            let mut config = Config::local(format!("sqlite:{}", file.display()), guard.clone());
            config.rate_limit = RateLimitConfig {
                redis: Some(RedisUrl::from(redis.url())),
                ..RateLimitConfig::default()
            };
            let control = ControlPlane::start(config).unwrap();
            fill(|method, path, body| control.call(method, path, body)).unwrap();
            let (_, mut graph) = control.call("GET", "/graphs/demo", "");
            graph["settings"] = Value::String(format!(
                "endpoint = \"/graphql\"\n[rate-limit.classes.query]\n\
                 fleet = [{{ cost = {COST}, seconds = 1, burst = {BURST} }}]\n"
            ));
            let (status, answer) = control.call("PUT", "/graphs/demo", graph.to_string());
            assert_eq!(status, 204, "{answer}");
            publish(&control);
            let port = control.grpc.port();
            let edit = move |options: &mut ig_envoy::StaticOptions| {
                options.guards = vec![Guard::of_graph(guard.clone(), "demo")];
                options.global_limits = Some(GlobalLimits::default());
                options.control_plane = Some(ig_envoy::ControlPlane {
                    endpoints: Endpoints::plain([Address::new("127.0.0.1", port)]),
                    node: format!("edge-{number}"),
                });
            };
            let gateway = Gateway::with_options(demo().await.unwrap(), edit).await;
            gateways.push(gateway);
            controls.push(control);
        }
        Self {
            redis,
            gateways,
            controls,
            _folder: folder,
        }
    }

    /// A query of a tenant, and its cost once both gateways serve it.
    async fn ready(&self, tenant: &str) -> u64 {
        let (body, _) = by_id("CaseById");
        let body = variables(&body);
        let token = self.token(tenant);
        let mut cost = None;
        for gateway in &self.gateways {
            for attempt in 0.. {
                let request = crate::gateway::request_with_token(&token, &body);
                let outcome = gateway.send(request).await;
                if outcome.response.status == 200 {
                    cost = Some(
                        outcome.seen[0].header("x-ig-cost-query")[0]
                            .parse()
                            .unwrap(),
                    );
                    break;
                }
                assert!(
                    attempt < 200,
                    "{:?} {}",
                    outcome.verdict(),
                    gateway.envoy.log()
                );
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        cost.unwrap()
    }

    fn token(&self, tenant: &str) -> String {
        let claims = TokenClaims::alpha().with("tenant", json!(tenant));
        self.gateways[0].fixture.issuer.token(&claims)
    }

    fn query(&self, tenant: &str) -> impl Fn() -> LoadRequest + Clone + Send + Sync + use<> {
        let body = variables(&by_id("CaseById").0);
        query(&self.gateways[0].fixture, tenant, body)
    }

    /// Questions that replicas have answered by themselves.
    fn degraded(&self) -> u64 {
        self.controls.iter().map(degraded).sum()
    }

    fn addresses(&self) -> Vec<std::net::SocketAddr> {
        self.gateways.iter().map(|one| one.envoy.gateway).collect()
    }
}

/// Questions that a replica has answered by itself.
fn degraded(control: &ControlPlane) -> u64 {
    let (_, text) = control.call("GET", "/metrics", "");
    let lines = text.as_str().unwrap().lines();
    let counts = lines.filter(|line| line.starts_with("ig_rate_limit_degraded_total"));
    counts
        .map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap())
        .sum()
}

fn variables(body: &str) -> String {
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["variables"] = json!({"id": "case-1"});
    body.to_string()
}

fn ready() -> bool {
    skip::ready() && skip::require(redis_server().map(drop))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_gets_its_rate_and_no_more() {
    if !ready() {
        return;
    }
    let fleet = Fleet::start().await;
    let cost = fleet.ready("alpha").await as f64;
    let pace = Pace {
        connections: 8,
        time: Duration::from_secs(seconds()),
        per_second: None,
    };
    let (started, before) = (Instant::now(), fleet.degraded());
    let answers = load(&fleet.addresses(), pace, fleet.query("alpha"))
        .await
        .unwrap();
    let elapsed = started.elapsed().as_secs_f64();
    let (offered, admitted) = (answers.all(), answers.of(200));
    // On a machine under load Redis may answer too late; then each counts by itself.
    let alone = (fleet.degraded() - before) as f64;
    let configured = (f64::from(COST) * elapsed + f64::from(BURST)) / cost;
    let measured = json!({
        "what": "two Envoys and Redis", "seconds": elapsed,
        "offered": offered, "admitted": admitted, "configured": configured, "alone": alone,
    });
    println!("measured {measured}");
    assert_eq!(
        offered,
        admitted + answers.of(429),
        "{:?}",
        answers.by_status
    );
    assert!(admitted as f64 <= configured + alone + 1.0, "{measured}");
    // The bucket was not full when it began: `ready` had asked.
    if offered as f64 > 2.0 * configured {
        assert!(admitted as f64 >= 0.95 * configured - 4.0, "{measured}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_do_not_notice_that_redis_is_away() {
    if !ready() {
        return;
    }
    let mut fleet = Fleet::start().await;
    let cost = fleet.ready("alpha").await as f64;
    let (addresses, query) = (fleet.addresses(), fleet.query("alpha"));
    let of = |seconds: u64| Pace {
        connections: 4,
        time: Duration::from_secs(seconds),
        per_second: None,
    };
    let began = Instant::now();
    let running = {
        let (addresses, query) = (addresses.clone(), query.clone());
        tokio::spawn(async move { load(&addresses, of(5), query).await })
    };
    tokio::time::sleep(Duration::from_secs(1)).await;
    fleet.redis.kill().unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    fleet.redis.restart().unwrap();
    let answers = running.await.unwrap().unwrap();
    let all = answers.of(200) + answers.of(429);
    assert_eq!(answers.all(), all, "{:?}", answers.by_status);
    // Meanwhile each gateway has a bucket of its own, beside the fleet's. A machine under
    // load may offer less than they let through.
    let buckets = 1.0 + addresses.len() as f64;
    let let_through =
        buckets * (f64::from(COST) * began.elapsed().as_secs_f64() + f64::from(BURST)) / cost;
    assert!(answers.of(429) > 0 || all as f64 <= let_through, "{all}");
    assert!(fleet.degraded() > 0, "nobody noticed at all");
    // Two seconds after it is back, the limit is that of the fleet again.
    let (started, before) = (Instant::now(), fleet.degraded());
    let answers = load(&addresses, of(2), query).await.unwrap();
    let alone = (fleet.degraded() - before) as f64;
    let most = (f64::from(COST) * started.elapsed().as_secs_f64() + f64::from(BURST)) / cost;
    let measured = json!({
        "what": "two seconds after Redis was back", "offered": answers.all(),
        "admitted": answers.of(200), "configured": most, "alone": alone,
    });
    println!("measured {measured}");
    assert!(answers.of(200) as f64 <= most + alone + 1.0, "{measured}");
}
