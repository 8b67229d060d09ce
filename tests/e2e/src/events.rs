//! The WebSocket side of an upstream that gives three results for whatever is asked.

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http::{Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Takes the handshake of a WebSocket, and then speaks `graphql-transport-ws` on it:
/// each operation gives `payload` three times.
pub fn open_events(request: &mut Request<Incoming>, payload: Value) -> Response<Full<Bytes>> {
    let header = |name: &str| request.headers().get(name).cloned();
    let (key, asked) = (
        header("sec-websocket-key"),
        header("sec-websocket-protocol"),
    );
    let mut answer = Response::default();
    let (Some(key), Some(asked)) = (key, asked) else {
        *answer.status_mut() = StatusCode::BAD_REQUEST;
        return answer;
    };
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(stream) = upgrade.await {
            let stream = TokioIo::new(stream);
            let socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            // Whoever hangs up has what they want.
            let _ = speak(socket, &payload).await;
        }
    });
    let accept = Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", derive_accept_key(key.as_bytes()))
        .header("sec-websocket-protocol", asked)
        .body(Full::default());
    accept.unwrap_or(answer)
}

async fn speak(
    mut socket: WebSocketStream<TokioIo<Upgraded>>,
    payload: &Value,
) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else {
            continue;
        };
        let message: Value = serde_json::from_str(&text).unwrap_or_default();
        let id = &message["id"];
        let answers = match message["type"].as_str() {
            Some("connection_init") => vec![json!({"type": "connection_ack"})],
            Some("ping") => vec![json!({"type": "pong"})],
            Some("subscribe") => {
                let next = json!({"id": id, "type": "next", "payload": payload});
                let complete = json!({"id": id, "type": "complete"});
                vec![next.clone(), next.clone(), next, complete]
            }
            _ => Vec::new(),
        };
        for answer in answers {
            socket.send(Message::text(answer.to_string())).await?;
        }
    }
    Ok(())
}
