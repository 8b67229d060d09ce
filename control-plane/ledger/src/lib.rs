//! The ledger: an append-only log whose every state is signed, and which anybody
//! can check.
//!
//! It is a tiled transparency log of the C2SP family: a Merkle tree of RFC 6962,
//! stored as static files (`tlog-tiles`), with checkpoints (`tlog-checkpoint`)
//! that are signed notes (`signed-note`) and may bear cosignatures of witnesses
//! (`tlog-cosignature`). `docs/ledger.md` is the description for auditors.
//!
//! - [`verify`] needs public data only: no secret, no storage, no clock.
//! - [`layout`] says which file has what.
//! - [`Log`] appends; [`sign`] has the keys; [`storage`] says where it is kept.
//! - [`fsck()`] computes a whole log again and says where it differs; [`Tiles`] gives
//!   paths of what is stored. Both need files only.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

mod cosign;
mod error;
mod files;
pub mod fsck;
pub mod layout;
mod log;
pub mod sign;
pub mod storage;
mod tiles;
mod tree;
pub mod verify;

pub use cosign::cosign;
pub use error::Error;
pub use files::FileError;
pub use fsck::fsck;
pub use log::{Appended, Log, MAX_BATCH_ENTRIES};
pub use tiles::Tiles;
