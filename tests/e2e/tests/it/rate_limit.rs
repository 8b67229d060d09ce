//! Token buckets at the real Envoy, which its workers share.

use std::time::{Duration, Instant};

use http_body_util::Full;
use ig_contract::snapshot::{ClassLimits, OperationClass, Rate, RateLimit, Tenant};
use ig_e2e::{Fixture, LoadRequest, Pace, TokenClaims, demo, http1, load};
use serde_json::json;
use tokio::task::JoinSet;

use crate::gateway::{Gateway, denied};
use crate::skip;

/// Seconds of a load; `cargo xtask bench --limits` asks for more.
pub(crate) fn seconds() -> u64 {
    let asked = std::env::var("IG_SECONDS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(2)
}

/// Queries of a subject: this many at once, and then hardly any.
async fn fixture(burst: u32) -> Fixture {
    let rate = Rate {
        cost: 1,
        seconds: 3600,
        burst,
    };
    limited(ClassLimits {
        subject: vec![rate],
        tenant: vec![],
        fleet: vec![],
    })
    .await
}

async fn limited(limits: ClassLimits) -> Fixture {
    let mut fixture = demo().await.unwrap();
    fixture.head.rate_limit = Some(RateLimit {
        classes: [(OperationClass::Query, limits)].into(),
        clients: [].into(),
        slots: RateLimit::default_slots(),
    });
    fixture
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_too_much_is_told_when_to_come_back() {
    if !skip::ready() {
        return;
    }
    let gateway = Gateway::start(fixture(2).await, |_| ()).await;
    for _ in 0..2 {
        assert_eq!(gateway.send_id("Case").await.response.status, 200);
    }
    let outcome = gateway.send_id("Case").await;
    assert_eq!(outcome.verdict(), denied(429, "RATE_LIMITED"));
    assert!(outcome.seen.is_empty());
    let header = |name| outcome.response.header(name).unwrap();
    assert_eq!(header("ratelimit-policy"), r#""subject-query";q=1;w=3600"#);
    assert_eq!(header("retry-after"), "3600");
    // Another class has no limit.
    let create = r#"{"documentId":"sha256:ID","variables":{"input":{"label":"a"}}}"#;
    let create = create.replace("ID", &gateway.fixture.hash("CreateAsset").to_string());
    assert_eq!(
        gateway.send(gateway.request(&create)).await.response.status,
        200
    );
}

/// Whatever worker a connection is at, there is one bucket.
#[tokio::test(flavor = "multi_thread")]
async fn workers_share_a_bucket() {
    if !skip::ready() {
        return;
    }
    const BURST: usize = 60;
    let fixture = fixture(u32::try_from(BURST).unwrap()).await;
    let gateway = Gateway::with_workers(4, fixture, |_| ()).await;
    let request = gateway.request(&gateway.id("Case"));
    let mut asked = JoinSet::new();
    for _ in 0..3 * BURST {
        let (address, request) = (gateway.envoy.gateway, request.clone());
        asked.spawn(async move { http1(address, &request).await.unwrap().status });
    }
    let answers = asked.join_all().await;
    let count = |status| answers.iter().filter(|answer| **answer == status).count();
    assert_eq!((count(200), count(429)), (BURST, 2 * BURST), "{answers:?}");
}

fn case(fixture: &Fixture) -> String {
    format!(r#"{{"documentId":"sha256:{}"}}"#, fixture.hash("Case"))
}

/// A query of a tenant's subject, for a load.
pub(crate) fn query(
    fixture: &Fixture,
    tenant: &str,
    body: String,
) -> impl Fn() -> LoadRequest + Clone + Send + Sync + use<> {
    let claims = TokenClaims::alpha().with("tenant", json!(tenant));
    let token = fixture.issuer.token(&claims);
    move || {
        http::Request::post("/graphql")
            .header("host", "edge")
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .header("x-ig-purpose", "investigation")
            .body(Full::new(body.clone().into()))
            .unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_a_caller_gets_its_rate_and_no_more() {
    if !skip::ready() {
        return;
    }
    const RATE: Rate = Rate {
        cost: 100,
        seconds: 1,
        burst: 50,
    };
    for workers in [1, 2, 4] {
        let fixture = limited(ClassLimits {
            subject: vec![RATE],
            ..ClassLimits::default()
        })
        .await;
        let request = query(&fixture, "alpha", case(&fixture));
        let gateway = Gateway::with_workers(workers, fixture, |_| ()).await;
        let pace = Pace {
            connections: 8,
            time: Duration::from_secs(seconds()),
            per_second: None,
        };
        let started = Instant::now();
        let answers = load(&[gateway.envoy.gateway], pace, request).await.unwrap();
        let elapsed = started.elapsed().as_secs_f64();
        let (offered, admitted) = (answers.all(), answers.of(200));
        let configured = f64::from(RATE.cost) * elapsed + f64::from(RATE.burst);
        let measured = json!({
            "what": format!("one Envoy, {workers} workers"), "seconds": elapsed,
            "offered": offered, "admitted": admitted, "configured": configured,
        });
        println!("measured {measured}");
        assert_eq!(
            offered,
            admitted + answers.of(429),
            "{:?}",
            answers.by_status
        );
        // One more is what rounding of the time may give.
        assert!(admitted as f64 <= configured + 1.0, "{measured}");
        if offered as f64 > 2.0 * configured {
            assert!(admitted as f64 >= 0.95 * configured - 1.0, "{measured}");
        }
    }
}

/// Says how long others wait while one asks for fifty times what it may.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_too_much_is_alone_with_it() {
    if !skip::ready() {
        return;
    }
    let rate = Rate {
        cost: 10,
        seconds: 1,
        burst: 10,
    };
    let mut fixture = limited(ClassLimits {
        tenant: vec![rate],
        ..ClassLimits::default()
    })
    .await;
    fixture.head.tenants.insert(
        "quiet".into(),
        Tenant {
            rate_percent: Some(10_000),
            ..fixture.head.tenants["alpha"].clone()
        },
    );
    let (quiet, loud) = (
        query(&fixture, "quiet", case(&fixture)),
        query(&fixture, "bravo", case(&fixture)),
    );
    let gateway = Gateway::with_workers(2, fixture, |_| ()).await;
    let to = [gateway.envoy.gateway];
    let pace = |per_second| Pace {
        connections: 8,
        time: Duration::from_secs(seconds()),
        per_second: Some(per_second),
    };
    // The first requests of an Envoy are slower than any other.
    load(&to, pace(200.0), quiet.clone()).await.unwrap();
    let alone = load(&to, pace(200.0), quiet.clone()).await.unwrap();
    let (beside, noise) =
        tokio::join!(load(&to, pace(200.0), quiet), load(&to, pace(500.0), loud),);
    let (beside, noise) = (beside.unwrap(), noise.unwrap());
    let measured = json!({
        "what": "others of a tenant at 50 times its limit",
        "alone": {"p50": alone.quantile(0.5), "p99": alone.quantile(0.99), "answers": alone.all()},
        "beside": {"p50": beside.quantile(0.5), "p99": beside.quantile(0.99), "answers": beside.all()},
        "noise": {"offered": noise.all(), "admitted": noise.of(200)},
    });
    println!("measured {measured}");
    assert_eq!(alone.all(), alone.of(200), "{measured}");
    assert_eq!(beside.all(), beside.of(200), "{measured}");
    assert_eq!(noise.all(), noise.of(200) + noise.of(429), "{measured}");
    assert!(noise.of(429) > noise.of(200), "{measured}");
}
