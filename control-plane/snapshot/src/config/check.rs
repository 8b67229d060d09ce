//! What a configuration has to hold.

use ig_contract::snapshot::{Head, Identity, Limits, Tenant, TextStore};

use super::CONFIG_VERSION;
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
        let message = format!("{value} is not between {least} and {most}");
        problems.check(
            (least..=most).contains(&value),
            format!("limits.{key}"),
            message,
        );
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
        let holds = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
        problems.check(
            holds,
            format!("identity.{key}"),
            "is empty, or not visible ASCII",
        );
    }
}

fn tenant(id: &str, tenant: &Tenant, problems: &mut Problems) {
    let path = format!("tenants.{id}");
    problems.check(is_name(id), &path, NAME);
    if let Some(region) = &tenant.region {
        problems.check(is_name(region), format!("{path}.region"), NAME);
    }
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
}

pub(super) fn store(store: &TextStore, problems: &mut Problems) {
    let path = |key| format!("texts.store.{key}");
    problems.check(is_name(&store.cluster), path("cluster"), NAME);
    let holds =
        !store.authority.is_empty() && store.authority.bytes().all(|byte| byte.is_ascii_graphic());
    problems.check(
        holds,
        path("authority"),
        "is a host, with a port where it is not the default",
    );
    problems.check(
        store.path_prefix.starts_with('/')
            && store
                .path_prefix
                .bytes()
                .all(|byte| byte.is_ascii_graphic()),
        path("path-prefix"),
        "starts with `/` and has visible ASCII characters only; the hash is appended to it",
    );
    let holds = (1..=60_000).contains(&store.timeout_ms);
    problems.check(holds, path("timeout-ms"), "is not between 1 and 60000");
}

/// These names go into headers, metrics and logs.
const NAME: &str = "a name has 1 to 64 letters, digits, `.`, `_` or `-`";

fn is_name(name: &str) -> bool {
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
