//! Limits of the fleet, asked for as Envoy does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::Code;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;
use envoy_types::pb::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use ig_control_plane::{RateLimitConfig, RedisUrl, TlsFiles};
use ig_e2e::{Authority, ControlPlane, Pair, Redis, fill, redis_server};
use serde_json::{Value, json};
use tonic::Status;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use crate::databases::Database;

pub(crate) const DOMAIN: &str = "ig.guard.demo";

/// A Redis; where there is none it says so, and in CI that fails.
fn redis() -> Option<Redis> {
    let found = redis_server();
    if let Err(missing) = found {
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("SKIPPED: {missing}");
        return None;
    }
    Some(Redis::start().unwrap())
}

/// A control plane, with the demo published.
pub(crate) struct Bench {
    pub(crate) control: ControlPlane,
    _database: Database,
}

impl Bench {
    pub(crate) async fn start(redis: Option<(&Redis, u32)>, limits: &str) -> Self {
        let database = Database::sqlite();
        let mut config = database.config();
        if let Some((redis, timeout)) = redis {
            config.rate_limit = RateLimitConfig {
                redis: Some(RedisUrl::from(redis.url())),
                redis_timeout_ms: timeout,
            };
        }
        let control = ControlPlane::start(config).unwrap();
        fill(|method, path, body| control.call(method, path, body)).unwrap();
        let half = json!({"purposes": ["audit"], "ratePercent": 50}).to_string();
        assert_eq!(control.call("PUT", "/tenants/half", half).0, 204);
        publish(&control, limits);
        let bench = Self {
            control,
            _database: database,
        };
        bench.client().await.is_limited().await;
        bench
    }

    async fn client(&self) -> Client {
        let url = format!("http://{}", self.control.grpc);
        let channel = Channel::from_shared(url).unwrap().connect().await;
        Client(RateLimitServiceClient::new(channel.unwrap()))
    }

    /// The sum of a counter's series.
    fn counted(&self, name: &str) -> u64 {
        let (status, text) = self.control.call("GET", "/metrics", "");
        assert_eq!(status, 200);
        let text = text.as_str().unwrap();
        let lines = text.lines().filter(|line| line.starts_with(name));
        let values = lines.map(|line| line.rsplit(' ').next().unwrap());
        values.map(|value| value.parse::<u64>().unwrap()).sum()
    }

    /// Waits until Redis is asked, and says how long that took. It costs
    /// nothing that a test counts.
    async fn is_shared(&self) -> Duration {
        let (mut client, started) = (self.client().await, Instant::now());
        loop {
            let before = self.counted("ig_rate_limit_degraded_total");
            client.ask(&[("alpha", "sensitive")], 1).await.unwrap();
            if self.counted("ig_rate_limit_degraded_total") == before {
                return started.elapsed();
            }
            assert!(started.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Publishes the demo with limits.
fn publish(control: &ControlPlane, limits: &str) {
    let (_, mut graph) = control.call("GET", "/graphs/demo", "");
    let settings = format!("endpoint = \"/graphql\"\n{limits}\n{UNLIMITED}");
    graph["settings"] = Value::String(settings);
    let (status, answer) = control.call("PUT", "/graphs/demo", graph.to_string());
    assert_eq!(status, 204, "{answer}");
    let (status, answer) = control.call("POST", "/snapshots/demo", "");
    assert_eq!(status, 200, "{answer}");
}

/// A class that only the helpers spend.
const UNLIMITED: &str = "[rate-limit.classes.sensitive]\n\
                         fleet = [{ cost = 1000000, burst = 1000000 }]\n";

/// What an hour brings next to nothing to.
fn fixed(class: &str, burst: u32) -> String {
    format!(
        "[rate-limit.classes.{class}]\nfleet = [{{ cost = 1, seconds = 3600, burst = {burst} }}]\n"
    )
}

#[derive(Clone)]
struct Client(RateLimitServiceClient<Channel>);

impl Client {
    async fn ask(&mut self, of: &[(&str, &str)], cost: u32) -> Result<RateLimitResponse, Status> {
        self.ask_in(DOMAIN, of, cost).await
    }

    async fn ask_in(
        &mut self,
        domain: &str,
        of: &[(&str, &str)],
        cost: u32,
    ) -> Result<RateLimitResponse, Status> {
        let descriptors = of.iter().map(|(tenant, class)| {
            let entry = |key: &str, value: &str| Entry {
                key: key.into(),
                value: value.into(),
            };
            RateLimitDescriptor {
                entries: vec![entry("tenant", tenant), entry("class", class)],
                ..RateLimitDescriptor::default()
            }
        });
        let request = RateLimitRequest {
            domain: domain.into(),
            descriptors: descriptors.collect(),
            hits_addend: cost,
        };
        let answer = self.0.should_rate_limit(request).await?;
        Ok(answer.into_inner())
    }

    /// Waits until the publication's limits count, and takes nothing.
    async fn is_limited(&mut self) {
        let started = Instant::now();
        let of = [("alpha", "sensitive")];
        while self.ask(&of, u32::MAX).await.unwrap().overall_code() == Code::Ok {
            assert!(started.elapsed() < Duration::from_secs(20));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many of a cost pass in a row.
    async fn passes(&mut self, tenant: &str, class: &str, cost: u32) -> u32 {
        let mut passed = 0;
        while passed < 1_000 {
            let answer = self.ask(&[(tenant, class)], cost).await.unwrap();
            if answer.overall_code() == Code::OverLimit {
                break;
            }
            passed += 1;
        }
        passed
    }
}

/// In memory, and in Redis where there is one.
async fn each(limits: &str, test: impl AsyncFn(&Bench)) {
    test(&Bench::start(None, limits).await).await;
    let Some(redis) = redis() else { return };
    let bench = Bench::start(Some((&redis, 5_000)), limits).await;
    bench.is_shared().await;
    let before = bench.counted("ig_rate_limit_degraded_total");
    test(&bench).await;
    assert_eq!(bench.counted("ig_rate_limit_degraded_total"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_share_is_all_it_gets_and_its_own() {
    let limits = fixed("query", 10);
    each(&limits, async |bench| {
        let mut client = bench.client().await;
        let over = bench.counted("ig_rate_limit_over_total");
        assert_eq!(client.passes("alpha", "query", 3).await, 3);
        assert_eq!(client.passes("alpha", "query", 1).await, 1);
        assert_eq!(client.passes("half", "query", 1).await, 5);
        // Nothing limits what no publication names.
        for (tenant, class) in [
            ("alpha", "mutation"),
            ("nobody", "query"),
            ("alpha", "made-up"),
        ] {
            assert_eq!(client.passes(tenant, class, 1_000_000).await, 1_000);
        }
        let elsewhere = client.ask_in("ig.guard.other", &[("alpha", "query")], 1);
        assert_eq!(elsewhere.await.unwrap().overall_code(), Code::Ok);
        assert_eq!(bench.counted("ig_rate_limit_over_total"), over + 3);
        let asked = bench.counted("ig_rate_limit_asked_total{graph=\"demo\"}");
        assert!(asked >= 3_012, "{asked}");
        assert_eq!(
            bench.counted("ig_rate_limit_asked_total{graph=\"unknown\"}"),
            1
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_descriptors_pass_or_none_takes_anything() {
    let limits = fixed("query", 5) + &fixed("mutation", 2);
    each(&limits, async |bench| {
        let mut client = bench.client().await;
        let both = [("alpha", "query"), ("alpha", "mutation")];
        let mut codes = Vec::new();
        for _ in 0..3 {
            let answer = client.ask(&both, 1).await.unwrap();
            codes.push(answer.overall_code());
            let statuses = answer.statuses.iter().map(|one| one.code());
            let of_mutation = answer.overall_code();
            assert!(statuses.eq([Code::Ok, of_mutation]));
        }
        assert_eq!(codes, [Code::Ok, Code::Ok, Code::OverLimit]);
        assert_eq!(client.passes("alpha", "query", 1).await, 3);
        // One bucket twice is one bucket.
        let twice = [("half", "query"), ("half", "query")];
        let answer = client.ask(&twice, 1).await.unwrap();
        assert_eq!(answer.overall_code(), Code::Ok);
        assert_eq!(client.passes("half", "query", 1).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_an_answer_for_the_caller() {
    let limits = "[rate-limit.classes.query]\n\
                  fleet = [{ cost = 10, seconds = 60, burst = 20 }, { cost = 500, burst = 500 }]\n";
    each(limits, async |bench| {
        let mut client = bench.client().await;
        let refused = async |client: &mut Client, cost| {
            let answer = client.ask(&[("alpha", "query")], cost).await.unwrap();
            assert_eq!(answer.overall_code(), Code::OverLimit);
            let headers = answer.response_headers_to_add.into_iter();
            let headers: Vec<_> = headers.map(|one| (one.key, one.value)).collect();
            let body: Value = serde_json::from_slice(&answer.raw_body).unwrap();
            let extensions = &body["errors"][0]["extensions"];
            let expected = json!({"code": "RATE_LIMITED", "rule": "rate-limit-fleet"});
            assert_eq!(extensions, &expected);
            assert!(body["errors"][0]["message"].as_str().unwrap().len() > 10);
            headers
        };
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let kind = [
            header("content-type", "application/json"),
            header("cache-control", "no-store"),
        ];
        let never = refused(&mut client, 21).await;
        let of_rate = [
            header("ratelimit-policy", "\"fleet-query\";q=10;w=60"),
            header("ratelimit", "\"fleet-query\";r=0"),
        ];
        assert_eq!(never, [&kind[..], &of_rate].concat());
        client.ask(&[("alpha", "query")], 15).await.unwrap();
        let later = refused(&mut client, 10).await;
        // Five are missing, at one in six seconds.
        let of_rate = [
            header("retry-after", "30"),
            header("ratelimit-policy", "\"fleet-query\";q=10;w=60"),
            header("ratelimit", "\"fleet-query\";r=5;t=30"),
        ];
        assert_eq!(later, [&kind[..], &of_rate].concat());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_those_of_the_last_publication() {
    let bench = Bench::start(None, &fixed("query", 5)).await;
    let mut client = bench.client().await;
    assert_eq!(client.passes("alpha", "query", 1).await, 5);
    let until = async |client: &mut Client, cost, expected| {
        let started = Instant::now();
        while client
            .ask(&[("alpha", "query")], cost)
            .await
            .unwrap()
            .overall_code()
            != expected
        {
            assert!(started.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // A limit of another rate begins with a full bucket.
    let more = "[rate-limit.classes.query]\nfleet = [{ cost = 10, burst = 50 }]\n";
    publish(&bench.control, more);
    until(&mut client, 20, Code::Ok).await;
    // In shadow all pass, and it is counted.
    let over = bench.counted("ig_rate_limit_over_total");
    publish(
        &bench.control,
        &format!("[modes]\nrate-limit = \"shadow\"\n{}", fixed("query", 1)),
    );
    until(&mut client, 1_000, Code::Ok).await;
    assert_eq!(client.passes("alpha", "query", 1_000).await, 1_000);
    assert!(bench.counted("ig_rate_limit_over_total{") > over + 1_000);
    assert!(bench.counted("ig_rate_limit_over_total{graph=\"demo\",mode=\"shadow\"}") > 1_000);
    publish(&bench.control, "");
    until(&mut client, u32::MAX, Code::Ok).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_proxies_are_not_configured_to_ask_is_an_error() {
    let bench = Bench::start(None, &fixed("query", 5)).await;
    let mut client = bench.client().await;
    let many = [("alpha", "query"); 9];
    let long = "x".repeat(100_000);
    let refused = async |client: &mut Client, of: &[(&str, &str)]| {
        client.ask(of, 1).await.map(drop).unwrap_err().code()
    };
    let invalid = tonic::Code::InvalidArgument;
    assert_eq!(refused(&mut client, &[]).await, invalid);
    assert_eq!(refused(&mut client, &many).await, invalid);
    assert_eq!(refused(&mut client, &[("", "query")]).await, invalid);
    let too_long = refused(&mut client, &[(&long, "query")]).await;
    assert_eq!(too_long, tonic::Code::OutOfRange);
    assert_eq!(client.passes("alpha", "query", 1).await, 5);
}

/// Whoever may not have a graph's snapshots neither learns of nor empties its
/// tenants' buckets.
#[tokio::test(flavor = "multi_thread")]
async fn limits_are_for_a_graphs_own_proxies() {
    let database = Database::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("mesh").unwrap();
    let Pair(certificate, key) = authority.server().unwrap();
    for (name, text) in [
        ("server.pem", &certificate),
        ("server.key", &key),
        ("ca.pem", &authority.pem),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let mut config = database.config();
    config.grpc_tls = Some(TlsFiles {
        certificate: folder.path().join("server.pem"),
        key: folder.path().join("server.key"),
        client_ca: Some(folder.path().join("ca.pem")),
    });
    let control = ControlPlane::start(config).unwrap();
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    let (_, mut graph) = control.call("GET", "/graphs/demo", "");
    graph["proxies"] = json!(["spiffe://mesh/own"]);
    let put = control.call("PUT", "/graphs/demo", graph.to_string());
    assert_eq!(put.0, 204);
    publish(&control, &fixed("query", 5));
    let client = async |name: &str| {
        let Pair(certificate, key) = authority.proxy(name).unwrap();
        let tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificate(Certificate::from_pem(&authority.pem))
            .identity(Identity::from_pem(certificate, key));
        let channel = Channel::from_shared(format!("https://{}", control.grpc)).unwrap();
        let channel = channel.tls_config(tls).unwrap().connect().await.unwrap();
        Client(RateLimitServiceClient::new(channel))
    };
    let mut other = client("spiffe://mesh/other").await;
    let refused = other.ask(&[("alpha", "query")], 1).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::PermissionDenied);
    let mut own = client("spiffe://mesh/own").await;
    own.is_limited().await;
    assert_eq!(own.passes("alpha", "query", 1).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_give_what_is_configured_and_no_more() {
    let Some(redis) = redis() else { return };
    let (rate, burst) = (200, 100);
    let limits =
        format!("[rate-limit.classes.query]\nfleet = [{{ cost = {rate}, burst = {burst} }}]\n");
    let start = || Bench::start(Some((&redis, 5_000)), &limits);
    let replicas = [start().await, start().await];
    let mut clients = Vec::new();
    let mut degraded = Vec::new();
    for replica in &replicas {
        replica.is_shared().await;
        degraded.push(replica.counted("ig_rate_limit_degraded_total"));
        clients.push(replica.client().await);
    }
    let (spent, asked) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (started, time) = (Instant::now(), Duration::from_secs(4));
    let tasks = clients.iter().cycle().take(8).map(|client| {
        let (mut client, spent, asked) = (client.clone(), spent.clone(), asked.clone());
        tokio::spawn(async move {
            while started.elapsed() < time {
                let answer = client.ask(&[("alpha", "query")], 2).await.unwrap();
                asked.fetch_add(1, Ordering::Relaxed);
                if answer.overall_code() == Code::Ok {
                    spent.fetch_add(2, Ordering::Relaxed);
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    let spent = spent.load(Ordering::Relaxed) as f64;
    let gives = |time: Duration| time.as_secs_f64() * f64::from(rate) + f64::from(burst);
    let (most, least) = (gives(started.elapsed()), 0.95 * gives(time));
    let asked = asked.load(Ordering::Relaxed);
    println!("{asked} asked in {time:?}, spent {spent} of {most:.1}");
    assert!(spent <= most + 1.0, "{spent} of {most}");
    assert!(spent >= least, "{spent} of {least}");
    for (replica, before) in replicas.iter().zip(degraded) {
        assert_eq!(replica.counted("ig_rate_limit_degraded_total"), before);
    }
}

/// Killed, back, and stopped: whoever asks is answered, by the replica alone.
#[tokio::test(flavor = "multi_thread")]
async fn redis_may_go_and_come_back() {
    let Some(mut redis) = redis() else {
        return;
    };
    let limits = fixed("query", 1_000_000_000) + &fixed("mutation", 3);
    redis.kill().unwrap();
    let bench = Bench::start(Some((&redis, 20)), &limits).await;
    let mut client = bench.client().await;
    client.ask(&[("alpha", "query")], 1).await.unwrap();
    redis.restart().unwrap();
    bench.is_shared().await;
    assert_eq!(client.passes("alpha", "mutation", 1).await, 3);
    let is_over = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let (mut client, is_over) = (client.clone(), is_over.clone());
            tokio::spawn(async move {
                let (mut asked, mut longest) = (0_u64, Duration::ZERO);
                while !is_over.load(Ordering::Relaxed) {
                    let started = Instant::now();
                    let answer = client.ask(&[("alpha", "query")], 1).await.unwrap();
                    assert_eq!(answer.overall_code(), Code::Ok);
                    longest = longest.max(started.elapsed());
                    asked += 1;
                }
                (asked, longest)
            })
        })
        .collect();
    let degraded = || bench.counted("ig_rate_limit_degraded_total");
    let sleep = |millis| tokio::time::sleep(Duration::from_millis(millis));
    sleep(500).await;

    let before = degraded();
    redis.kill().unwrap();
    sleep(1_500).await;
    let while_away = degraded() - before;
    assert!(while_away > 100, "{while_away}");
    // Its own buckets are limits too, and what Redis gave was taken from them.
    assert_eq!(client.passes("alpha", "mutation", 1).await, 0);
    redis.restart().unwrap();
    let back = bench.is_shared().await;
    assert!(back < Duration::from_secs(2), "{back:?}");
    assert_eq!(redis.say("EXISTS ig:rl:{demo}:alpha:query").unwrap(), ":1");

    // It takes connections, and answers nothing.
    let before = degraded();
    redis.signal("STOP").unwrap();
    sleep(1_500).await;
    let while_stopped = degraded() - before;
    assert!(while_stopped > 100, "{while_stopped}");
    redis.signal("CONT").unwrap();
    let again = bench.is_shared().await;
    assert!(again < Duration::from_secs(2), "{again:?}");

    // It answers, and stores nothing.
    let before = degraded();
    assert_eq!(redis.say("CONFIG SET maxmemory 1").unwrap(), "+OK");
    sleep(1_500).await;
    let while_full = degraded() - before;
    assert!(while_full > 100, "{while_full}");
    assert_eq!(redis.say("CONFIG SET maxmemory 0").unwrap(), "+OK");
    let emptied = bench.is_shared().await;
    assert!(emptied < Duration::from_secs(2), "{emptied:?}");
    sleep(500).await;

    is_over.store(true, Ordering::Relaxed);
    for task in tasks {
        let (asked, longest) = task.await.unwrap();
        println!("{asked} asked, the longest took {longest:?}");
        assert!(longest < Duration::from_secs(1), "{longest:?}");
    }
    println!("degraded: {while_away} away, {while_stopped} stopped, {while_full} full");
    println!("back in {back:?}, {again:?}, {emptied:?}");
}
