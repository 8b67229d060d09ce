//! Other ways of a WebSocket through the real Envoy: the legacy sub-protocol, large
//! messages, and HTTP/2.

use ig_e2e::{End, RawSocket, SocketUpstream, TokenClaims, client_frame};
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::identity::eventually;
use crate::skip;
use crate::sockets::{TRANSPORT, by_id, fixture, open, with_sockets};

const LEGACY: (&str, &str) = ("sec-websocket-protocol", "graphql-ws");

/// Above what the guard hands on at a time, 256 KiB, and below what a message may have.
const LARGE: usize = 700_000;

async fn start() -> (SocketUpstream, Gateway) {
    let upstream = SocketUpstream::start(None).await.unwrap();
    let mut fixture = fixture().await;
    fixture.head.limits.max_body_bytes = 800_000;
    let gateway = Gateway::with_options(fixture, |options| with_sockets(options, &upstream)).await;
    (upstream, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_legacy_client_is_enforced_as_well() {
    if !skip::ready() {
        return;
    }
    let (upstream, gateway) = start().await;
    let mut socket = open(&gateway, &[LEGACY]).await.unwrap();
    assert!(socket.head.contains("sec-websocket-protocol: graphql-ws"));
    // Such clients do not wait for the acknowledgement.
    let mut begin = by_id(&gateway, "1", "Events");
    begin["type"] = json!("start");
    let init = json!({"type": "connection_init", "payload": {"secret": "of the client"}});
    let both = [init, begin].map(|one| client_frame(0x81, one.to_string().as_bytes()));
    socket.send_bytes(&both.concat()).await.unwrap();
    assert_eq!(socket.message().await.unwrap()["type"], "connection_ack");
    let data = json!({"id": "1", "type": "data", "payload": {"data": {"asked": "Events"}}});
    assert_eq!(socket.message().await.unwrap(), data);

    let ad_hoc = json!({"query": "subscription { events }"});
    let ad_hoc = json!({"id": "2", "type": "start", "payload": ad_hoc});
    socket.send(&ad_hoc).await.unwrap();
    let error = socket.message().await.unwrap();
    // This sub-protocol has one error, and no list.
    assert_eq!(
        (&error["id"], &error["type"]),
        (&json!("2"), &json!("error"))
    );
    assert_eq!(
        error["payload"]["extensions"]["code"],
        "PERSISTED_QUERY_ID_REQUIRED"
    );
    upstream.emit();
    assert_eq!(socket.message().await.unwrap(), data);
    socket
        .send(&json!({"id": "1", "type": "stop"}))
        .await
        .unwrap();
    let kinds = || {
        let all = upstream.messages().into_iter();
        all.map(|one| one["type"].clone()).collect::<Vec<_>>()
    };
    let expected = ["connection_init", "start", "stop"].map(Value::from);
    eventually(async || kinds() == expected).await;
    let text = gateway.fixture.texts["Events"].clone();
    assert_eq!(upstream.operations()[0]["query"], text);
    // What only the other sub-protocol has is none of this one's.
    socket.send(&by_id(&gateway, "3", "Events")).await.unwrap();
    assert_eq!(socket.end().await.unwrap(), End::Code(4400));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_message_goes_both_ways_whole() {
    if !skip::ready() {
        return;
    }
    let (upstream, gateway) = start().await;
    upstream.pad(LARGE);
    let mut socket = open(&gateway, &[TRANSPORT]).await.unwrap();
    socket.init(json!({})).await.unwrap();
    let mut begin = by_id(&gateway, "1", "Case");
    begin["payload"]["variables"] = json!({"id": "y".repeat(LARGE)});
    socket.send(&begin).await.unwrap();
    let padding = |message: &Value| message["payload"]["data"]["padding"].as_str().map(str::len);
    let next = socket.message().await.unwrap();
    assert_eq!(padding(&next), Some(LARGE), "{}", next["payload"]["errors"]);
    let operations = upstream.operations();
    let id = operations[0]["variables"]["id"].as_str().unwrap();
    assert!(id.len() == LARGE && id.bytes().all(|byte| byte == b'y'));
    // What comes behind it comes in order.
    upstream.emit();
    socket.send(&json!({"type": "ping"})).await.unwrap();
    let mut answers = [
        socket.message().await.unwrap(),
        socket.message().await.unwrap(),
    ];
    answers.sort_by_key(|one| one["type"] == "pong");
    assert_eq!(padding(&answers[0]), Some(LARGE));
    assert_eq!(answers[1], json!({"type": "pong"}));
    // More than a message may have ends the connection, before it is here.
    let [a, b, c, d] = 900_000_u32.to_be_bytes();
    let head = [0x81, 0xff, 0, 0, 0, 0, a, b, c, d, 0, 0, 0, 0];
    socket.send_bytes(&head).await.unwrap();
    assert_eq!(socket.end().await.unwrap(), End::Code(1009));
}

/// As browsers open them within a connection of HTTP/2 (RFC 8441).
#[tokio::test(flavor = "multi_thread")]
async fn extended_connect() {
    if !skip::ready() {
        return;
    }
    let (upstream, gateway) = start().await;
    let token = gateway.fixture.issuer.token(&TokenClaims::alpha());
    let token = format!("Bearer {token}");
    let own = [
        ("authorization", token.as_str()),
        ("x-ig-purpose", "investigation"),
    ];
    let open = async |more: &[(&str, &str)]| {
        let headers = [&own[..], more].concat();
        RawSocket::open_http2(gateway.envoy.gateway, &headers).await
    };
    let deflate = ("sec-websocket-extensions", "permessage-deflate");
    let mut socket = open(&[TRANSPORT, deflate]).await.unwrap();
    let chosen = "sec-websocket-protocol: graphql-transport-ws";
    assert!(socket.head.contains(chosen), "{}", socket.head);
    assert!(!socket.head.contains("permessage-deflate"));
    socket.init(json!({})).await.unwrap();
    socket.send(&by_id(&gateway, "1", "Events")).await.unwrap();
    let next = json!({"id": "1", "type": "next", "payload": {"data": {"asked": "Events"}}});
    assert_eq!(socket.message().await.unwrap(), next);
    let ad_hoc = json!({"query": "subscription { events }"});
    let ad_hoc = json!({"id": "2", "type": "subscribe", "payload": ad_hoc});
    socket.send(&ad_hoc).await.unwrap();
    let error = socket.message().await.unwrap();
    assert_eq!(
        error["payload"][0]["extensions"]["code"],
        "PERSISTED_QUERY_ID_REQUIRED"
    );
    upstream.emit();
    assert_eq!(socket.message().await.unwrap(), next);
    let compressed = client_frame(0xc1, ad_hoc.to_string().as_bytes());
    socket.send_bytes(&compressed).await.unwrap();
    assert_eq!(socket.end().await.unwrap(), End::Code(1002));

    let error = open(&[]).await.err().unwrap().to_string();
    assert!(error.starts_with("HTTP/2 403"), "{error}");
    let nobody = RawSocket::open_http2(gateway.envoy.gateway, &[TRANSPORT]).await;
    let error = nobody.err().unwrap().to_string();
    assert!(error.starts_with("HTTP/2 401"), "{error}");
    assert_eq!(upstream.operations().len(), 1);
    drop(socket);
    eventually(async || upstream.open() == 0).await;
}
