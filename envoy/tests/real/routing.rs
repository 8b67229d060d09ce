//! Where requests go while hosts are there and not, and what is answered.

use std::net::SocketAddr;

use ig_contract::snapshot::Residency;
use ig_envoy::{HealthCheck, LocalRegion, Upstream};
use serde_json::json;

use crate::envoy;
use crate::proxy::{BUSY, Host, NO_OP, NOTHING, OK, Proxy, address, nobody};

/// Withholds every answer, and says so as the guard does.
const WITHHOLDS: &str = r#"(module
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "ig_guard")
  (data (i32.const 16) "withheld")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
  (func (export "proxy_on_response_headers") (param i32 i32 i32) (result i32)
    (drop (call $reply (i32.const 503) (i32.const 0) (i32.const 8)
      (i32.const 16) (i32.const 8) (i32.const 0) (i32.const 0) (i32.const -1)))
    i32.const 1))"#;

/// Asks for `xds.node.locality.region` when it is configured, as the guard does,
/// and answers every request with that.
const SAYS_ITS_REGION: &str = r#"(module
  (import "env" "proxy_send_local_response"
    (func $reply (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)))
  (import "env" "proxy_get_property"
    (func $property (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "xds\00node\00locality\00region")
  (func (export "proxy_abi_version_0_2_1"))
  (func (export "proxy_on_memory_allocate") (param i32) (result i32) i32.const 1024)
  (func (export "proxy_on_configure") (param i32 i32) (result i32)
    (drop (call $property (i32.const 32) (i32.const 24) (i32.const 0) (i32.const 4)))
    i32.const 1)
  (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32)
    (drop (call $reply (i32.const 200) (i32.const 0) (i32.const 0)
      (i32.load (i32.const 0)) (i32.load (i32.const 4))
      (i32.const 0) (i32.const 0) (i32.const -1)))
    i32.const 1))"#;

/// The region `eu`, and `us` elsewhere.
fn regions(primary: SocketAddr, replica: SocketAddr, gateway: SocketAddr) -> LocalRegion {
    let residency: Residency = serde_json::from_value(json!({
        "foreign": "forward",
        "regions": {
            "eu": {"primary": [primary.to_string()], "replicas": [replica.to_string()]},
            "us": {"primary": ["127.0.0.3:1"], "gateways": [gateway.to_string()]},
        },
    }))
    .unwrap();
    LocalRegion::of(&residency, "eu").unwrap()
}

const EU: (&str, &str) = ("x-ig-region", "eu");
const US: (&str, &str) = ("x-ig-region", "us");
const READ: (&str, &str) = ("x-ig-route", "replica");
const WRITE: (&str, &str) = ("x-ig-route", "primary");
const HIGH: (&str, &str) = ("x-ig-priority", "high");
const CLIENTS: [(&str, &str); 4] = [
    ("authorization", "Bearer token"),
    ("x-ig-purpose", "audit"),
    ("x-ig-authority", "case-7"),
    ("x-ig-step-up", "proof"),
];

#[test]
fn a_guard_finds_its_region() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    let proxy = Proxy::start(&envoy, SAYS_ITS_REGION, |options| {
        options.region = Some(regions(nobody(), nobody(), nobody()));
    });
    assert_eq!(proxy.send(&[]).body, "eu");
}

#[test]
fn each_request_goes_to_its_region() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    let [primary, replica, gateway] = [OK, OK, OK].map(Host::start);
    let local = regions(primary.address, replica.address, gateway.address);
    let proxy = Proxy::start(&envoy, NO_OP, |options| {
        options.region = Some(local.clone());
    });
    for (headers, expected) in [
        ([EU, WRITE], &primary),
        ([EU, READ], &replica),
        ([US, WRITE], &gateway),
        ([US, READ], &gateway),
    ] {
        for priority in [&[][..], &[HIGH]] {
            let sent = [&headers[..], priority, &CLIENTS].concat();
            assert_eq!(proxy.send(&sent).status, 200);
            for host in [&primary, &replica, &gateway] {
                let seen = host.seen();
                let is_it = host.address == expected.address;
                assert_eq!(seen.len(), usize::from(is_it), "{headers:?}");
                let Some(head) = seen.first() else {
                    continue;
                };
                let has = |name: &str| head.contains(&format!("\r\n{name}: "));
                let is_forwarded = host.address == gateway.address;
                assert!(
                    ["authorization", "x-ig-purpose", "x-ig-authority"]
                        .iter()
                        .all(|it| has(it))
                );
                assert_eq!(has("x-ig-step-up"), is_forwarded);
                assert_eq!(has("x-ig-region"), !is_forwarded);
            }
        }
    }
    for nowhere in [&[][..], &[EU], &[("x-ig-region", "mars"), READ]] {
        let answer = proxy.send(nowhere);
        assert_eq!(answer.error(), (503, "REGION_UNAVAILABLE".to_owned()));
    }
}

#[test]
fn reads_fall_back_within_the_region_and_writes_do_not() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    let primary = Host::start(OK);
    let proxy = Proxy::start(&envoy, NO_OP, |options| {
        options.region = Some(regions(primary.address, nobody(), nobody()));
    });
    for _ in 0..10 {
        assert_eq!(proxy.send(&[EU, READ]).status, 200);
    }
    assert_eq!(primary.seen().len(), 10);

    let [replica, gateway] = [OK, OK].map(Host::start);
    let dead = nobody();
    let proxy = Proxy::start(&envoy, NO_OP, |options| {
        options.region = Some(regions(dead, replica.address, gateway.address));
    });
    // Past the failures after which the host is left out.
    for _ in 0..10 {
        let answer = proxy.send(&[EU, WRITE]);
        assert_eq!(answer.error(), (503, "REGION_UNAVAILABLE".to_owned()));
        assert!(
            answer.has("retry-after: 1"),
            "nothing reached it: {answer:?}"
        );
    }
    assert_eq!(proxy.send(&[EU, READ]).status, 200);
    assert_eq!(replica.seen().len(), 1);
    assert!(gateway.seen().is_empty());
}

#[test]
fn what_may_have_happened_happens_once() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    for (answer, of_read, of_write) in [(NOTHING, 3, 1), (BUSY, 3, 1)] {
        let host = Host::start(answer);
        let proxy = Proxy::start(&envoy, NO_OP, |options| {
            options.upstream = Upstream::plain([address(host.address)]);
        });
        let read = proxy.send(&[READ]);
        assert_eq!(host.seen().len(), of_read);
        // What a client asks of Envoy itself changes nothing.
        let pressing = [
            ("x-envoy-retry-on", "5xx,reset"),
            ("x-envoy-max-retries", "5"),
        ];
        let write = proxy.send(&[&[WRITE][..], &pressing].concat());
        assert_eq!(host.seen().len(), of_write);
        if answer == BUSY {
            assert_eq!((read.body.as_str(), write.body.as_str()), ("busy", "busy"));
            continue;
        }
        for answer in [&read, &write] {
            assert_eq!(answer.error(), (503, "UPSTREAM_UNAVAILABLE".to_owned()));
        }
        assert!(read.has("retry-after: 1"));
        assert!(!write.has("retry-after: 1"), "it may have happened");
    }
}

#[test]
fn what_fails_is_asked_less_and_the_region_apart_from_others() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    let [primary, replica, gateway] = [BUSY, OK, BUSY].map(Host::start);
    let proxy = Proxy::start(&envoy, NO_OP, |options| {
        options.region = Some(regions(primary.address, replica.address, gateway.address));
        options.backpressure.outliers.consecutive_failures = 1_000;
        let admission = options.backpressure.admission.as_mut().unwrap();
        admission.min_requests_per_second = 1;
    });
    for _ in 0..50 {
        assert_eq!(
            proxy.send(&[US, WRITE]).body,
            "busy",
            "it is not this region's"
        );
    }
    assert_eq!(proxy.send(&[EU, READ]).status, 200);
    let refused = (0..200)
        .map(|_| proxy.send(&[EU, WRITE]))
        .filter(|answer| answer.body != "busy")
        .inspect(|answer| {
            assert_eq!(answer.error(), (503, "REGION_UNAVAILABLE".to_owned()));
            assert!(answer.has("retry-after: 1"));
        })
        .count();
    assert!((20..200).contains(&refused), "{refused}");
    assert_eq!(primary.seen().len(), 200 - refused);
}

#[test]
fn answers_of_the_guard_stay_as_they_are() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    let proxy = Proxy::start(&envoy, WITHHOLDS, |_| {});
    // Nobody listens: what is withheld would have been Envoy's own answer.
    let answer = proxy.send(&[READ]);
    assert_eq!((answer.status, answer.body.as_str()), (503, "withheld"));
    let host = Host::start(OK);
    let proxy = Proxy::start(&envoy, WITHHOLDS, |options| {
        options.upstream = Upstream::plain([address(host.address)]);
    });
    assert_eq!(proxy.send(&[READ]).body, "withheld");
}

#[test]
fn a_host_that_says_it_is_not_well_is_asked_nothing_else() {
    let Some(envoy) = envoy::find() else {
        return;
    };
    for (answer, expected) in [(OK, 200), (BUSY, 503)] {
        let host = Host::start(answer);
        let proxy = Proxy::start(&envoy, NO_OP, |options| {
            options.upstream = Upstream::plain([address(host.address)]);
            options.backpressure.health_check = Some(HealthCheck::new("/health"));
        });
        let answer = proxy.send(&[WRITE]);
        assert_eq!(answer.status, expected);
        let seen = host.seen();
        let is_check = |head: &&String| head.starts_with("GET /health ");
        assert!(seen.iter().any(|head| is_check(&head)));
        let asked = seen.iter().filter(|head| !is_check(head)).count();
        assert_eq!(asked, usize::from(expected == 200));
    }
}
