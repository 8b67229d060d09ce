//! Set-up, builds, demo, tests and benchmarks.
//!
//! A subcommand is a module with `Args` and `run`; `main.rs` only dispatches.
//! The crate is a library beside its binary, so that subcommands and tests
//! share [`process`], [`net`] and [`tools`].

pub mod background;
pub mod bench;
pub mod chaos;
pub mod demo;
pub mod evidence;
pub mod fuzz;
pub mod load;
pub mod net;
pub mod process;
pub mod release;
pub mod setup;
pub mod stack;
pub mod tiers;
pub mod tools;
pub mod version;
pub mod wasm;
mod workspace;
