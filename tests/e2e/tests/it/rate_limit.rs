//! Token buckets at the real Envoy, which its workers share.

use ig_contract::snapshot::{ClassLimits, OperationClass, Rate, RateLimit};
use ig_e2e::{Fixture, demo, http1};
use tokio::task::JoinSet;

use crate::gateway::{Gateway, denied};
use crate::skip;

/// Queries of a subject: this many at once, and then hardly any.
async fn fixture(burst: u32) -> Fixture {
    let mut fixture = demo().await.unwrap();
    let rate = Rate {
        cost: 1,
        seconds: 3600,
        burst,
    };
    let limits = ClassLimits {
        subject: vec![rate],
        tenant: vec![],
        fleet: vec![],
    };
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
