//! The configuration file, `guard.toml`.

mod check;
mod directory;
mod rate_limit;
mod residency;
mod step_up;
mod subscriptions;

use std::collections::{BTreeMap, BTreeSet};

use ig_contract::Mode;
use ig_contract::snapshot::{Head, Identity, Limits, Modes, Priority, Tenant, TextStore};
use serde::Deserialize;

use self::directory::{RawDirectory, RawLink};
use self::rate_limit::RawRateLimit;
use self::residency::RawResidency;
use self::step_up::RawStepUp;
pub use self::step_up::remarks;
use self::subscriptions::RawSubscriptions;
use crate::Problems;

/// Version of the file's format.
pub const CONFIG_VERSION: i64 = 1;

/// A checked configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Config {
    /// The head, without what the policy bundle says.
    head: Head,
    /// Where texts of documents go.
    pub texts: Texts,
}

/// Where texts of documents go.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Texts {
    /// Into the snapshot.
    #[default]
    Embedded,
    /// Into a store that the guard asks.
    Store(TextStore),
}

impl Config {
    /// Tenants by id.
    pub fn tenants(&self) -> &BTreeMap<String, ig_contract::snapshot::Tenant> {
        &self.head.tenants
    }

    /// Reads a configuration.
    ///
    /// # Errors
    /// [`Problems`]: everything that is wrong, except that the first syntax
    /// error or wrong type hides what comes behind it.
    pub fn parse(toml: &str) -> Result<Self, Problems> {
        let mut problems = Problems::none();
        let unknown = |path: serde_ignored::Path<'_>| {
            // `?` stands for the inside of an `Option`.
            problems.add(path.to_string().replace(".?", ""), "unknown key");
        };
        let raw: Result<Raw, _> = toml::Deserializer::parse(toml)
            .and_then(|deserializer| serde_ignored::deserialize(deserializer, unknown));
        match raw {
            Ok(raw) => {
                let config = raw.check(&mut problems);
                problems.or(config)
            }
            Err(error) => {
                problems.add("", error.to_string().trim_end());
                Err(problems)
            }
        }
    }

    /// The head of a snapshot with a bundle of `policy_revision`.
    pub fn head(&self, policy_revision: &str) -> Head {
        let texts = match &self.texts {
            Texts::Embedded => None,
            Texts::Store(store) => Some(store.clone()),
        };
        Head {
            policy_revision: policy_revision.to_owned(),
            texts,
            ..self.head.clone()
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Raw {
    version: i64,
    graph: String,
    schema_tag: String,
    endpoint: String,
    #[serde(default)]
    texts: RawTexts,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    identity: RawIdentity,
    #[serde(default)]
    modes: RawModes,
    #[serde(default)]
    tenants: BTreeMap<String, RawTenant>,
    directory: Option<RawDirectory>,
    step_up: Option<RawStepUp>,
    rate_limit: Option<RawRateLimit>,
    residency: Option<RawResidency>,
    subscriptions: Option<RawSubscriptions>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
enum RawTexts {
    #[default]
    Embedded,
    Store(RawStore),
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawStore {
    cluster: String,
    authority: String,
    path_prefix: String,
    #[serde(default = "default_timeout_ms")]
    timeout_ms: u32,
    #[serde(default = "default_cache_bytes")]
    cache_bytes: u32,
}

fn default_timeout_ms() -> u32 {
    1_000
}

fn default_cache_bytes() -> u32 {
    8 * 1024 * 1024
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct RawLimits {
    max_body_bytes: Option<u32>,
    max_depth: Option<u16>,
    max_values: Option<u32>,
    max_batch: Option<u16>,
    max_target_bytes: Option<u32>,
    policy_instructions: Option<u32>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
struct RawIdentity {
    metadata_key: Option<String>,
    tenant_claim: Option<String>,
    groups_claim: Option<String>,
    purposes_claim: Option<String>,
    client_claim: Option<String>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
struct RawModes {
    persisted_query: Option<Mode>,
    policy: Option<Mode>,
    step_up: Option<Mode>,
    rate_limit: Option<Mode>,
    residency: Option<Mode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawTenant {
    region: Option<String>,
    #[serde(default)]
    purposes: BTreeSet<String>,
    #[serde(default)]
    purposes_by_group: BTreeMap<String, BTreeSet<String>>,
    #[serde(default)]
    issuers: BTreeMap<String, RawLink>,
    modes: Option<RawModes>,
    rate_percent: Option<u32>,
    #[serde(default)]
    priority: Priority,
}

impl Raw {
    fn check(self, problems: &mut Problems) -> Config {
        let modes = self.modes.over(Modes::default());
        let tenants = self
            .tenants
            .into_iter()
            .map(|(id, tenant)| (id, tenant.over(modes)));
        let texts = match self.texts {
            RawTexts::Embedded => Texts::Embedded,
            RawTexts::Store(store) => Texts::Store(store.into()),
        };
        let head = Head {
            graph: self.graph,
            schema_tag: self.schema_tag,
            policy_revision: String::new(),
            endpoint: self.endpoint,
            limits: self.limits.over(Limits::default()),
            identity: self.identity.over(Identity::default()),
            modes,
            tenants: tenants.collect(),
            texts: None,
            directory: self.directory.map(Into::into),
            step_up: self.step_up.map(Into::into),
            rate_limit: self.rate_limit.map(Into::into),
            residency: self.residency.map(Into::into),
            subscriptions: self.subscriptions.map(Into::into),
        };
        check::version(self.version, problems);
        check::head(&head, problems);
        if let Texts::Store(store) = &texts {
            check::store(store, problems);
        }
        Config { head, texts }
    }
}

impl From<RawStore> for TextStore {
    fn from(raw: RawStore) -> Self {
        Self {
            cluster: raw.cluster,
            authority: raw.authority,
            path_prefix: raw.path_prefix,
            timeout_ms: raw.timeout_ms,
            cache_bytes: raw.cache_bytes,
        }
    }
}

impl RawLimits {
    fn over(self, base: Limits) -> Limits {
        Limits {
            max_body_bytes: self.max_body_bytes.unwrap_or(base.max_body_bytes),
            max_depth: self.max_depth.unwrap_or(base.max_depth),
            max_values: self.max_values.unwrap_or(base.max_values),
            max_batch: self.max_batch.unwrap_or(base.max_batch),
            max_target_bytes: self.max_target_bytes.unwrap_or(base.max_target_bytes),
            policy_instructions: self.policy_instructions.unwrap_or(base.policy_instructions),
        }
    }
}

impl RawIdentity {
    fn over(self, base: Identity) -> Identity {
        Identity {
            metadata_key: self.metadata_key.unwrap_or(base.metadata_key),
            tenant_claim: self.tenant_claim.unwrap_or(base.tenant_claim),
            groups_claim: self.groups_claim.unwrap_or(base.groups_claim),
            purposes_claim: self.purposes_claim.unwrap_or(base.purposes_claim),
            client_claim: self.client_claim.unwrap_or(base.client_claim),
        }
    }
}

impl RawModes {
    fn over(self, base: Modes) -> Modes {
        Modes {
            persisted_query: self.persisted_query.unwrap_or(base.persisted_query),
            policy: self.policy.unwrap_or(base.policy),
            step_up: self.step_up.unwrap_or(base.step_up),
            rate_limit: self.rate_limit.unwrap_or(base.rate_limit),
            residency: self.residency.unwrap_or(base.residency),
        }
    }
}

impl RawTenant {
    /// A mode that a tenant leaves out is the general one.
    fn over(self, modes: Modes) -> Tenant {
        Tenant {
            region: self.region,
            purposes: self.purposes,
            purposes_by_group: self.purposes_by_group,
            issuers: directory::links(self.issuers),
            modes: self.modes.map(|own| own.over(modes)),
            rate_percent: self.rate_percent,
            priority: self.priority,
        }
    }
}

#[cfg(test)]
mod tests;
