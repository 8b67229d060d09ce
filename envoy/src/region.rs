//! The region that a proxy is in, and the hosts it may know of.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ig_contract::snapshot::{Foreign, Residency};

use crate::options::UpstreamTls;
use crate::{Address, InvalidAddress};

/// All regions, as one of them may know them: with its own hosts, and of others
/// their gateways only. What is not here cannot end up in a configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalRegion {
    /// Its name: `node.locality.region`, by which the guard knows it.
    pub name: String,
    /// Its hosts that write, at least one.
    pub primary: Vec<Address>,
    /// Its hosts that only read.
    pub replicas: Vec<Address>,
    /// Gateways by region; none where foreign requests are denied.
    pub gateways: BTreeMap<String, Vec<Address>>,
    /// TLS to the gateways, all of which have one name; none is plain text.
    pub gateway_tls: Option<UpstreamTls>,
}

/// No proxy can be configured for a region.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RegionError {
    /// There is none of the name.
    #[error("there is no region `{0}`; there is {1}")]
    Unknown(String, String),
    /// No host could write.
    #[error("the region `{0}` has no primary: give it one in the residency of the configuration")]
    NoPrimary(String),
    /// A host is not `host:port`.
    #[error("the region `{0}`: {1}")]
    Address(String, InvalidAddress),
    /// A host of another region's data would be connected to.
    #[error(
        "{0} is a primary or replica of another region, so no proxy of `{1}` may connect to it"
    )]
    Foreign(Address, String),
}

impl LocalRegion {
    /// The regions, seen from the one of the name.
    ///
    /// # Errors
    /// [`RegionError`] where the region is not there, cannot serve, or would
    /// connect to hosts of another one.
    pub fn of(residency: &Residency, name: &str) -> Result<Self, RegionError> {
        let own = residency.regions.get(name).ok_or_else(|| {
            let known: Vec<_> = residency.regions.keys().map(String::as_str).collect();
            RegionError::Unknown(name.into(), known.join(", "))
        })?;
        let primary = addresses(name, &own.primary)?;
        if primary.is_empty() {
            return Err(RegionError::NoPrimary(name.into()));
        }
        let replicas = addresses(name, &own.replicas)?;
        let mut gateways = BTreeMap::new();
        let mut foreign = BTreeSet::new();
        for (other, region) in residency.regions.iter().filter(|(other, _)| *other != name) {
            for hosts in [&region.primary, &region.replicas] {
                foreign.extend(addresses(other, hosts)?.iter().map(identity));
            }
            if residency.foreign == Foreign::Forward && !region.gateways.is_empty() {
                gateways.insert(other.clone(), addresses(other, &region.gateways)?);
            }
        }
        let connected = primary.iter().chain(&replicas);
        let mut connected = connected.chain(gateways.values().flatten());
        if let Some(address) = connected.find(|address| foreign.contains(&identity(address))) {
            return Err(RegionError::Foreign(address.clone(), name.into()));
        }
        Ok(Self {
            name: name.into(),
            primary,
            replicas,
            gateways,
            gateway_tls: None,
        })
    }
}

fn addresses(region: &str, hosts: &BTreeSet<String>) -> Result<Vec<Address>, RegionError> {
    let parse = |host: &String| {
        host.parse()
            .map_err(|error| RegionError::Address(region.into(), error))
    };
    hosts.iter().map(parse).collect()
}

/// What is the same for all spellings of one address.
fn identity(address: &Address) -> (String, u16) {
    let host = match address.host.parse::<IpAddr>() {
        Ok(ip) => ip.to_string(),
        Err(_) => address.host.trim_end_matches('.').to_ascii_lowercase(),
    };
    (host, address.port)
}
