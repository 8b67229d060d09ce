//! Both kinds of buckets, side by side.

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitRequest;
use envoy_types::pb::google::protobuf::UInt64Value;
use ig_contract::snapshot::{OperationClass, Rate};
use ig_e2e::{Redis, redis_server};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use redis::Script;

use super::memory::Memory;
use super::request::{self, Asked};
use super::shared::{SCRIPT, call, verdict};
use super::{Charge, FleetCharge};

/// A Redis; where there is none it says so, and in CI that fails.
fn server() -> Option<Redis> {
    let found = redis_server();
    if let Err(missing) = found {
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("SKIPPED: {missing}");
        return None;
    }
    Some(Redis::start().unwrap())
}

/// Microseconds.
const SECOND: u64 = 1_000_000;
const START: u64 = 1_700_000_000 * SECOND;

const fn rate(cost: u32, seconds: u32, burst: u32) -> Rate {
    Rate {
        cost,
        seconds,
        burst,
    }
}

/// The script with a clock of the test, by which Redis forgets nothing.
fn script() -> Script {
    let (before, rest) = SCRIPT.split_once("local time =").unwrap();
    let (_, after) = rest.split_once("time[2]").unwrap();
    let (before_expiry, rest) = after.split_once(", 'PX'").unwrap();
    let (_, after_expiry) = rest.split_once("idle)").unwrap();
    let clock = "local now = tonumber(ARGV[#ARGV])";
    Script::new(&format!("{before}{clock}{before_expiry}{after_expiry}"))
}

/// One request: how far the clock goes, and bucket, limit, percent and cost of
/// each charge.
type Step = (i64, Vec<(u8, usize, u32, u32)>);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let tick = prop_oneof![
        8 => 0_i64..50_000,
        2 => 0_i64..5_000_000,
        1 => -3_000_000_i64..0,
        1 => -100_000_000_000_i64..100_000_000_000,
    ];
    let charge = (0_u8..4, 0_usize..6, 1_u32..300, 1_u32..12);
    vec((tick, vec(charge, 1..4)), 1..60)
}

#[test]
fn memory_and_redis_agree_step_by_step() {
    let Some(server) = server() else { return };
    let client = redis::Client::open(server.url()).unwrap();
    let connection = std::cell::RefCell::new(client.get_connection().unwrap());
    let script = script();
    let limits = [
        vec![rate(10, 1, 20)],
        vec![rate(3, 1, 12), rate(100, 60, 30)],
        vec![rate(1, 60, 12)],
        vec![rate(7, 13, 40), rate(1, 1, 15)],
        vec![rate(1_000_000, 1, 12)],
        vec![rate(1, 604_800, 1_000_000_000)],
    ];
    let refused = std::cell::Cell::new(0);
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::with_cases(128)
    });
    let agree = |steps: Vec<Step>| {
        let mut connection = connection.borrow_mut();
        redis::cmd("FLUSHALL").exec(&mut connection).unwrap();
        let (memory, mut now) = (Memory::new(), START);
        for (tick, mut of) in steps {
            now = now.saturating_add_signed(tick);
            of.sort_by_key(|one| one.0);
            of.dedup_by_key(|one| one.0);
            let charges = of.iter().filter_map(|(bucket, limit, percent, cost)| {
                let class = OperationClass::Query;
                let charge = FleetCharge::new(class, &limits[*limit], *percent, *cost).ok()?;
                let key = format!("ig:rl:{{demo}}:{bucket}:query");
                Some(Charge { key, charge })
            });
            let charges: Vec<_> = charges.collect();
            let mut call = call(&script, &charges);
            let answer = call.arg(now).invoke(&mut connection).unwrap();
            let by_redis = verdict(&charges, answer).unwrap();
            let by_memory = memory.take_at(&charges, now);
            refused.set(refused.get() + u32::from(by_memory.is_err()));
            prop_assert_eq!(by_redis, by_memory, "at {}", now);
        }
        Ok(())
    };
    runner.run(&steps(), agree).unwrap();
    assert!(
        refused.get() > 100,
        "{} refusals are no test",
        refused.get()
    );
}

#[test]
fn idle_buckets_vanish() {
    let charges = |names: std::ops::Range<u32>| {
        let class = OperationClass::Query;
        let charge = FleetCharge::new(class, &[rate(1, 2, 10)], 100, 5).unwrap();
        let charges = names.map(|name| Charge {
            key: name.to_string(),
            charge: charge.clone(),
        });
        charges.collect::<Vec<_>>()
    };
    let memory = Memory::new();
    for name in 0..1_000 {
        memory.take_at(&charges(name..name + 1), 0).unwrap();
    }
    assert_eq!(memory.len(), 1_000);
    memory.take_at(&charges(1_000..1_100), 20 * SECOND).unwrap();
    assert!(memory.len() <= 1_100);
    memory.take_at(&charges(2_000..5_000), 40 * SECOND).unwrap();
    assert_eq!(memory.len(), 3_000);

    let Some(server) = server() else { return };
    let client = redis::Client::open(server.url()).unwrap();
    let charges = charges(0..1);
    let script = Script::new(SCRIPT);
    let taken = call(&script, &charges).invoke(&mut client.get_connection().unwrap());
    assert_eq!(verdict(&charges, taken.unwrap()), Some(Ok(())));
    let left = server.say("PTTL 0").unwrap();
    let left: u64 = left.strip_prefix(':').unwrap().parse().unwrap();
    assert!((9_000..=10_001).contains(&left), "{left}");
}

#[test]
fn an_answer_of_nothing_that_was_asked_is_none() {
    let class = OperationClass::Query;
    let charges = [Charge {
        key: "a".into(),
        charge: FleetCharge::new(class, &[rate(1, 1, 1)], 100, 1).unwrap(),
    }];
    for answer in [
        &[0, 1, 1][..],
        &[2, 1, 1],
        &[1, 0, 1],
        &[1, 2, 1],
        &[1],
        &[1, 1, 1, 1],
    ] {
        assert_eq!(verdict(&charges, answer.to_vec()), None, "{answer:?}");
    }
    assert!(matches!(
        verdict(&charges, vec![1, 1, u64::MAX]),
        Some(Err(_))
    ));
}

fn descriptor(entries: &[(&str, &str)]) -> RateLimitDescriptor {
    let entries = entries.iter().map(|(key, value)| Entry {
        key: (*key).to_owned(),
        value: (*value).to_owned(),
    });
    RateLimitDescriptor {
        entries: entries.collect(),
        ..RateLimitDescriptor::default()
    }
}

#[test]
fn only_what_proxies_are_configured_to_ask_is_read() {
    let good = || descriptor(&[("tenant", "alpha"), ("class", "query")]);
    let request = |descriptors: Vec<RateLimitDescriptor>, hits_addend| RateLimitRequest {
        domain: "ig.guard.demo".into(),
        descriptors,
        hits_addend,
    };
    let long = "x".repeat(257);
    let wrong = [
        vec![],
        vec![good(); 9],
        vec![descriptor(&[])],
        vec![descriptor(&[("tenant", "alpha")])],
        vec![descriptor(&[("tenant", "alpha"), ("class", "")])],
        vec![descriptor(&[("tenant", &long), ("class", "query")])],
        vec![descriptor(&[
            ("tenant", "a"),
            ("tenant", "b"),
            ("class", "query"),
        ])],
        vec![descriptor(&[
            ("tenant", "a"),
            ("class", "query"),
            ("path", "/"),
        ])],
        vec![
            good(),
            RateLimitDescriptor {
                is_negative_hits: true,
                ..good()
            },
        ],
    ];
    for descriptors in wrong {
        let request = request(descriptors, 1);
        assert!(request::read(&request).is_err(), "{request:?}");
    }
    // (of the request, of the descriptor, cost)
    let costs = [
        (0, None, 1),
        (7, None, 7),
        (7, Some(3), 3),
        (7, Some(0), 1),
        (7, Some(u64::MAX), u32::MAX),
    ];
    for (hits, own, cost) in costs {
        let descriptor = RateLimitDescriptor {
            hits_addend: own.map(|value| UInt64Value { value }),
            ..good()
        };
        let request = request(vec![descriptor], hits);
        let asked = Asked {
            tenant: "alpha",
            class: "query",
            cost,
        };
        assert_eq!(request::read(&request), Ok(vec![asked]));
    }
}
