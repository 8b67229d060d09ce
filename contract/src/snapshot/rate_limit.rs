//! How much callers may ask for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Operation, OperationKind};

/// Limits by class of operations. What has no entry is not limited.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimit {
    /// Limits by class.
    pub classes: BTreeMap<OperationClass, ClassLimits>,
    /// Shares of clients, in percent of what a subject may ask for; 100 where a
    /// client is not here.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub clients: BTreeMap<String, u32>,
    /// Buckets that one Envoy has room for. A bucket that is full takes none.
    #[serde(default = "RateLimit::default_slots")]
    pub slots: u32,
}

impl RateLimit {
    /// `slots` where a head has none: some nine megabytes when all are used.
    pub const fn default_slots() -> u32 {
        65_536
    }

    /// Whether anything is limited for the whole fleet.
    pub fn is_global(&self) -> bool {
        self.classes.values().any(|class| !class.fleet.is_empty())
    }
}

/// A class of operations. An operation has one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OperationClass {
    /// Queries.
    Query,
    /// Mutations.
    Mutation,
    /// Subscriptions.
    Subscription,
    /// What takes data out or reaches across tenants, of whichever kind.
    Sensitive,
}

impl OperationClass {
    /// Every class.
    pub const ALL: [Self; 4] = [
        Self::Query,
        Self::Mutation,
        Self::Subscription,
        Self::Sensitive,
    ];

    /// As it is spelt in configurations and headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Mutation => "mutation",
            Self::Subscription => "subscription",
            Self::Sensitive => "sensitive",
        }
    }
}

impl Operation {
    /// Its class.
    pub fn class(&self) -> OperationClass {
        match self.kind {
            _ if self.is_sensitive() => OperationClass::Sensitive,
            OperationKind::Query => OperationClass::Query,
            OperationKind::Mutation => OperationClass::Mutation,
            OperationKind::Subscription => OperationClass::Subscription,
        }
    }
}

/// Limits of one class. Each list holds at once: one rate bounds bursts, and
/// another what may be asked for in the long run.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ClassLimits {
    /// Of each subject of a tenant, at one Envoy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub subject: Vec<Rate>,
    /// Of each tenant, at one Envoy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tenant: Vec<Rate>,
    /// Of each tenant, at all Envoys that ask one control plane.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fleet: Vec<Rate>,
}

/// Most rates in one list.
pub const MAX_RATES: usize = 2;

/// A token bucket: it holds `burst`, and is filled by `cost` in `seconds`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rate {
    /// Cost that may be spent in the time, by the operations' records.
    pub cost: u32,
    /// The time, in seconds.
    pub seconds: u32,
    /// Cost that may be spent at once.
    pub burst: u32,
}
