//! What becomes of WebSockets when what is known of who opened them changes.

use std::time::{Duration, Instant};

use ig_contract::snapshot::Subscriptions;
use ig_e2e::{End, RawSocket, SocketUpstream, TokenClaims};
use serde_json::json;

use crate::directory::{People, fixture, with_people};
use crate::gateway::Gateway;
use crate::identity::eventually;
use crate::skip;
use crate::sockets::{TRANSPORT, by_id, open, with_sockets};

async fn start() -> (People, SocketUpstream, Gateway) {
    let people = People::start().await;
    let upstream = SocketUpstream::start(None).await.unwrap();
    let mut fixture = fixture().await;
    fixture.head.subscriptions = Some(Subscriptions::default());
    let gateway = Gateway::with_options(fixture, |options| {
        with_people(options, &people);
        with_sockets(options, &upstream);
    })
    .await;
    people.until_polled().await;
    (people, upstream, gateway)
}

async fn running(gateway: &Gateway) -> RawSocket {
    let mut socket = open(gateway, &[TRANSPORT]).await.unwrap();
    socket.init(json!({})).await.unwrap();
    socket.send(&by_id(gateway, "1", "Events")).await.unwrap();
    assert_eq!(socket.message().await.unwrap()["type"], "next");
    socket
}

/// Silent or not, a connection ends when its subject is suspended, and says why.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_subjects_subscriptions_end() {
    if !skip::ready() {
        return;
    }
    let (people, upstream, gateway) = start().await;
    for is_busy in [false, true] {
        let mut socket = running(&gateway).await;
        let events = upstream.clone();
        let busy = tokio::spawn(async move {
            let mut pause = tokio::time::interval(Duration::from_millis(5));
            loop {
                pause.tick().await;
                if is_busy {
                    events.emit();
                }
            }
        });
        let begun = Instant::now();
        people.change(|facts| facts.active = false);
        assert_eq!(socket.told().await.unwrap(), End::Code(4403));
        assert!(
            begun.elapsed() < Duration::from_secs(2),
            "{:?}",
            begun.elapsed()
        );
        // And then nothing is said any more.
        assert_eq!(socket.end().await.unwrap(), End::Cut);
        busy.abort();
        eventually(async || upstream.open() == 0).await;
        let error = open(&gateway, &[TRANSPORT])
            .await
            .err()
            .unwrap()
            .to_string();
        assert!(error.starts_with("HTTP/1.1 403"), "{error}");
        people.change(|facts| facts.active = true);
        eventually(async || open(&gateway, &[TRANSPORT]).await.is_ok()).await;
    }
}

/// What policy would deny now ends; the connection does not.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_allowed_any_more_ends() {
    if !skip::ready() {
        return;
    }
    let (people, upstream, gateway) = start().await;
    let mut socket = running(&gateway).await;
    people.change(|facts| facts.groups.clear());
    let error = socket.message().await.unwrap();
    assert_eq!(
        (&error["type"], &error["id"]),
        (&json!("error"), &json!("1"))
    );
    assert_eq!(error["payload"][0]["extensions"]["code"], "PURPOSE_DENIED");
    let complete = json!({"id": "1", "type": "complete"});
    eventually(async || upstream.messages().contains(&complete)).await;
    socket.send(&json!({"type": "ping"})).await.unwrap();
    assert_eq!(socket.message().await.unwrap()["type"], "pong");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_ends_with_its_token() {
    if !skip::ready() {
        return;
    }
    let (_, _, gateway) = start().await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let soon = now.unwrap().as_secs() + 2;
    let claims = TokenClaims::alpha().with("exp", soon.into());
    let token = format!("Bearer {}", gateway.fixture.issuer.token(&claims));
    let headers = [
        ("authorization", token.as_str()),
        ("x-ig-purpose", "investigation"),
        TRANSPORT,
    ];
    let mut socket = RawSocket::open(gateway.envoy.gateway, &headers)
        .await
        .unwrap();
    socket.init(json!({})).await.unwrap();
    assert_eq!(socket.end().await.unwrap(), End::Code(4403));
}
