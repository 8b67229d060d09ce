//! Where tenants' data lives, and which hosts are there.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// Regions, and what becomes of requests that belong to another one. A gateway
/// knows its own region by `node.locality.region`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Residency {
    /// Regions by name. A tenant's region that is not here cannot be served.
    pub regions: BTreeMap<String, Region>,
    /// Region of tenants that name none. Without it they are denied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_region: Option<String>,
    /// What becomes of a request whose tenant lives in another region.
    #[serde(default)]
    pub foreign: Foreign,
}

/// What becomes of a request whose tenant lives in another region.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Foreign {
    /// It is denied, and the caller told so.
    #[default]
    Reject,
    /// It goes to the region's gateway as it came, once.
    Forward,
}

/// Hosts of one region, each `host:port`. Where they are IP addresses, the guard
/// knows by them which region answered; else it believes the locality that
/// Envoy's endpoint has.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Region {
    /// Gateways that requests of other regions are forwarded to.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub gateways: BTreeSet<String>,
    /// Hosts that write, and read where there is no replica.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub primary: BTreeSet<String>,
    /// Hosts that only read.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub replicas: BTreeSet<String>,
}

/// Which hosts of its region an operation goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Route {
    /// Hosts that write.
    Primary,
    /// Hosts that read.
    Replica,
}

impl Route {
    /// As [`ROUTE`](crate::headers::ROUTE) has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
        }
    }
}
