//! Identity, purpose and Rego decisions
