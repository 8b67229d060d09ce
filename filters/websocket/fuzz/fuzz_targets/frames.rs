//! Any bytes, split anywhere, from either side: the split changes nothing, what is
//! kept stays within the limits, and what was read is read again when it is
//! written anew.
#![no_main]

use ig_websocket::{Event, Failure, Limits, Protocol, Reader, Role, text_frame};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits {
    message_bytes: 1_000,
    fragments: 20,
};

fn read<'a>(
    role: Role,
    parts: impl Iterator<Item = &'a [u8]>,
) -> (Vec<Event>, Option<Failure>) {
    let mut reader = Reader::new(role, LIMITS);
    let mut events = Vec::new();
    for mut part in parts {
        loop {
            match reader.next(&mut part) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(failure) => return (events, Some(failure)),
            }
        }
    }
    (events, None)
}

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (is_client, length, bytes) = input;
    let role = if is_client { Role::Client } else { Role::Server };
    let whole = read(role, std::iter::once(bytes));
    assert_eq!(whole, read(role, bytes.chunks(usize::from(length).max(1))));
    assert_eq!(whole, read(role, bytes.chunks(1)));
    for event in whole.0 {
        let Event::Text(text) = event else { continue };
        assert!(text.len() <= LIMITS.message_bytes);
        for protocol in [Protocol::Transport, Protocol::Legacy] {
            let _ = (protocol.client(&text).is_ok(), protocol.server(&text).is_ok());
        }
        for (role, mask) in [(Role::Client, Some([1, 2, 3, 4])), (Role::Server, None)] {
            let mut frame = Vec::new();
            text_frame(&mut frame, &text, mask);
            let again = read(role, std::iter::once(&frame[..]));
            assert_eq!(again, (vec![Event::Text(text.clone())], None));
        }
    }
});
