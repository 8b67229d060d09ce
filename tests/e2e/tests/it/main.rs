//! Tests against the real Envoy. `cargo xtask test` builds the modules they
//! need; where a tool is missing they say SKIPPED, and in CI they fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "the helpers of tests fail like tests"
)]

mod cases;
mod chain;
mod control_plane;
mod corpora;
mod cost;
mod differential;
mod directory;
mod docs;
mod fleet;
#[path = "../../../corpora.rs"]
mod folder;
mod gateway;
mod identity;
mod mesh;
mod modes;
mod probe;
mod rate_limit;
mod readiness;
mod regions;
mod reload;
mod renewal;
mod residency;
mod skew;
mod skip;
mod sockets;
mod sockets_and_people;
mod sockets_measured;
mod sockets_ways;
mod step_up;
mod telemetry;
mod texts;
