//! The policy guard: who asks, for which purpose, and whether the Rego bundle
//! agrees. Deny by default; what cannot be decided is denied.
//!
//! Pure: no I/O, no clock, no proxy-wasm. The bundle arrives as RVM bytecode
//! that was compiled with the snapshot; no Rego is parsed here.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

mod actor;
mod decide;
mod engine;
mod facts;
mod input;
mod purpose;

pub use actor::{Actor, Caller, Claim, Claims};
pub use decide::{Grant, Policy, Question};
pub use engine::{Engine, InvalidProgram, Undecided, Verdict};
pub use facts::{InvalidFact, collect};
pub use input::input;

// Only its `std` feature is needed, see Cargo.toml.
use indexmap as _;

#[cfg(test)]
mod tests;
