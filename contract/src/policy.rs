//! What policies and the guard agree on. The input document is built by
//! `filters/policy`; `policies/README.md` shows it to authors of policies.

/// Entry point of a bundle: an object `{allow, rule, obligations}`.
pub const ENTRY_POINT: &str = "data.ig.decision";

/// Root package that a bundle owns.
pub const ROOT: &str = "ig";

/// The group that the starter bundle lets across tenants. Nobody has to say that
/// it is privileged, and nobody can say that it is not.
pub const CROSS_TENANT_GROUP: &str = "cross-tenant-analyst";

/// Instructions one evaluation may execute unless the snapshot says otherwise.
pub const DEFAULT_INSTRUCTION_LIMIT: u32 = 25_000;
