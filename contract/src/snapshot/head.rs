//! The readable part of a snapshot: who may do what, in which mode, within
//! which limits. JSON inside the snapshot, so that it can be inspected.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{RateLimit, Residency, Subscriptions};
use crate::step_up::Acr;
use crate::{Mode, policy};

/// Everything the guard needs to know beside operations and policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Head {
    /// Name of the graph.
    pub graph: String,
    /// Tag of the schema the operations were compiled against.
    pub schema_tag: String,
    /// Revision of the policy bundle (its `.manifest`).
    pub policy_revision: String,
    /// The one path of the upstream that is GraphQL, e.g. `/graphql`. Every
    /// other path is denied: a second endpoint would be a second door.
    pub endpoint: String,
    /// Limits on requests.
    #[serde(default)]
    pub limits: Limits,
    /// Where identity comes from.
    #[serde(default)]
    pub identity: Identity,
    /// Mode of each guard.
    #[serde(default)]
    pub modes: Modes,
    /// Tenants by id. A tenant that is not here is denied.
    pub tenants: BTreeMap<String, Tenant>,
    /// Where texts come from that the snapshot does not embed.
    #[serde(default)]
    pub texts: Option<TextStore>,
    /// Where it is asked who a subject is and what it belongs to; without one,
    /// tokens say so themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directory: Option<Directory>,
    /// How proofs of presence are verified. Without it nothing that needs one is
    /// let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_up: Option<StepUp>,
    /// How much callers may ask for. Without it, anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_limit: Option<RateLimit>,
    /// Where tenants' data lives. Without it, every gateway serves everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residency: Option<Residency>,
    /// Whether WebSockets are let in. Without it, none is. Version 1 has no such
    /// member, and its modules refuse every upgrade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriptions: Option<Subscriptions>,
}

/// Limits on what a client sends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Limits {
    /// Longest request body, in bytes. Envoy's buffer limit must not be lower.
    pub max_body_bytes: u32,
    /// Deepest nesting of `variables` and `extensions`.
    pub max_depth: u16,
    /// Most JSON values (keys not counted) in one request.
    pub max_values: u32,
    /// Most operations in a batch; 0 turns batches off.
    pub max_batch: u16,
    /// Longest request target of a GET as sent to the upstream, in bytes.
    pub max_target_bytes: u32,
    /// Instructions one policy evaluation may execute.
    pub policy_instructions: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body_bytes: 64 * 1024,
            max_depth: 32,
            max_values: 10_000,
            max_batch: 0,
            max_target_bytes: 16 * 1024,
            policy_instructions: policy::DEFAULT_INSTRUCTION_LIMIT,
        }
    }
}

/// How identity is read from what Envoy's `jwt_authn` verified.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Identity {
    /// `payload_in_metadata` of the `jwt_authn` provider.
    pub metadata_key: String,
    /// Claim that names the tenant.
    pub tenant_claim: String,
    /// Claim that lists groups.
    pub groups_claim: String,
    /// Claim that lists purposes.
    pub purposes_claim: String,
    /// Claim that names the client (`azp`, `client_id`).
    pub client_claim: String,
}

impl Default for Identity {
    fn default() -> Self {
        Self {
            metadata_key: "ig".into(),
            tenant_claim: "tenant".into(),
            groups_claim: "groups".into(),
            purposes_claim: "purposes".into(),
            client_claim: "azp".into(),
        }
    }
}

/// Mode of each guard.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Modes {
    /// The allow-list and everything about the shape of requests.
    pub persisted_query: Mode,
    /// Identity, purpose and Rego.
    pub policy: Mode,
    /// Proofs of presence.
    #[serde(skip_serializing_if = "is_enforced")]
    pub step_up: Mode,
    /// Token buckets. In `shadow` they are emptied, and nobody is denied.
    #[serde(skip_serializing_if = "is_enforced")]
    pub rate_limit: Mode,
    /// Regions. In `shadow` every gateway serves everybody.
    #[serde(skip_serializing_if = "is_enforced")]
    pub residency: Mode,
}

/// Heads of earlier releases have no such mode.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_enforced(mode: &Mode) -> bool {
    *mode == Mode::Enforce
}

/// A tenant.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Tenant {
    /// Region the tenant's data lives in.
    pub region: Option<String>,
    /// Purposes that exist for this tenant; a token cannot add one.
    #[cfg_attr(feature = "openapi", schema(value_type = Vec<String>))]
    pub purposes: BTreeSet<String>,
    /// Purposes by group of the actor, beside those of the token.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(value_type = BTreeMap<String, Vec<String>>))]
    pub purposes_by_group: BTreeMap<String, BTreeSet<String>>,
    /// Issuers whose tokens may name this tenant, by URL, and how their subjects
    /// are linked to its users. With none, every trusted issuer's may.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub issuers: BTreeMap<String, Link>,
    /// Modes of this tenant, instead of the general ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modes: Option<Modes>,
    /// What it and each of its subjects may ask for, in percent of the limits of
    /// a class; 100 where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(minimum = 1, maximum = 10_000))]
    pub rate_percent: Option<u32>,
    /// Whose circuit breakers count for its requests.
    #[serde(skip_serializing_if = "Priority::is_default")]
    pub priority: Priority,
}

/// Most percent of a limit that somebody has.
pub const MAX_RATE_PERCENT: u32 = 10_000;

/// A class of tenants: each has its own circuit breakers at every upstream, so
/// that what one uses up the other still has.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Everybody who is not told apart.
    #[default]
    Default,
    /// Few, for whom room is kept.
    High,
}

impl Priority {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
    fn is_default(&self) -> bool {
        *self == Self::Default
    }

    /// As [`PRIORITY`](crate::headers::PRIORITY) has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::High => "high",
        }
    }
}

/// How a token's subject is linked to a user of the tenant: the value of a claim
/// is that of an attribute.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Link {
    /// Name of the claim.
    pub claim: String,
    /// The attribute of users that has its value.
    pub attribute: LinkAttribute,
}

/// Claims that are no link: whoever has the value today may be somebody else
/// tomorrow, and some issuers let users set it (OpenID Connect Core 1.0, 5.7).
const CHANGING_CLAIMS: [&str; 3] = ["email", "phone_number", "preferred_username"];

impl Link {
    /// Why subjects cannot be linked so; `None` where they can.
    pub fn problem(&self) -> Option<String> {
        let claim = self.claim.as_str();
        if claim.is_empty() || !claim.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some("is empty, or not visible ASCII".to_owned());
        }
        CHANGING_CLAIMS.contains(&claim).then(|| {
            format!(
                "`{claim}` is neither stable nor unique (OpenID Connect Core, 5.7), so it would \
                 link one person's token to another's user; use `sub`, or an id such as `oid`"
            )
        })
    }
}

impl Default for Link {
    fn default() -> Self {
        Self {
            claim: "sub".into(),
            attribute: LinkAttribute::default(),
        }
    }
}

/// An attribute of users, as SCIM calls it.
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LinkAttribute {
    /// `externalId`, which the tenant's own directory gives.
    #[default]
    ExternalId,
    /// `userName`
    UserName,
}

/// The control plane's directory of users and groups; [`crate::directory`] says
/// what is asked there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Directory {
    /// Envoy cluster of the control plane.
    pub cluster: String,
    /// `:authority` of the requests.
    pub authority: String,
    /// Path up to the name of what is asked; it starts and ends with `/`.
    #[serde(default = "Directory::default_path_prefix")]
    pub path_prefix: String,
    /// How long one answer may take, in milliseconds; that to a question about
    /// changes comes on top of the time it is asked to wait.
    #[serde(default = "Directory::default_timeout_ms")]
    pub timeout_ms: u32,
    /// How long facts are used before they are asked for again, in seconds.
    #[serde(default = "Directory::default_ttl_seconds")]
    pub ttl_seconds: u32,
    /// How long facts are used after the last answer of a control plane that
    /// cannot be reached, in seconds. Then everything is denied.
    #[serde(default = "Directory::default_max_stale_seconds")]
    pub max_stale_seconds: u32,
    /// Of how many subjects one worker keeps the facts.
    #[serde(default = "Directory::default_cache_entries")]
    pub cache_entries: u32,
}

impl Directory {
    /// `pathPrefix` where a head has none.
    pub fn default_path_prefix() -> String {
        "/directory/v1/".into()
    }

    /// `timeoutMs` where a head has none.
    pub const fn default_timeout_ms() -> u32 {
        1_000
    }

    /// `ttlSeconds` where a head has none.
    pub const fn default_ttl_seconds() -> u32 {
        300
    }

    /// `maxStaleSeconds` where a head has none.
    pub const fn default_max_stale_seconds() -> u32 {
        900
    }

    /// `cacheEntries` where a head has none.
    pub const fn default_cache_entries() -> u32 {
        10_000
    }
}

/// Proofs of presence: whose tokens count, and for what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepUp {
    /// `iss` of the tokens: the control plane.
    pub issuer: String,
    /// Keys that tokens may be signed with.
    pub keys: Vec<VerificationKey>,
    /// Actions for which a token counts once only. A `*` at the end stands for
    /// anything.
    #[serde(default = "StepUp::default_single_use")]
    pub single_use: BTreeSet<String>,
    /// How long after it was given a proof counts, in seconds.
    #[serde(default = "StepUp::default_max_age_seconds")]
    pub max_age_seconds: u32,
    /// The weakest proof that counts.
    #[serde(default = "StepUp::default_acr")]
    pub acr: Acr,
}

/// A public key (RFC 8037).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VerificationKey {
    /// `kid` of the tokens.
    pub kid: String,
    /// The Ed25519 point, base64url.
    pub x: String,
}

impl StepUp {
    /// `singleUse` where a head has none.
    pub fn default_single_use() -> BTreeSet<String> {
        ["export:*", "crossTenant:*"].map(Into::into).into()
    }

    /// `maxAgeSeconds` where a head has none.
    pub const fn default_max_age_seconds() -> u32 {
        120
    }

    /// `acr` where a head has none.
    pub const fn default_acr() -> Acr {
        Acr::PhishingResistant
    }

    /// Whether a token counts once only for an action.
    pub fn is_single_use(&self, action: &str) -> bool {
        let matches = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => action.starts_with(prefix),
            None => action == pattern,
        };
        self.single_use.iter().any(matches)
    }
}

/// A store of document texts, addressed by their SHA-256: a GET of
/// `{path_prefix}{hash}` answers 200 with the text. The guard believes the
/// hash, not the store.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TextStore {
    /// Envoy cluster of the store.
    pub cluster: String,
    /// `:authority` of the requests.
    pub authority: String,
    /// Path up to the hash, e.g. `/texts/`.
    pub path_prefix: String,
    /// How long one fetch may take, in milliseconds.
    pub timeout_ms: u32,
    /// How many bytes of texts one worker keeps.
    pub cache_bytes: u32,
}
