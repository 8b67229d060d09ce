//! Composes the guards of a request: takes values, returns an effect. The
//! proxy-wasm adapter, the tests and the fuzzers drive the same code.
//!
//! Pure: no I/O, no clock, no randomness, no proxy-wasm. The caller brings
//! headers, body, verified claims, a decision id and, now and then, the time.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

mod annotate;
#[cfg(feature = "policy")]
mod caller;
#[cfg(feature = "policy")]
mod charge;
#[cfg(feature = "policy")]
pub mod directory;
mod effect;
mod exchange;
mod guard;
mod head;
#[cfg(feature = "policy")]
mod identity;
mod operations;
#[cfg(feature = "policy")]
mod placement;
#[cfg(feature = "policy")]
mod presence;
mod record;
mod reply;
mod rewrite;
mod socket;
mod trace;

#[cfg(feature = "policy")]
pub use directory::Directory;
pub use effect::{Forward, Reply, Step, Verdict};
pub use exchange::Exchange;
pub use guard::{Guard, Guards, InvalidConfiguration};
pub use head::RequestHead;
#[cfg(feature = "policy")]
pub use identity::VerifiedToken;
#[cfg(feature = "policy")]
pub use ig_rate_limit::{Slots, Unavailable};
#[cfg(feature = "policy")]
pub use placement::Breach;
pub use socket::{Entropy, Notice, Socket, Standing, Turn};
pub use trace::TraceParent;
