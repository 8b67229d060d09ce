//! An authenticator in software, and who makes it: what tests have in place of
//! hardware, and the demo in place of a person.

#![forbid(unsafe_code)]

mod authenticator;
mod maker;

pub use authenticator::{Authenticator, flags};
pub use maker::Maker;
