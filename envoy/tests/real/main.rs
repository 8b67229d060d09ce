//! What the real Envoy does with what is rendered.
//!
//! The module does nothing, so requests come with what a guard would say.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests, helpers included"
)]

#[path = "../envoy/mod.rs"]
mod envoy;
mod fleet;
mod proxy;
mod routing;
