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
fn by_tungstenite(role: Role, bytes: Vec<u8>) -> (Vec<Event>, bool) {
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

/// Characters of two bytes and of four.
const PAIR: &[u8] = "é😀".as_bytes();

fn frames() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let first = prop_oneof![
        4 => Just(0x81_u8), 4 => Just(0x01), 6 => Just(0x00), 6 => Just(0x80), 2 => Just(0x82),
        2 => Just(0x89), 1 => Just(0x8a), 1 => Just(0x88), 2 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-zé😀]{0,8}".prop_map(String::into_bytes),
        // Cut anywhere, for fragments to put together.
        1 => (0..=PAIR.len()).prop_map(|at| PAIR[..at].to_vec()),
        1 => (0..=PAIR.len()).prop_map(|at| PAIR[at..].to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..130),
        1 => (900_u16..5_100, "[a-z]{0,4}")
            .prop_map(|(code, reason)| [&code.to_be_bytes(), reason.as_bytes()].concat()),
    ];
    proptest::collection::vec((first, payload), 0..8)
}

/// It answers 1014, which it does not know, as a code that nobody may send.
fn as_theirs(event: Event) -> Event {
    match event {
        Event::Close {
            code: Some(1014), ..
        } => Event::Close {
            code: Some(1002),
            reason: "Protocol violation".to_owned(),
        },
        event => event,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn tungstenite_reads_the_same(
        is_client in any::<bool>(),
        frames in frames(),
        cut in 0_usize..20,
    ) {
        let role = if is_client { Role::Client } else { Role::Server };
        let whole: Vec<u8> = frames
            .iter()
            .flat_map(|(first, payload)| frame(role, *first, payload))
            .collect();
        let bytes = whole[..whole.len().saturating_sub(cut / 2)].to_vec();
        let (ours, failure, _) = read(role, [&bytes[..]]);
        let ours: Vec<Event> = ours.into_iter().map(as_theirs).collect();
        let (theirs, has_failed) = by_tungstenite(role, bytes);
        match failure {
            // It takes any code of a close frame, and answers the wrong ones.
            Some(Failure::CloseCode) => {
                prop_assert!(theirs.starts_with(&ours), "{ours:?} {theirs:?}");
                match &theirs[ours.len()..] {
                    [Event::Close { .. }] => prop_assert!(!has_failed),
                    more => prop_assert!(more.is_empty() && has_failed, "{more:?}"),
                }
            }
            // It looks at whole frames: it fails as well, once the rest is there.
            Some(_) if !has_failed => {
                prop_assert_eq!(&theirs, &ours);
                prop_assert_eq!(by_tungstenite(role, whole), (ours, true), "{:?}", failure);
            }
            _ => {
                prop_assert_eq!(&theirs, &ours);
                prop_assert_eq!(has_failed, failure.is_some(), "{:?}", failure);
            }
        }
    }
}
