//! What policies and the guard agree on. The input document is built by
//! `filters/policy`; `policies/README.md` shows it to authors of policies.

/// Entry point of a bundle: an object `{allow, rule, obligations}`.
pub const ENTRY_POINT: &str = "data.ig.decision";

/// Root package that a bundle owns.
pub const ROOT: &str = "ig";

/// Instructions one evaluation may execute unless the snapshot says otherwise.
pub const DEFAULT_INSTRUCTION_LIMIT: u32 = 25_000;
