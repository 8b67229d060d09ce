//! What `tungstenite` makes of the same bytes. It accepts some that the RFC does
//! not, and those are named here.

use std::io::{Cursor, Read, Write};

use proptest::prelude::*;
use tungstenite::protocol::{Role as TheirRole, WebSocketConfig};
use tungstenite::{Message, WebSocket};

use super::{LIMITS, frame, read};
use crate::{Event, Failure, Role};

/// Bytes to read, and nowhere to write to.
struct Bytes(Cursor<Vec<u8>>);

impl Read for Bytes {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(into)
    }
}

impl Write for Bytes {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Events up to the first close, and whether reading failed.
fn theirs(role: Role, bytes: Vec<u8>) -> (Vec<Event>, bool) {
    let config = WebSocketConfig::default()
        .max_message_size(Some(LIMITS.message_bytes))
        .max_frame_size(Some(LIMITS.message_bytes));
    let role = match role {
        Role::Client => TheirRole::Server,
        Role::Server => TheirRole::Client,
    };
    let end = bytes.len() as u64;
    let mut socket = WebSocket::from_raw_socket(Bytes(Cursor::new(bytes)), role, Some(config));
    let mut events = Vec::new();
    loop {
        match socket.read() {
            Ok(Message::Text(text)) => events.push(Event::Text(text.to_string())),
            Ok(Message::Binary(bytes)) => events.push(Event::Binary(bytes.to_vec())),
            Ok(Message::Ping(bytes)) => events.push(Event::Ping(bytes.to_vec())),
            Ok(Message::Pong(bytes)) => events.push(Event::Pong(bytes.to_vec())),
            Ok(Message::Close(close)) => {
                events.push(Event::Close {
                    code: close.as_ref().map(|close| close.code.into()),
                    reason: close
                        .map(|close| close.reason.to_string())
                        .unwrap_or_default(),
                });
                return (events, false);
            }
            Ok(Message::Frame(_)) => {}
            // The bytes are over in the midst of a frame, or between two.
            Err(tungstenite::Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) if socket.get_ref().0.position() == end => return (events, false),
            Err(_) => return (events, true),
        }
    }
}

fn frames() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let first = prop_oneof![
        4 => Just(0x81_u8), 4 => Just(0x01), 6 => Just(0x00), 6 => Just(0x80), 2 => Just(0x82),
        2 => Just(0x89), 1 => Just(0x8a), 1 => Just(0x88), 2 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-zé😀]{0,8}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..130),
        1 => (900_u16..5_100, "[a-z]{0,4}")
            .prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
    ];
    proptest::collection::vec((first, payload), 0..8)
}

proptest! {
    #[test]
    fn tungstenite_reads_the_same(
        is_client in any::<bool>(),
        frames in frames(),
        cut in 0_usize..20,
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        let mut bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(first, payload)| frame(role, *first, payload))
            .collect();
        bytes.truncate(bytes.len().saturating_sub(cut / 2));
        let (ours, failure, reader) = read(role, [&bytes[..]]);
        let (theirs, has_failed) = theirs(role, bytes);
        // It takes any code of a close frame, and answers the wrong ones.
        let is_strict = failure == Some(Failure::CloseCode);
        // It looks at text once a message is whole.
        let is_early = failure == Some(Failure::Utf8);
        if is_strict || is_early {
            prop_assert!(theirs.starts_with(&ours) || is_early);
        } else {
            prop_assert_eq!(&ours, &theirs);
            // A rule that is broken within a header it sees once the header is whole.
            let is_cut = cut > 1;
            prop_assert!(failure.is_some() == has_failed || is_cut || reader.is_over(), "{failure:?} {has_failed}");
        }
    }
}
