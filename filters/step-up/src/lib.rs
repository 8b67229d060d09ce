//! The step-up guard: whether a fresh proof of presence was given for what is
//! about to happen, by whoever is about to do it.
//!
//! Pure: no I/O, no clock, no proxy-wasm. Whether a token that counts once was
//! used before is the control plane's to say; this says which have to be asked
//! about.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

mod check;
mod token;

pub use check::{Proof, Question, StepUp};
pub use token::InvalidKey;

#[cfg(test)]
mod tests;
