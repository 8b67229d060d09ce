//! The API over HTTP, on databases of its own.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail like tests"
)]

mod access;
mod alerts;
mod bad_input;
mod break_glass;
mod catalogue;
mod console;
mod contract;
mod cost;
mod databases;
mod decision_logs;
mod directory;
mod document;
mod exports;
mod ledger;
mod links;
mod logins;
mod metrics;
mod oidc;
mod proxy;
mod publish;
mod rate_limit;
mod review;

mod scim;
mod start;
mod step_up;
mod step_up_keys;
mod tls;
mod unread;
