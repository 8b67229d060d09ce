use crate::{Offer, Protocol, Refusal, is_answer_of};

fn chosen(headers: &[(&str, &str)]) -> Result<Protocol, Refusal> {
    let mut offer = Offer::default();
    for (name, value) in headers {
        offer.note(name.as_bytes(), value.as_bytes());
    }
    offer.choose()
}

#[test]
fn offers() {
    const UPGRADE: (&str, &str) = ("upgrade", "websocket");
    const SUB: &str = "sec-websocket-protocol";
    type Case<'a> = (&'a [(&'a str, &'a str)], Result<Protocol, Refusal>);
    let cases: &[Case<'_>] = &[
        (
            &[UPGRADE, (SUB, "graphql-transport-ws")],
            Ok(Protocol::Transport),
        ),
        (&[UPGRADE, (SUB, "graphql-ws")], Ok(Protocol::Legacy)),
        (
            &[("upgrade", "WebSocket"), (SUB, "graphql-ws")],
            Ok(Protocol::Legacy),
        ),
        (
            &[UPGRADE, (SUB, "graphql-ws, graphql-transport-ws")],
            Ok(Protocol::Legacy),
        ),
        (
            &[UPGRADE, (SUB, "chat, graphql-transport-ws")],
            Ok(Protocol::Transport),
        ),
        (
            &[UPGRADE, (SUB, "chat"), (SUB, "graphql-ws")],
            Ok(Protocol::Legacy),
        ),
        (&[UPGRADE], Err(Refusal::SubProtocol)),
        (&[UPGRADE, (SUB, "")], Err(Refusal::SubProtocol)),
        (&[UPGRADE, (SUB, "GraphQL-WS")], Err(Refusal::SubProtocol)),
        (
            &[UPGRADE, (SUB, "graphql-ws\u{0}")],
            Err(Refusal::SubProtocol),
        ),
        (
            &[
                UPGRADE,
                ("sec-websocket-version", "13"),
                (SUB, "graphql-ws"),
            ],
            Ok(Protocol::Legacy),
        ),
        (
            &[UPGRADE, ("sec-websocket-version", "8"), (SUB, "graphql-ws")],
            Err(Refusal::NotWebSocket),
        ),
        (
            &[("upgrade", "h2c"), (SUB, "graphql-ws")],
            Err(Refusal::NotWebSocket),
        ),
        (
            &[("upgrade", "websocket, h2c"), (SUB, "graphql-ws")],
            Err(Refusal::NotWebSocket),
        ),
        (
            &[UPGRADE, UPGRADE, (SUB, "graphql-ws")],
            Err(Refusal::NotWebSocket),
        ),
        (&[(SUB, "graphql-ws")], Err(Refusal::NotWebSocket)),
    ];
    for (headers, expected) in cases {
        assert_eq!(chosen(headers), *expected, "{headers:?}");
    }
    let mut offer = Offer::default();
    offer.note(b"upgrade", b"websocket");
    offer.note(b"sec-websocket-protocol", b"graphql-ws, \xff");
    assert_eq!(offer.choose(), Err(Refusal::NotWebSocket));
}

#[test]
fn answers() {
    const SUB: (&str, &str) = ("sec-websocket-protocol", "graphql-ws");
    let cases: &[(&[(&str, &str)], bool)] = &[
        (&[SUB], true),
        (&[SUB, ("server", "x")], true),
        (&[], false),
        (&[SUB, SUB], false),
        (&[("sec-websocket-protocol", "graphql-transport-ws")], false),
        (
            &[SUB, ("sec-websocket-protocol", "graphql-transport-ws")],
            false,
        ),
        (
            &[SUB, ("sec-websocket-extensions", "permessage-deflate")],
            false,
        ),
    ];
    for (headers, expected) in cases {
        let pairs = headers
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        assert_eq!(
            is_answer_of(Protocol::Legacy, pairs),
            *expected,
            "{headers:?}"
        );
    }
}
