//! Tables, properties and an oracle.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod frames;
mod handshake;
mod messages;
mod oracle;
mod properties;
mod sequences;

use crate::{Event, Failure, Limits, Reader, Role};

/// The limits of all tests.
pub(crate) const LIMITS: Limits = Limits {
    message_bytes: 70_000,
    fragments: 100,
};

/// What is read of bytes that come in these parts.
pub(crate) fn read<'a>(
    role: Role,
    parts: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Event>, Option<Failure>, Reader) {
    let mut reader = Reader::new(role, LIMITS);
    let mut events = Vec::new();
    for mut part in parts {
        loop {
            match reader.next(&mut part) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(failure) => return (events, Some(failure), reader),
            }
        }
    }
    (events, None, reader)
}

/// A frame with this first byte, as its role has to write it.
pub(crate) fn frame(role: Role, first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mask = if role == Role::Client { 0x80 } else { 0 };
    let mut out = vec![first];
    match payload.len() {
        short @ 0..=125 => out.push(mask | short as u8),
        medium @ 126..=65_535 => {
            out.push(mask | 126);
            out.extend((medium as u16).to_be_bytes());
        }
        long => {
            out.push(mask | 127);
            out.extend((long as u64).to_be_bytes());
        }
    }
    match role {
        Role::Server => out.extend(payload),
        Role::Client => {
            out.extend(KEY);
            out.extend(payload.iter().zip(KEY.iter().cycle()).map(|(a, b)| a ^ b));
        }
    }
    out
}
