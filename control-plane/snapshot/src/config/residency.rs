//! Regions and their hosts.

use std::collections::{BTreeMap, BTreeSet};

use ig_contract::snapshot::{Foreign, Head, Region, Residency};
use serde::Deserialize;

use super::check::{NAME, is_name};
use crate::Problems;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawResidency {
    regions: BTreeMap<String, RawRegion>,
    default_region: Option<String>,
    #[serde(default)]
    foreign: Foreign,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawRegion {
    #[serde(default)]
    gateways: BTreeSet<String>,
    #[serde(default)]
    primary: BTreeSet<String>,
    #[serde(default)]
    replicas: BTreeSet<String>,
}

impl From<RawResidency> for Residency {
    fn from(raw: RawResidency) -> Self {
        let regions = raw.regions.into_iter();
        Self {
            regions: regions.map(|(name, raw)| (name, raw.into())).collect(),
            default_region: raw.default_region,
            foreign: raw.foreign,
        }
    }
}

impl From<RawRegion> for Region {
    fn from(raw: RawRegion) -> Self {
        Self {
            gateways: raw.gateways,
            primary: raw.primary,
            replicas: raw.replicas,
        }
    }
}

pub(super) fn check(head: &Head, residency: &Residency, problems: &mut Problems) {
    let regions = &residency.regions;
    problems.check(
        !regions.is_empty(),
        "residency.regions",
        "there is none, so nobody would be served; add `[residency.regions.NAME]`",
    );
    if let Some(region) = &residency.default_region {
        let message = format!("`{region}` is not among the regions");
        problems.check(
            regions.contains_key(region),
            "residency.default-region",
            message,
        );
    }
    for (id, tenant) in &head.tenants {
        let path = format!("tenants.{id}.region");
        match &tenant.region {
            Some(region) => {
                let message = format!("`{region}` is not among `residency.regions`");
                problems.check(regions.contains_key(region), path, message);
            }
            None => problems.check(
                residency.default_region.is_some(),
                path,
                "the tenant has no region, and there is no `residency.default-region`, so it would \
                 be denied everywhere",
            ),
        }
    }
    let mut hosts = BTreeMap::new();
    for (name, region) in regions {
        let path = format!("residency.regions.{name}");
        problems.check(is_name(name), &path, NAME);
        let lists = [
            ("gateways", &region.gateways),
            ("primary", &region.primary),
            ("replicas", &region.replicas),
        ];
        for (list, addresses) in lists {
            for address in addresses {
                let path = format!("{path}.{list}");
                let message = format!("`{address}` is not `host:port`");
                problems.check(is_address(address), &path, message);
                // The guard tells regions, and Envoy reads from writes, by it.
                if let Some(other) = hosts.insert(identity(address), path.clone()) {
                    problems.add(path, format!("`{address}` is at {other} already"));
                }
            }
        }
    }
}

/// An address as one writes it that writes it one way.
fn identity(address: &str) -> String {
    match address.parse::<std::net::SocketAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => address.to_ascii_lowercase(),
    }
}

fn is_address(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let is_v6 = |host: &str| host.parse::<std::net::Ipv6Addr>().is_ok();
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']').is_some_and(is_v6),
        None => {
            let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
            !host.is_empty() && host.bytes().all(is_allowed)
        }
    };
    host && port.parse::<std::num::NonZeroU16>().is_ok()
}
