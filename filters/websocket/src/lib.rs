//! WebSocket inside a proxy: reads the frames of both directions (RFC 6455),
//! writes frames of its own, and reads the messages of the two sub-protocols that
//! GraphQL has. What goes on is always written anew, one message in one frame, so
//! that no peer can read a message differently than the guard did.
//!
//! Pure: no I/O, no clock, no randomness. Nothing here grows beyond the limits
//! that a [`Reader`] is made with.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing, clippy::string_slice))]

mod close;
mod handshake;
mod protocol;
mod reader;
mod write;

pub use close::Close;
pub use handshake::{Offer, Refusal, is_answer_of};
pub use protocol::{
    ClientMessage, InvalidMessage, MAX_ID_BYTES, Protocol, ServerMessage, complete_to_client,
    complete_to_upstream, error_to_client, init_to_upstream, pong, subscribe_to_upstream,
};
pub use reader::{Event, Failure, Limits, Reader, Role};
pub use write::{Mask, close_frame, ping_frame, pong_frame, text_frame};

#[cfg(test)]
mod tests;
