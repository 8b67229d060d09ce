//! The program: what it says and how it ends, for good exports and logs, and for
//! others.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "that is how tests fail"
)]

mod docs;
mod exports;
mod ledger;
mod logged;
mod remote;
mod support;
mod tampered;
