//! GraphQL over WebSocket through the real Envoy.

use ig_contract::snapshot::Subscriptions;
use ig_e2e::{End, Fixture, RawSocket, SocketUpstream, TokenClaims, client_frame, demo};
use ig_envoy::{Address, Upstream};
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::identity::eventually;
use crate::skip;

pub(crate) const TRANSPORT: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

pub(crate) async fn fixture() -> Fixture {
    let mut fixture = demo().await.unwrap();
    fixture.head.subscriptions = Some(Subscriptions::default());
    fixture
}

/// An Envoy that lets WebSockets through to this upstream.
pub(crate) fn with_sockets(options: &mut ig_envoy::StaticOptions, upstream: &SocketUpstream) {
    let address = Address::new(upstream.address.ip().to_string(), upstream.address.port());
    options.upstream = Upstream::plain([address]);
    options.websockets = Some(std::time::Duration::from_secs(3_660));
}

async fn start() -> (SocketUpstream, Gateway) {
    start_with(None, |_| ()).await
}

async fn start_with(
    answer: Option<&'static [(&'static str, &'static str)]>,
    edit: impl FnOnce(&mut Subscriptions),
) -> (SocketUpstream, Gateway) {
    let upstream = SocketUpstream::start(answer).await.unwrap();
    let mut fixture = fixture().await;
    edit(fixture.head.subscriptions.as_mut().unwrap());
    let gateway = Gateway::with_options(fixture, |options| with_sockets(options, &upstream)).await;
    (upstream, gateway)
}

fn bearer(gateway: &Gateway) -> String {
    let token = gateway.fixture.issuer.token(&TokenClaims::alpha());
    format!("Bearer {token}")
}

/// Opens a socket of the demo's analyst.
pub(crate) async fn open(gateway: &Gateway, more: &[(&str, &str)]) -> anyhow::Result<RawSocket> {
    let token = bearer(gateway);
    let mut headers = vec![
        ("authorization", token.as_str()),
        ("x-ig-purpose", "investigation"),
    ];
    headers.extend(more);
    RawSocket::open(gateway.envoy.gateway, &headers).await
}

pub(crate) fn by_id(gateway: &Gateway, id: &str, name: &str) -> Value {
    let document = format!("sha256:{}", gateway.fixture.hash(name));
    json!({"id": id, "type": "subscribe", "payload": {"documentId": document}})
}

fn ad_hoc(id: &str) -> Value {
    json!({"id": id, "type": "subscribe", "payload": {"query": "subscription { events }"}})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_catalogued_runs_and_what_is_not_does_not() {
    if !skip::ready() {
        return;
    }
    let (upstream, gateway) = start().await;
    let more = [
        TRANSPORT,
        ("sec-websocket-extensions", "permessage-deflate"),
    ];
    let mut socket = open(&gateway, &more).await.unwrap();
    assert!(
        socket
            .head
            .contains("sec-websocket-protocol: graphql-transport-ws")
    );
    assert!(!socket.head.contains("permessage-deflate"));
    socket
        .init(json!({"secret": "of the client"}))
        .await
        .unwrap();

    socket.send(&by_id(&gateway, "1", "Events")).await.unwrap();
    let next = socket.message().await.unwrap();
    assert_eq!(
        next,
        json!({"id": "1", "type": "next", "payload": {"data": {"asked": "Events"}}})
    );

    socket.send(&ad_hoc("2")).await.unwrap();
    let error = socket.message().await.unwrap();
    assert_eq!(
        (&error["id"], &error["type"]),
        (&json!("2"), &json!("error"))
    );
    assert_eq!(
        error["payload"][0]["extensions"]["code"],
        "PERSISTED_QUERY_ID_REQUIRED"
    );

    // The connection lives, and so does what runs on it.
    upstream.emit();
    assert_eq!(socket.message().await.unwrap(), next);
    socket
        .send(&json!({"id": "1", "type": "complete"}))
        .await
        .unwrap();
    socket
        .send(&json!({"type": "ping", "payload": {"a": 1}}))
        .await
        .unwrap();
    assert_eq!(socket.message().await.unwrap(), json!({"type": "pong"}));

    let messages = upstream.messages();
    let text = gateway.fixture.texts["Events"].clone();
    let payload = json!({"query": text, "operationName": "Events", "variables": {}});
    let init = json!({"x-ig-actor": "a@alpha.io", "x-ig-tenant": "alpha", "x-ig-purpose": "investigation"});
    assert_eq!(
        messages,
        [
            json!({"type": "connection_init", "payload": init}),
            json!({"id": "1", "type": "subscribe", "payload": payload}),
            json!({"id": "1", "type": "complete"}),
            json!({"type": "ping"}),
        ]
    );
    let headers = &upstream.handshakes()[0];
    let has = |name: &str| headers.iter().any(|(known, _)| known == name);
    assert!(
        !has("sec-websocket-extensions") && !has("x-ig-jwt-payload"),
        "{headers:?}"
    );
    assert!(
        headers.contains(&("x-ig-tenant".into(), "alpha".into())),
        "{headers:?}"
    );
    drop(socket);
    eventually(async || upstream.open() == 0).await;
    let decisions = gateway.decisions(1).await;
    let outcomes = decisions[0].as_array().unwrap().iter();
    let outcomes: Vec<_> = outcomes
        .map(|one| (one["rule"].clone(), one["outcome"].clone()))
        .collect();
    let expected = [
        ("websocket", "allow"),
        ("allow", "allow"),
        ("id-required", "deny"),
    ];
    assert_eq!(
        outcomes,
        expected.map(|(rule, outcome)| (json!(rule), json!(outcome)))
    );
}

/// However an ad-hoc `subscribe` is cut or hidden, it does not reach the upstream.
#[tokio::test(flavor = "multi_thread")]
async fn no_way_of_sending_hides_a_text() {
    if !skip::ready() {
        return;
    }
    let (upstream, gateway) = start().await;
    let text = ad_hoc("1").to_string();
    let bytes = text.as_bytes();
    let whole = client_frame(0x81, bytes);
    let one_by_one: Vec<Vec<u8>> = whole.iter().map(|byte| vec![*byte]).collect();
    let last = bytes.len() - 1;
    let fragments: Vec<Vec<u8>> = bytes
        .iter()
        .enumerate()
        .map(|(at, byte)| {
            let first = if at == 0 { 0x01 } else { 0x00 } | if at == last { 0x80 } else { 0 };
            client_frame(first, &[*byte])
        })
        .collect();
    let behind_an_empty_one = vec![[client_frame(0x01, b""), client_frame(0x80, bytes)].concat()];
    let with_a_ping = vec![
        [
            client_frame(0x01, &bytes[..9]),
            client_frame(0x89, b"p"),
            client_frame(0x80, &bytes[9..]),
        ]
        .concat(),
    ];
    for parts in [
        vec![whole.clone()],
        one_by_one,
        fragments,
        behind_an_empty_one,
        with_a_ping,
    ] {
        let mut socket = open(&gateway, &[TRANSPORT]).await.unwrap();
        socket.init(json!({})).await.unwrap();
        for part in &parts {
            socket.send_bytes(part).await.unwrap();
            tokio::task::yield_now().await;
        }
        let error = socket.message().await.unwrap();
        assert_eq!(
            error["payload"][0]["extensions"]["code"],
            "PERSISTED_QUERY_ID_REQUIRED"
        );
        socket.send(&by_id(&gateway, "2", "Events")).await.unwrap();
        assert_eq!(socket.message().await.unwrap()["id"], "2");
    }
    let ended: [(&str, Vec<u8>, u16); 6] = [
        ("compressed", client_frame(0xc1, bytes), 1002),
        ("unmasked", b"\x81\x03abc".to_vec(), 1002),
        ("binary", client_frame(0x82, bytes), 1003),
        ("no UTF-8", client_frame(0x81, b"\xff"), 1007),
        (
            "too long",
            [&[0x81, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0][..], &[0; 4]].concat(),
            1009,
        ),
        ("no message", client_frame(0x81, b"[]"), 4400),
    ];
    for (name, bytes, code) in ended {
        let mut socket = open(&gateway, &[TRANSPORT]).await.unwrap();
        socket.init(json!({})).await.unwrap();
        socket.send_bytes(&bytes).await.unwrap();
        assert_eq!(socket.end().await.unwrap(), End::Code(code), "{name}");
    }
    let names = upstream
        .operations()
        .into_iter()
        .map(|one| one["operationName"].clone());
    assert_eq!(names.collect::<Vec<_>>(), vec![json!("Events"); 5]);
}

/// More at once than Envoy holds ends the client that sends it, if anybody, and
/// nobody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_one_client_ends_no_other() {
    if !skip::ready() {
        return;
    }
    let (_, gateway) = start().await;
    let mut other = open(&gateway, &[TRANSPORT]).await.unwrap();
    other.init(json!({})).await.unwrap();
    let document = format!("sha256:{}", gateway.fixture.hash("Case"));
    let large = "x".repeat(60_000);
    let burst: Vec<u8> = (0..40)
        .flat_map(|id| {
            let payload = json!({"documentId": document, "variables": {"id": large}});
            let begin = json!({"id": id.to_string(), "type": "subscribe", "payload": payload});
            client_frame(0x81, begin.to_string().as_bytes())
        })
        .collect();
    let mut socket = open(&gateway, &[TRANSPORT]).await.unwrap();
    socket.init(json!({})).await.unwrap();
    let (first, rest) = burst.split_at(59_000);
    let _ = socket.send_bytes(first).await;
    let _ = socket.send_bytes(rest).await;
    other.send(&json!({"type": "ping"})).await.unwrap();
    assert_eq!(other.message().await.unwrap(), json!({"type": "pong"}));
    assert!(!gateway.envoy.log().contains("panicked"));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_runs_before_it_is_acknowledged() {
    if !skip::ready() {
        return;
    }
    let (upstream, gateway) = start().await;
    for first in [by_id(&gateway, "1", "Events"), ad_hoc("1")] {
        // Both at once, so that no acknowledgement comes between.
        let init = json!({"type": "connection_init"}).to_string();
        let both = [init, first.to_string()].map(|text| client_frame(0x81, text.as_bytes()));
        let mut socket = open(&gateway, &[TRANSPORT]).await.unwrap();
        socket.send_bytes(&both.concat()).await.unwrap();
        assert_eq!(socket.end().await.unwrap(), End::Code(4401));
        let mut socket = open(&gateway, &[TRANSPORT]).await.unwrap();
        socket.send(&first).await.unwrap();
        assert_eq!(socket.end().await.unwrap(), End::Code(4401));
    }
    let mut socket = open(&gateway, &[TRANSPORT]).await.unwrap();
    socket.init(json!({})).await.unwrap();
    socket
        .send(&json!({"type": "connection_init"}))
        .await
        .unwrap();
    assert_eq!(socket.end().await.unwrap(), End::Code(4429));
    let mut socket = open(&gateway, &[TRANSPORT]).await.unwrap();
    socket.init(json!({})).await.unwrap();
    for _ in 0..2 {
        socket.send(&by_id(&gateway, "1", "Events")).await.unwrap();
    }
    assert_eq!(socket.end().await.unwrap(), End::Code(4409));
    assert_eq!(upstream.operations().len(), 1);
    eventually(async || upstream.open() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes() {
    if !skip::ready() {
        return;
    }
    let (upstream, gateway) = start().await;
    let token = bearer(&gateway);
    let own = ("authorization", token.as_str());
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 5] = [
        ("no token", &[TRANSPORT], "HTTP/1.1 401"),
        ("no sub-protocol", &[own], "HTTP/1.1 403"),
        (
            "an unknown one",
            &[own, ("sec-websocket-protocol", "chat")],
            "HTTP/1.1 403",
        ),
        (
            "two purposes",
            &[own, TRANSPORT, ("x-ig-purpose", "a"), ("x-ig-purpose", "b")],
            "HTTP/1.1 400",
        ),
        (
            "legacy",
            &[own, ("sec-websocket-protocol", "graphql-ws")],
            "",
        ),
    ];
    for (name, headers, status) in cases {
        match RawSocket::open(gateway.envoy.gateway, headers).await {
            Ok(_) => assert_eq!(status, "", "{name}"),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    !status.is_empty() && error.starts_with(status),
                    "{name}: {error}"
                );
            }
        }
    }
    assert_eq!(upstream.handshakes().len(), 1);
    // Where a snapshot does not let them in, none is, whatever Envoy would allow.
    let upstream = SocketUpstream::start(None).await.unwrap();
    let gateway = Gateway::with_options(demo().await.unwrap(), |options| {
        with_sockets(options, &upstream);
    })
    .await;
    let error = open(&gateway, &[TRANSPORT])
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.starts_with("HTTP/1.1 403") && error.contains("UPGRADE_REFUSED"),
        "{error}"
    );
    assert!(upstream.handshakes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_answer_than_the_one_to_the_handshake_is_none() {
    if !skip::ready() {
        return;
    }
    let answers: [&'static [(&str, &str)]; 3] = [
        &[],
        &[("sec-websocket-protocol", "graphql-ws")],
        &[
            TRANSPORT,
            ("sec-websocket-extensions", "permessage-deflate"),
        ],
    ];
    for answer in answers {
        let (_, gateway) = start_with(Some(answer), |_| ()).await;
        let error = open(&gateway, &[TRANSPORT])
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(error.starts_with("HTTP/1.1 502"), "{answer:?}: {error}");
        let decisions = gateway.decisions(1).await;
        assert_eq!(decisions[0][1]["rule"], "websocket-answer");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_has_its_limits() {
    if !skip::ready() {
        return;
    }
    let (_, gateway) = start_with(None, |settings| {
        settings.max_operations = 2;
        settings.messages_per_second = 8;
        settings.max_connections = 2;
        settings.init_timeout_seconds = 1;
    })
    .await;
    let mut socket = open(&gateway, &[TRANSPORT]).await.unwrap();
    socket.init(json!({})).await.unwrap();
    for id in ["1", "2", "3"] {
        socket.send(&by_id(&gateway, id, "Events")).await.unwrap();
    }
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(socket.message().await.unwrap());
    }
    let refused = answers
        .iter()
        .find(|answer| answer["type"] == "error")
        .unwrap();
    assert_eq!(
        refused["payload"][0]["extensions"]["rule"],
        "websocket-operations"
    );
    let mut silent = open(&gateway, &[TRANSPORT]).await.unwrap();
    let error = open(&gateway, &[TRANSPORT])
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(error.starts_with("HTTP/1.1 429"), "{error}");
    assert!(matches!(
        silent.end().await.unwrap(),
        End::Code(4408) | End::Cut
    ));
    for _ in 0..20 {
        let _ = socket.send(&json!({"type": "ping"})).await;
    }
    assert_eq!(socket.end().await.unwrap(), End::Code(4429));
    eventually(async || open(&gateway, &[TRANSPORT]).await.is_ok()).await;
}
