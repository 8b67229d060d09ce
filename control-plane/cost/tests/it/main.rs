//! Money, prices, statements and rows.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "the helpers of tests fail like tests"
)]

mod focus;
mod money;
mod price;
mod statement;
