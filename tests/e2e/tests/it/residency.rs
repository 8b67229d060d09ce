//! Regions at the real Envoy: who serves, and who answered.

use ig_contract::Mode;
use ig_contract::snapshot::{Foreign, Region, Residency};
use ig_e2e::{Fixture, TokenClaims, demo};
use ig_envoy::{Address, LocalRegion};
use serde_json::json;

use crate::gateway::{ALLOWED, Gateway, Outcome, denied, request_with_token};
use crate::skip;

/// Two regions; the upstream is in `upstreams`.
async fn fixture(upstreams: &str) -> Fixture {
    let mut fixture = demo().await.unwrap();
    let address = fixture.recorder.address.to_string();
    let region = |name: &str| Region {
        primary: match name == upstreams {
            true => [address.clone()].into(),
            false => ["127.0.0.1:9".to_owned()].into(),
        },
        ..Region::default()
    };
    let regions = ["eu-west-1", "us-east-1"].map(|name| (name.to_owned(), region(name)));
    fixture.head.residency = Some(Residency {
        regions: regions.into(),
        default_region: None,
        foreign: Foreign::Reject,
    });
    fixture
}

async fn gateway(fixture: Fixture) -> Gateway {
    let residency = fixture.head.residency.clone().unwrap();
    let upstream = Address::new("127.0.0.1", fixture.recorder.address.port());
    Gateway::with_options(fixture, move |options| {
        let mut region = LocalRegion::of(&residency, "eu-west-1").unwrap();
        // Whatever the snapshot says of it.
        region.primary = vec![upstream.clone()];
        options.region = Some(region);
    })
    .await
}

async fn send_as(gateway: &Gateway, claims: &TokenClaims) -> Outcome {
    let token = gateway.fixture.issuer.token(claims);
    gateway
        .send(request_with_token(&token, &gateway.id("Case")))
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_served_in_its_region() {
    if !skip::ready() {
        return;
    }
    let gateway = gateway(fixture("eu-west-1").await).await;
    let own = gateway.send_id("Case").await;
    assert_eq!(own.verdict(), ALLOWED, "{}", gateway.envoy.log());
    assert_eq!(own.seen[0].header("x-ig-region"), ["eu-west-1"]);
    assert_eq!(own.seen[0].header("x-ig-route"), ["replica"]);
    let bravo = TokenClaims::alpha().with("tenant", json!("bravo"));
    let foreign = send_as(&gateway, &bravo).await;
    assert_eq!(foreign.verdict(), denied(421, "REGION_MISDIRECTED"));
    assert!(foreign.seen.is_empty());
}

/// A host of another region is in the cluster, under this region's name.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_host_is_found_by_its_first_answer() {
    if !skip::ready() {
        return;
    }
    for mode in [Mode::Enforce, Mode::Shadow] {
        let mut fixture = fixture("us-east-1").await;
        fixture.head.modes.residency = mode;
        let gateway = gateway(fixture).await;
        let outcome = gateway.send_id("Case").await;
        match mode {
            Mode::Enforce => {
                assert_eq!(outcome.verdict(), denied(503, "REGION_UNAVAILABLE"));
                assert_eq!(outcome.rule().as_deref(), Some("region-breach"));
                assert!(outcome.response.header("x-ig-decision-id").is_some());
            }
            Mode::Shadow => assert_eq!(outcome.verdict(), ALLOWED),
        }
        let stats = gateway
            .envoy
            .get_admin("/stats?filter=ig_region_breaches")
            .await
            .unwrap();
        assert!(stats.contains("ig_region_breaches: 1"), "{stats}");
        assert!(
            gateway.envoy.log().contains("ALERT"),
            "{}",
            gateway.envoy.log()
        );
        let decisions = gateway.decisions(1).await;
        let rules: Vec<_> = decisions[0]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| &one["rule"])
            .collect();
        assert_eq!(rules, ["allow", "region-breach"]);
    }
}
