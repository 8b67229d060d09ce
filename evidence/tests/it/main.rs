//! Bundles of evidence, made, tampered with and verified.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "that is how tests fail"
)]

mod generated;
mod interop;
mod sealed;
mod small;
mod tampered;
mod tar;
