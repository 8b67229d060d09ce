//! The directory of users and groups, and how tokens are linked to it.

use std::collections::BTreeMap;

use ig_contract::snapshot::{Directory, Link, LinkAttribute};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawDirectory {
    cluster: String,
    authority: String,
    #[serde(default = "Directory::default_path_prefix")]
    path_prefix: String,
    #[serde(default = "Directory::default_timeout_ms")]
    timeout_ms: u32,
    #[serde(default = "Directory::default_ttl_seconds")]
    ttl_seconds: u32,
    #[serde(default = "Directory::default_max_stale_seconds")]
    max_stale_seconds: u32,
    #[serde(default = "Directory::default_cache_entries")]
    cache_entries: u32,
}

impl From<RawDirectory> for Directory {
    fn from(raw: RawDirectory) -> Self {
        Self {
            cluster: raw.cluster,
            authority: raw.authority,
            path_prefix: raw.path_prefix,
            timeout_ms: raw.timeout_ms,
            ttl_seconds: raw.ttl_seconds,
            max_stale_seconds: raw.max_stale_seconds,
            cache_entries: raw.cache_entries,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct RawLink {
    claim: Option<String>,
    attribute: Option<RawAttribute>,
}

/// The other spellings are those of SCIM and of the control plane's API.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawAttribute {
    #[serde(alias = "externalId")]
    ExternalId,
    #[serde(alias = "userName")]
    UserName,
}

impl From<RawLink> for Link {
    fn from(raw: RawLink) -> Self {
        let base = Self::default();
        Self {
            claim: raw.claim.unwrap_or(base.claim),
            attribute: match raw.attribute {
                Some(RawAttribute::ExternalId) => LinkAttribute::ExternalId,
                Some(RawAttribute::UserName) => LinkAttribute::UserName,
                None => base.attribute,
            },
        }
    }
}

pub(super) fn links(raw: BTreeMap<String, RawLink>) -> BTreeMap<String, Link> {
    let links = raw.into_iter();
    links.map(|(issuer, link)| (issuer, link.into())).collect()
}
