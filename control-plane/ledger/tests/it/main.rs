//! The ledger from outside: what it promises, and what it refuses.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::missing_docs_in_private_items,
    unreachable_pub,
    reason = "the helpers of tests fail like tests"
)]

mod crash;
mod formats;
mod fsck;
mod kill;
mod log;
mod merkle;
mod note;
mod policy_file;
mod proof;
mod support;
mod tiles;
mod witness;
