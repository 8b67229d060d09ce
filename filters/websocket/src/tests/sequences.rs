//! Corner cases as Autobahn's test suite has them, and some more; each in both
//! directions, as a whole and byte by byte. They are in `testdata/sequences.json`:
//! a frame is its first byte and its payload, in hexadecimal digits or as a
//! character so many times.

use serde::Deserialize;
use serde_json::Value;

use super::{frame, read};
use crate::{Event, Failure, Role};

#[derive(Deserialize)]
struct Case {
    name: String,
    frames: Vec<String>,
    events: Vec<Vec<Value>>,
    ends: Option<String>,
}

fn bytes(text: &str) -> Vec<u8> {
    if let Some((character, times)) = text.split_once('*') {
        return character.repeat(times.parse().unwrap()).into_bytes();
    }
    let digits = text.as_bytes().chunks(2);
    let digits = digits.map(|pair| std::str::from_utf8(pair).unwrap());
    digits
        .map(|pair| u8::from_str_radix(pair, 16).unwrap())
        .collect()
}

fn event(of: &[Value]) -> Event {
    let payload = bytes(of.last().unwrap().as_str().unwrap());
    let text = || String::from_utf8(payload.clone()).unwrap();
    match of[0].as_str().unwrap() {
        "text" => Event::Text(text()),
        "binary" => Event::Binary(payload),
        "ping" => Event::Ping(payload),
        "pong" => Event::Pong(payload),
        "close" => Event::Close {
            code: of[1].as_u64().map(|code| u16::try_from(code).unwrap()),
            reason: text(),
        },
        other => panic!("{other}"),
    }
}

#[test]
fn each_sequence_has_its_outcome() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("../../testdata/sequences.json")).unwrap();
    assert!(cases.len() >= 60, "{}", cases.len());
    for case in cases {
        let expected: Vec<_> = case.events.iter().map(|one| event(one)).collect();
        for role in [Role::Client, Role::Server] {
            let frames = case.frames.iter().flat_map(|one| {
                let (first, payload) = one.split_once(' ').unwrap_or((one, ""));
                frame(role, bytes(first)[0], &bytes(payload))
            });
            let sent: Vec<u8> = frames.collect();
            for length in [sent.len().max(1), 1, 3] {
                let (events, failure, _) = read(role, sent.chunks(length));
                assert_eq!(events, expected, "{} {role:?}", case.name);
                let ends = failure.map(|failure| format!("{failure:?}"));
                assert_eq!(ends, case.ends, "{} {role:?}", case.name);
            }
        }
    }
}

#[test]
fn more_fragments_than_allowed_are_refused() {
    let mut bytes = frame(Role::Client, 0x01, b"");
    for _ in 0..super::LIMITS.fragments - 1 {
        bytes.extend(frame(Role::Client, 0x00, b""));
    }
    let (events, failure, _) = read(Role::Client, [&bytes[..]]);
    assert_eq!((events, failure), (vec![], None));
    bytes.extend(frame(Role::Client, 0x00, b""));
    let (_, failure, _) = read(Role::Client, [&bytes[..]]);
    assert_eq!(failure, Some(Failure::TooManyFragments));
}

/// Headers that no frame may have.
#[test]
fn headers() {
    let cases: &[(&str, Role, &[u8], Option<Failure>)] = &[
        (
            "a client without a mask",
            Role::Client,
            b"\x81\x02ab",
            Some(Failure::Masking),
        ),
        (
            "a client's ping without a mask",
            Role::Client,
            b"\x89\x00",
            Some(Failure::Masking),
        ),
        (
            "a server with a mask",
            Role::Server,
            b"\x81\x82abcdef",
            Some(Failure::Masking),
        ),
        (
            "125 in two bytes",
            Role::Server,
            b"\x81\x7e\x00\x7d",
            Some(Failure::Length),
        ),
        (
            "125 in two bytes, masked",
            Role::Client,
            b"\x81\xfe\x00\x7d",
            Some(Failure::Length),
        ),
        (
            "65535 in eight bytes",
            Role::Server,
            b"\x81\x7f\0\0\0\0\0\0\xff\xff",
            Some(Failure::Length),
        ),
        (
            "0 in eight bytes",
            Role::Client,
            b"\x81\xff\0\0\0\0\0\0\0\0",
            Some(Failure::Length),
        ),
        (
            "the first bit of a length",
            Role::Server,
            b"\x81\x7f\x80\0\0\0\0\x01\0\0",
            Some(Failure::Length),
        ),
        (
            "more than memory",
            Role::Server,
            b"\x81\x7f\x7f\xff\xff\xff\xff\xff\xff\xff",
            Some(Failure::TooBig),
        ),
        (
            "refused before any payload",
            Role::Client,
            b"\x82\xff\0\0\0\0\0\x02\0\0",
            Some(Failure::TooBig),
        ),
        (
            "a ping with a long length",
            Role::Server,
            b"\x89\x7e\x00\x7e",
            Some(Failure::Control),
        ),
        ("half a header", Role::Client, b"\x81", None),
        (
            "a header without its mask",
            Role::Client,
            b"\x81\x85\x01",
            None,
        ),
        ("nothing", Role::Client, b"", None),
    ];
    for (name, role, bytes, expected) in cases {
        for parts in [bytes.chunks(bytes.len().max(1)), bytes.chunks(1)] {
            let (events, failure, _) = read(*role, parts);
            assert!(events.is_empty(), "{name}");
            assert_eq!(failure, *expected, "{name}");
        }
    }
}

#[test]
fn codes_to_close_with() {
    for (failure, code) in [
        (Failure::Reserved, 1002),
        (Failure::Opcode, 1002),
        (Failure::Masking, 1002),
        (Failure::Control, 1002),
        (Failure::Length, 1002),
        (Failure::Continuation, 1002),
        (Failure::CloseCode, 1002),
        (Failure::Utf8, 1007),
        (Failure::TooBig, 1009),
        (Failure::TooManyFragments, 1008),
    ] {
        assert_eq!(failure.code(), code, "{failure:?}");
        assert!(failure.reason().len() <= 123);
    }
}
