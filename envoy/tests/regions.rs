//! What a proxy knows of regions.

#![allow(clippy::unwrap_used, reason = "tests, helpers included")]

use std::collections::{BTreeMap, BTreeSet};

use ig_contract::snapshot::{Foreign, Region, Residency};
use ig_envoy::{Address, LocalRegion, RegionError, StaticOptions, Upstream, render};
use proptest::prelude::*;
use serde_json::Value;

fn options(region: LocalRegion) -> StaticOptions {
    let mut options = StaticOptions::new(
        Address::new("127.0.0.1", 10000),
        Address::new("127.0.0.1", 9901),
        Upstream::plain([]),
    );
    options.region = Some(region);
    options
}

fn hosts(addresses: &[&str]) -> BTreeSet<String> {
    addresses.iter().map(|host| (*host).to_owned()).collect()
}

/// Two regions.
fn residency() -> Residency {
    let region = |gateway, primary, replica| Region {
        gateways: hosts(&[gateway]),
        primary: hosts(&[primary]),
        replicas: hosts(&[replica]),
    };
    Residency {
        regions: BTreeMap::from([
            ("eu".into(), region("eu:1", "eu:2", "eu:3")),
            ("us".into(), region("us:1", "us:2", "us:3")),
        ]),
        default_region: None,
        foreign: Foreign::Forward,
    }
}

fn names(rendered: &Value) -> Vec<&str> {
    let clusters = rendered.pointer("/static_resources/clusters").unwrap();
    let clusters = clusters.as_array().unwrap().iter();
    clusters
        .map(|cluster| cluster["name"].as_str().unwrap())
        .collect()
}

fn manager(rendered: &Value) -> &Value {
    rendered
        .pointer("/static_resources/listeners/0/filter_chains/0/filters/0/typed_config")
        .unwrap()
}

/// Every address that is in a configuration.
fn connected(value: &Value, found: &mut BTreeSet<(String, u64)>) {
    if let Some(address) = value.get("socket_address") {
        let host = address["address"].as_str().unwrap().to_owned();
        found.insert((host, address["port_value"].as_u64().unwrap()));
    }
    match value {
        Value::Array(all) => all.iter().for_each(|one| connected(one, found)),
        Value::Object(all) => all.values().for_each(|one| connected(one, found)),
        _ => {}
    }
}

#[test]
fn what_is_forwarded_keeps_what_its_client_sent() {
    let rendered = render(&options(LocalRegion::of(&residency(), "eu").unwrap()));
    assert_eq!(
        names(&rendered),
        ["upstream-primary", "upstream-replica", "gateway-us"]
    );
    let config = &manager(&rendered)["route_config"];
    let removed = |value: &Value, name: &str| {
        let all = value["request_headers_to_remove"].as_array();
        all.is_some_and(|all| all.iter().any(|removed| removed == name))
    };
    assert!(removed(config, "x-ig-jwt-payload"));
    let routes = config.pointer("/virtual_hosts/0/routes").unwrap();
    for route in routes.as_array().unwrap() {
        let Some(cluster) = route.pointer("/route/cluster") else {
            continue;
        };
        assert_eq!(removed(route, "x-ig-step-up"), cluster != "gateway-us");
        for kept in ["authorization", "x-ig-purpose", "x-ig-authority"] {
            assert!(!removed(route, kept), "{cluster}");
        }
    }
}

#[test]
fn requests_for_no_region_are_answered() {
    let mut residency = residency();
    residency.foreign = Foreign::Reject;
    let rendered = render(&options(LocalRegion::of(&residency, "eu").unwrap()));
    assert_eq!(names(&rendered), ["upstream-primary", "upstream-replica"]);
    let routes = manager(&rendered).pointer("/route_config/virtual_hosts/0/routes");
    let last = routes.unwrap().as_array().unwrap().last().unwrap();
    let answer = &last["direct_response"];
    assert_eq!(answer["status"], 503);
    let body = answer.pointer("/body/inline_string").unwrap();
    let body: Value = serde_json::from_str(body.as_str().unwrap()).unwrap();
    let code = body.pointer("/errors/0/extensions/code").unwrap();
    assert_eq!(code, "REGION_UNAVAILABLE");
}

#[test]
fn what_envoy_answers_is_json() {
    let rendered = render(&options(LocalRegion::of(&residency(), "eu").unwrap()));
    let mappers = &manager(&rendered)["local_reply_config"]["mappers"];
    for mapper in mappers.as_array().unwrap() {
        let body = mapper.pointer("/body_format_override/text_format_source/inline_string");
        let body = body.unwrap().as_str().unwrap();
        assert!(!body.contains('%'), "Envoy would expand it: {body}");
        let body: Value = serde_json::from_str(body).unwrap();
        assert!(body.pointer("/errors/0/extensions/code").is_some());
    }
}

#[test]
fn what_cannot_be_is_refused() {
    let mut without = residency();
    without.regions.get_mut("eu").unwrap().primary.clear();
    let mut misspelt = residency();
    misspelt.regions.get_mut("us").unwrap().gateways = hosts(&["us"]);
    let mut shared = residency();
    shared.regions.get_mut("eu").unwrap().replicas = hosts(&["US.:2"]);
    let mut disguised = residency();
    disguised.regions.get_mut("us").unwrap().gateways = hosts(&["us:3"]);
    for (residency, region, said) in [
        (residency(), "mars", "there is eu, us"),
        (without, "eu", "has no primary"),
        (misspelt, "eu", "write `host:port`"),
        (shared, "eu", "of another region"),
        (disguised, "eu", "of another region"),
    ] {
        let error: RegionError = LocalRegion::of(&residency, region).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// Few hosts, so that regions often share some; two spellings of one address.
fn any_hosts() -> impl Strategy<Value = BTreeSet<String>> {
    let host = prop_oneof![
        (0..6_u8, 1..4_u16).prop_map(|(host, port)| format!("10.0.0.{host}:{port}")),
        Just("[::1]:1".to_owned()),
        Just("[0:0:0:0:0:0:0:1]:1".to_owned()),
        "[a-cA-C]:[12]",
    ];
    prop::collection::btree_set(host, 0..4)
}

fn any_residency() -> impl Strategy<Value = Residency> {
    let region = (any_hosts(), any_hosts(), any_hosts());
    let region = region.prop_map(|(gateways, primary, replicas)| Region {
        gateways,
        primary,
        replicas,
    });
    let regions = prop::collection::btree_map("[a-d]", region, 1..4);
    (regions, any::<bool>()).prop_map(|(regions, forwards)| Residency {
        regions,
        default_region: None,
        foreign: match forwards {
            true => Foreign::Forward,
            false => Foreign::Reject,
        },
    })
}

fn spelt(host: &str) -> String {
    match host.parse::<std::net::IpAddr>() {
        Ok(ip) => ip.to_string(),
        Err(_) => host.to_ascii_lowercase(),
    }
}

proptest! {
    #[test]
    fn no_host_of_another_region_is_in_a_configuration(residency in any_residency()) {
        for name in residency.regions.keys() {
            let Ok(region) = LocalRegion::of(&residency, name) else {
                continue;
            };
            let rendered = render(&options(region));
            let mut found = BTreeSet::new();
            connected(&rendered, &mut found);
            let found: BTreeSet<_> = found
                .into_iter()
                .map(|(host, port)| (spelt(&host), port))
                .collect();
            for (other, region) in residency.regions.iter().filter(|(other, _)| *other != name) {
                for host in region.primary.iter().chain(&region.replicas) {
                    let host: Address = host.parse().unwrap();
                    let host = (spelt(&host.host), u64::from(host.port));
                    prop_assert!(!found.contains(&host), "{name} knows {host:?} of {other}");
                }
            }
        }
    }
}
