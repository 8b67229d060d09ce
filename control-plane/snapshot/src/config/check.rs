//! What a configuration has to hold.

use ig_contract::snapshot::{
    Directory, Head, Identity, Limits, MAX_RATE_PERCENT, StepUp, Tenant, TextStore,
};

use super::{CONFIG_VERSION, rate_limit, residency, subscriptions};
use crate::Problems;

pub(super) fn version(found: i64, problems: &mut Problems) {
    let message = format!("this build reads version {CONFIG_VERSION}, the file says {found}");
    problems.check(found == CONFIG_VERSION, "version", message);
}

pub(super) fn head(head: &Head, problems: &mut Problems) {
    for (path, name) in [("graph", &head.graph), ("schema-tag", &head.schema_tag)] {
        problems.check(is_name(name), path, NAME);
    }
    problems.check(
        is_path(&head.endpoint),
        "endpoint",
        "is the path of the GraphQL endpoint: it starts with `/`, and has no query, no empty or \
         dotted segment and nothing percent-encoded",
    );
    limits(&head.limits, problems);
    identity(&head.identity, problems);
    problems.check(
        !head.tenants.is_empty(),
        "tenants",
        "there is none, so every request would be denied; add `[tenants.NAME]`",
    );
    for (id, one) in &head.tenants {
        tenant(id, one, problems);
    }
    if let Some(one) = &head.directory {
        directory(one, problems);
    }
    if let Some(one) = &head.residency {
        residency::check(head, one, problems);
    }
    if let Some(one) = &head.rate_limit {
        rate_limit::check(one, problems);
    }
    if let Some(one) = &head.subscriptions {
        subscriptions::check(one, problems);
    }
    if let Some(one) = &head.step_up {
        step_up(one, problems);
        problems.check(
            head.directory.is_some(),
            "step-up",
            "needs a `[directory]`: the control plane says which tokens were used, and whose ended",
        );
    }
}

fn limits(limits: &Limits, problems: &mut Problems) {
    const MIB: u32 = 1024 * 1024;
    let ranges = [
        ("max-body-bytes", limits.max_body_bytes, 1, 64 * MIB),
        // Behind this, JSON parsers refuse too.
        ("max-depth", limits.max_depth.into(), 1, 120),
        ("max-values", limits.max_values, 1, 10_000_000),
        ("max-batch", limits.max_batch.into(), 0, 1_000),
        ("max-target-bytes", limits.max_target_bytes, 64, MIB),
        (
            "policy-instructions",
            limits.policy_instructions,
            100,
            10_000_000,
        ),
    ];
    for (key, value, least, most) in ranges {
        problems.range(format!("limits.{key}"), value, least, most);
    }
}

fn identity(identity: &Identity, problems: &mut Problems) {
    let names = [
        ("metadata-key", &identity.metadata_key),
        ("tenant-claim", &identity.tenant_claim),
        ("groups-claim", &identity.groups_claim),
        ("purposes-claim", &identity.purposes_claim),
        ("client-claim", &identity.client_claim),
    ];
    for (key, name) in names {
        problems.check(is_visible(name), format!("identity.{key}"), CLAIM);
    }
}

fn tenant(id: &str, tenant: &Tenant, problems: &mut Problems) {
    let path = format!("tenants.{id}");
    problems.check(is_name(id), &path, NAME);
    if let Some(region) = &tenant.region {
        problems.check(is_name(region), format!("{path}.region"), NAME);
    }
    let percent = tenant.rate_percent.unwrap_or(100);
    problems.range(format!("{path}.rate-percent"), percent, 1, MAX_RATE_PERCENT);
    for purpose in &tenant.purposes {
        let message = format!("`{purpose}` is not a purpose: {PURPOSE}");
        problems.check(is_purpose(purpose), format!("{path}.purposes"), message);
    }
    for (group, purposes) in &tenant.purposes_by_group {
        for purpose in purposes.difference(&tenant.purposes) {
            problems.add(
                format!("{path}.purposes-by-group.{group}"),
                format!("`{purpose}` is not among the tenant's purposes"),
            );
        }
    }
    for (issuer, link) in &tenant.issuers {
        let path = format!("{path}.issuers.{issuer}");
        problems.check(is_url(issuer), &path, "is not an http or https URL");
        if let Some(problem) = link.problem() {
            problems.add(format!("{path}.claim"), problem);
        }
    }
}

fn directory(directory: &Directory, problems: &mut Problems) {
    let path = |key| format!("directory.{key}");
    problems.check(is_name(&directory.cluster), path("cluster"), NAME);
    problems.check(
        is_visible(&directory.authority),
        path("authority"),
        AUTHORITY,
    );
    let prefix = &directory.path_prefix;
    problems.check(
        prefix.starts_with('/') && prefix.ends_with('/') && is_visible(prefix),
        path("path-prefix"),
        "starts and ends with `/` and has visible ASCII characters only",
    );
    const DAY: u32 = 24 * 60 * 60;
    let ranges = [
        ("timeout-ms", directory.timeout_ms, 60_000),
        ("ttl-seconds", directory.ttl_seconds, DAY),
        ("max-stale-seconds", directory.max_stale_seconds, 7 * DAY),
        ("cache-entries", directory.cache_entries, 1_000_000),
    ];
    for (key, value, most) in ranges {
        problems.range(path(key), value, 1, most);
    }
}

fn step_up(step_up: &StepUp, problems: &mut Problems) {
    problems.check(
        is_url(&step_up.issuer),
        "step-up.issuer",
        "is not an http or https URL",
    );
    problems.check(
        !step_up.keys.is_empty(),
        "step-up.keys",
        "there is none, so no token would count",
    );
    if let Err(error) = ig_step_up::StepUp::new(step_up, "") {
        problems.add("step-up.keys", error.to_string());
    }
    problems.range("step-up.max-age-seconds", step_up.max_age_seconds, 1, 3600);
    for pattern in &step_up.single_use {
        let name = pattern.strip_suffix('*').unwrap_or(pattern);
        problems.check(
            !pattern.is_empty() && !name.contains('*') && name.bytes().all(|byte| byte.is_ascii_graphic()),
            "step-up.single-use",
            format!("`{pattern}` is neither the name of an action nor the beginning of some with `*` behind it"),
        );
    }
}

pub(super) fn store(store: &TextStore, problems: &mut Problems) {
    let path = |key| format!("texts.store.{key}");
    problems.check(is_name(&store.cluster), path("cluster"), NAME);
    problems.check(is_visible(&store.authority), path("authority"), AUTHORITY);
    problems.check(
        store.path_prefix.starts_with('/') && is_visible(&store.path_prefix),
        path("path-prefix"),
        "starts with `/` and has visible ASCII characters only; the hash is appended to it",
    );
    problems.range(path("timeout-ms"), store.timeout_ms, 1, 60_000);
}

const AUTHORITY: &str = "is a host, with a port where it is not the default";

const CLAIM: &str = "is empty, or not visible ASCII";

pub(super) fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `iss` is compared as it is written, so no more than its kind is checked.
fn is_url(issuer: &str) -> bool {
    let rest = issuer
        .strip_prefix("https://")
        .or_else(|| issuer.strip_prefix("http://"));
    rest.is_some_and(|rest| is_visible(rest) && !rest.starts_with('/'))
}

/// These names go into headers, metrics and logs.
pub(super) const NAME: &str = "a name has 1 to 64 letters, digits, `.`, `_` or `-`";

pub(super) fn is_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(is_allowed)
}

/// As the guard reads `x-ig-purpose`.
const PURPOSE: &str = "it has 1 to 64 letters, digits, `.`, `_`, `:` or `-`";

fn is_purpose(purpose: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    (1..=64).contains(&purpose.len()) && purpose.bytes().all(is_allowed)
}

fn is_path(path: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"/._~-".contains(&byte);
    let segment = |segment: &str| !matches!(segment, "" | "." | "..");
    path.bytes().all(is_allowed)
        && path
            .strip_prefix('/')
            .is_some_and(|rest| rest.split('/').all(segment))
}
