//! The API over HTTP, on a database of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail like tests"
)]

mod api;
mod control_plane;
