//! What Envoy asks, within bounds.

use envoy_types::pb::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitRequest;

/// Longest request that is read, in bytes.
pub(super) const MAX_BYTES: usize = 64 * 1024;
/// Most descriptors of one request.
const MAX_DESCRIPTORS: usize = 8;
/// Longest tenant or class, in bytes.
const MAX_VALUE_BYTES: usize = 256;

/// What one descriptor asks.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Asked<'a> {
    pub(super) tenant: &'a str,
    pub(super) class: &'a str,
    /// At least 1.
    pub(super) cost: u32,
}

/// What all descriptors ask.
///
/// # Errors
/// Why a request is none of ours. It is refused rather than let through, so
/// that whoever configures proxies wrongly sees it in their statistics.
pub(super) fn read(request: &RateLimitRequest) -> Result<Vec<Asked<'_>>, &'static str> {
    match request.descriptors.len() {
        0 => Err("no descriptor"),
        1..=MAX_DESCRIPTORS => {
            let all = request.descriptors.iter();
            all.map(|one| asked(one, request.hits_addend)).collect()
        }
        _ => Err("more than 8 descriptors"),
    }
}

fn asked(descriptor: &RateLimitDescriptor, hits: u32) -> Result<Asked<'_>, &'static str> {
    let (mut tenant, mut class) = (None, None);
    for entry in &descriptor.entries {
        let place = match entry.key.as_str() {
            "tenant" => &mut tenant,
            "class" => &mut class,
            _ => return Err("an entry that is neither `tenant` nor `class`"),
        };
        if entry.value.is_empty() || entry.value.len() > MAX_VALUE_BYTES {
            return Err("a value that is empty or longer than 256 bytes");
        }
        if place.replace(entry.value.as_str()).is_some() {
            return Err("an entry twice");
        }
    }
    // Nobody fills a bucket but time.
    if descriptor.is_negative_hits {
        return Err("negative hits");
    }
    let cost = match &descriptor.hits_addend {
        Some(own) => u32::try_from(own.value).unwrap_or(u32::MAX),
        None => hits,
    };
    match (tenant, class) {
        (Some(tenant), Some(class)) => Ok(Asked {
            tenant,
            class,
            cost: cost.max(1),
        }),
        _ => Err("a descriptor without `tenant` and `class`"),
    }
}
