//! The exchange as the adapter drives it, from head to step.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail like tests"
)]

mod batches;
mod directory;
mod fixture;
mod heads;
mod identity;
mod modes;
mod properties;
mod rate_limit;
mod records;
mod residency;
mod sockets;
mod sockets_ended;
mod step_up;
mod texts;
mod trace;
mod verdicts;
