//! What is written is read again.

use super::{frame, read};
use crate::{Event, Role, close_frame, ping_frame, pong_frame, text_frame};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

#[test]
fn lengths_are_minimal() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536] {
        let text = "a".repeat(length);
        let mut plain = Vec::new();
        text_frame(&mut plain, &text, None);
        assert_eq!(plain, frame(Role::Server, 0x81, text.as_bytes()));
        let mut masked = Vec::new();
        text_frame(&mut masked, &text, Some(KEY));
        assert_eq!(masked, frame(Role::Client, 0x81, text.as_bytes()));
    }
}

/// The example of RFC 6455 §5.7.
#[test]
fn a_masked_text() {
    let mut out = Vec::new();
    text_frame(&mut out, "Hello", Some(KEY));
    assert_eq!(out, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
}

#[test]
fn control_frames_are_read_again() {
    for (role, mask) in [(Role::Server, None), (Role::Client, Some(KEY))] {
        let mut out = Vec::new();
        ping_frame(&mut out, b"p", mask);
        pong_frame(&mut out, &[b'x'; 200], mask);
        close_frame(&mut out, Some(4403), "Forbidden", mask);
        let (events, failure, reader) = read(role, [&out[..]]);
        let close = Event::Close {
            code: Some(4403),
            reason: "Forbidden".into(),
        };
        let expected = [
            Event::Ping(b"p".to_vec()),
            Event::Pong(vec![b'x'; 125]),
            close,
        ];
        assert_eq!((&events[..], failure), (&expected[..], None));
        assert!(reader.is_over() && reader.is_between_messages());
    }
}
