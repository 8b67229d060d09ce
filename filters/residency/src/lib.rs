//! Keeps requests in the region of their tenant, and says when an answer came
//! from elsewhere.
//!
//! Pure: the caller brings the gateway's region, and what the host says of the
//! upstream that answered.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

use std::collections::HashMap;
use std::net::SocketAddr;

use ig_contract::decision::BREACH_RULE;
use ig_contract::snapshot::{Foreign, Residency as Settings};
use ig_contract::{Deny, DenyCode};

/// The regions, seen from one of them.
#[derive(Debug)]
pub struct Residency {
    here: Option<String>,
    settings: Settings,
    /// Regions by address of a host, as Envoy spells it, and what it is there.
    hosts: HashMap<String, (String, Role)>,
}

/// What a host is in its region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// It decides, for requests that others forward.
    Gateway,
    /// It writes.
    Primary,
    /// It reads.
    Replica,
}

impl Role {
    /// Whether a host may answer what is for another.
    fn may_answer_for(self, wanted: Self) -> bool {
        self == wanted || (self, wanted) == (Self::Primary, Self::Replica)
    }
}

/// Where a request is to be served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place<'a> {
    /// Here, in this region.
    Here(&'a str),
    /// By the gateway of this region.
    Forward(&'a str),
}

impl<'a> Place<'a> {
    /// The region.
    pub fn region(self) -> &'a str {
        match self {
            Self::Here(region) | Self::Forward(region) => region,
        }
    }
}

const NOWHERE: Deny = Deny::new(
    DenyCode::GuardUnavailable,
    "region-of-gateway",
    "The gateway does not know its region, so it can serve nobody.",
);
/// Nobody knows where the tenant lives.
pub const UNTAGGED: Deny = Deny::new(
    DenyCode::RegionMisdirected,
    "region-untagged",
    "It is not known where your tenant lives, so no gateway may serve it.",
);
const UNKNOWN: Deny = Deny::new(
    DenyCode::RegionUnavailable,
    "region-unknown",
    "Your tenant's region is not one that is served.",
);
/// The tenant lives elsewhere.
pub const FOREIGN: Deny = Deny::new(
    DenyCode::RegionMisdirected,
    "region-foreign",
    "Your tenant lives in another region; use that region's gateway.",
);
const LOOP: Deny = Deny::new(
    DenyCode::RegionMisdirected,
    "region-loop",
    "The request was forwarded here, and your tenant lives in another region still.",
);
const NO_GATEWAY: Deny = Deny::new(
    DenyCode::RegionUnavailable,
    "region-gateway",
    "Your tenant's region has no gateway that requests could be forwarded to.",
);

/// An answer came from another region than the request was for.
pub const BREACH: Deny = Deny::new(
    DenyCode::RegionUnavailable,
    BREACH_RULE,
    "The answer came from a host outside your tenant's region, and was withheld.",
);

impl Residency {
    /// Regions, seen from `here`: what the gateway says of itself.
    pub fn new(settings: &Settings, here: Option<&str>) -> Self {
        let mut hosts = HashMap::new();
        for (name, region) in &settings.regions {
            let all = [
                (Role::Gateway, &region.gateways),
                (Role::Primary, &region.primary),
                (Role::Replica, &region.replicas),
            ];
            for (role, addresses) in all {
                for address in addresses.iter().filter_map(|one| socket(one)) {
                    hosts.insert(address.to_string(), (name.clone(), role));
                }
            }
        }
        Self {
            here: here.filter(|here| !here.is_empty()).map(Into::into),
            settings: settings.clone(),
            hosts,
        }
    }

    /// Where a request of a tenant is to be served.
    ///
    /// # Errors
    /// A deny, where it may not be served by this gateway, nor forwarded.
    pub fn place<'a>(
        &'a self,
        tenant: Option<&'a str>,
        is_forwarded: bool,
    ) -> Result<Place<'a>, Deny> {
        let here = self.here.as_deref().ok_or(NOWHERE)?;
        let default = self.settings.default_region.as_deref();
        let region = tenant.or(default).ok_or(UNTAGGED)?;
        let hosts = self.settings.regions.get(region).ok_or(UNKNOWN)?;
        match self.settings.foreign {
            _ if region == here => Ok(Place::Here(region)),
            Foreign::Reject => Err(FOREIGN),
            Foreign::Forward if is_forwarded => Err(LOOP),
            Foreign::Forward if hosts.gateways.is_empty() => Err(NO_GATEWAY),
            Foreign::Forward => Ok(Place::Forward(region)),
        }
    }

    /// The gateway's own region.
    pub fn here(&self) -> Option<&str> {
        self.here.as_deref()
    }

    /// Whether a host of `region` answered that may. `address` is the host's, as
    /// Envoy spells it; `locality` is the region that Envoy's endpoint has, asked
    /// for where the region has hosts that are known by name only.
    pub fn is_of(
        &self,
        region: &str,
        wanted: Role,
        address: &[u8],
        locality: impl FnOnce() -> Option<Vec<u8>>,
    ) -> bool {
        let known = std::str::from_utf8(address).ok();
        match known.and_then(|address| self.hosts.get(address)) {
            Some((known, role)) => known == region && role.may_answer_for(wanted),
            // Who configured Envoy labels endpoints too, so a label says little.
            None if self.is_closed(region) => false,
            None => locality().is_some_and(|locality| locality == region.as_bytes()),
        }
    }

    /// Whether every host of a region is known by its address.
    fn is_closed(&self, region: &str) -> bool {
        self.settings.regions.get(region).is_some_and(|region| {
            let services = region.primary.iter().chain(&region.replicas);
            let mut all = services.chain(&region.gateways).peekable();
            all.peek().is_some() && all.all(|one| socket(one).is_some())
        })
    }
}

fn socket(address: &str) -> Option<SocketAddr> {
    address.parse().ok()
}

#[cfg(test)]
mod tests;
