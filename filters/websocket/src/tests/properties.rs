//! No split of bytes changes what is read, and nothing grows beyond the limits.

use proptest::prelude::*;

use super::{frame, read};
use crate::{Event, Failure, Reader, Role};

fn role() -> impl Strategy<Value = Role> {
    prop_oneof![Just(Role::Client), Just(Role::Server)]
}

/// Frames that mostly belong together, with a wrong one now and then.
fn frames() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let first = prop_oneof![
        4 => Just(0x81_u8), 4 => Just(0x01), 6 => Just(0x00), 6 => Just(0x80),
        1 => Just(0x82), 2 => Just(0x89), 1 => Just(0x8a), 1 => Just(0x88), 1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        4 => "[a-zé😀]{0,8}".prop_map(String::into_bytes),
        1 => proptest::collection::vec(any::<u8>(), 0..300),
        1 => Just(Vec::new()),
    ];
    proptest::collection::vec((first, payload), 0..8)
}

/// Reads bytes in parts of these lengths, again and again.
fn in_parts(role: Role, bytes: &[u8], lengths: &[usize]) -> (Vec<Event>, Option<Failure>, Reader) {
    let mut rest = bytes;
    let mut parts = Vec::new();
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (part, after) = rest.split_at((*length).min(rest.len()));
        parts.push(part);
        rest = after;
    }
    read(role, parts)
}

proptest! {
    #[test]
    fn any_split_gives_the_same(
        role in role(),
        frames in frames(),
        tail in proptest::collection::vec(any::<u8>(), 0..20),
        lengths in proptest::collection::vec(1_usize..40, 1..6),
    ) {
        let mut bytes: Vec<u8> = frames
            .iter()
            .flat_map(|(first, payload)| frame(role, *first, payload))
            .collect();
        bytes.extend(tail);
        let (whole, failure, reader) = read(role, [&bytes[..]]);
        for lengths in [&lengths[..], &[1]] {
            let (events, failed, split) = in_parts(role, &bytes, lengths);
            prop_assert_eq!(&events, &whole);
            prop_assert_eq!(failed, failure);
            prop_assert_eq!(split.is_over(), reader.is_over());
            prop_assert_eq!(split.is_between_messages(), reader.is_between_messages());
        }
    }

    #[test]
    fn rubbish_is_never_a_panic(role in role(), bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (events, _, _) = read(role, [&bytes[..]]);
        let total: usize = events
            .iter()
            .map(|event| match event {
                Event::Text(text) => text.len(),
                Event::Binary(bytes) | Event::Ping(bytes) | Event::Pong(bytes) => bytes.len(),
                Event::Close { reason, .. } => reason.len(),
            })
            .sum();
        prop_assert!(total <= bytes.len());
    }
}
