//! Subscriptions over WebSocket, in both sub-protocols.

use async_graphql::http::{WebSocket as GraphqlSocket, WebSocketProtocols, WsMessage};
use async_graphql::{Data, Error};
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use futures_util::{SinkExt as _, StreamExt as _};

use crate::schema::{Caller, InvestigationSchema};

/// Longest message of a client, in bytes.
const MOST: usize = 1 << 20;

/// Opens a WebSocket for the caller of the handshake's headers.
pub(crate) fn open(
    upgrade: WebSocketUpgrade,
    schema: InvestigationSchema,
    headers: HeaderMap,
) -> Response {
    let upgrade = upgrade
        .max_message_size(MOST)
        .protocols(["graphql-transport-ws", "graphql-ws"]);
    let name = upgrade.selected_protocol();
    let protocol = name.and_then(|name| name.to_str().ok()?.parse().ok());
    match protocol {
        Some(protocol) => {
            upgrade.on_upgrade(move |socket| speak(socket, schema, headers, protocol))
        }
        None => (StatusCode::BAD_REQUEST, "no GraphQL sub-protocol\n").into_response(),
    }
}

async fn speak(
    socket: WebSocket,
    schema: InvestigationSchema,
    headers: HeaderMap,
    protocol: WebSocketProtocols,
) {
    let (mut sink, stream) = socket.split();
    let texts = stream
        .take_while(|message| futures_util::future::ready(message.is_ok()))
        .filter_map(|message| async move {
            match message {
                Ok(Message::Text(text)) => Some(text.as_str().to_owned()),
                _ => None,
            }
        });
    let with_caller = |_| async move {
        let mut data = Data::default();
        data.insert(Caller::new(headers));
        Ok::<_, Error>(data)
    };
    let mut answers =
        std::pin::pin!(GraphqlSocket::new(schema, texts, protocol).on_connection_init(with_caller));
    while let Some(answer) = answers.next().await {
        let message = match answer {
            WsMessage::Text(text) => Message::Text(text.into()),
            WsMessage::Close(code, reason) => Message::Close(Some(CloseFrame {
                code,
                reason: reason.into(),
            })),
        };
        if sink.send(message).await.is_err() {
            return;
        }
    }
}
