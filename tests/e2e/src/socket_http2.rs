//! A client's WebSocket within a connection of HTTP/2: extended CONNECT (RFC 8441).

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};
use tokio::net::TcpStream;

use crate::RawSocket;
use crate::socket::PATIENCE;

/// Bytes that are on their way between the socket and its stream.
const BUFFER: usize = 64 * 1024;

impl RawSocket {
    /// Opens a WebSocket over HTTP/2 with these headers beside the version's.
    ///
    /// # Errors
    /// The answer, where it is none of 200, or that there is no extended CONNECT.
    pub async fn open_http2(gateway: SocketAddr, headers: &[(&str, &str)]) -> Result<Self> {
        let stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = h2::client::handshake(stream).await?;
        tokio::spawn(connection);
        let mut sender = sender.ready().await?;
        let allowed = async {
            // Until the server's settings are there.
            while !sender.is_extended_connect_protocol_enabled() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, allowed)
            .await
            .context("no extended CONNECT")?;
        let mut request = http::Request::builder()
            .method("CONNECT")
            .uri("http://gateway/graphql")
            .extension(Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (answer, up) = sender.send_request(request.body(())?, false)?;
        let (head, mut down) = tokio::time::timeout(PATIENCE, answer).await??.into_parts();
        let mut text = format!("HTTP/2 {}\r\n", head.status.as_u16());
        for (name, value) in &head.headers {
            text.push_str(&format!("{name}: {}\r\n", value.to_str()?));
        }
        if head.status != http::StatusCode::OK {
            let body = tokio::time::timeout(PATIENCE, down.data()).await?;
            let body = body.transpose()?.unwrap_or_default();
            bail!("{text}\r\n{}", String::from_utf8_lossy(&body));
        }
        let (near, far) = tokio::io::duplex(BUFFER);
        let (from_socket, to_socket) = tokio::io::split(far);
        tokio::spawn(send(from_socket, up));
        tokio::spawn(receive(down, to_socket));
        Ok(Self::over(Box::new(near), text).await)
    }
}

/// Carries what the socket writes, until it is dropped.
async fn send(mut from_socket: ReadHalf<DuplexStream>, mut up: SendStream<Bytes>) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(read @ 1..) = from_socket.read(&mut buffer).await {
        let bytes = Bytes::copy_from_slice(&buffer[..read]);
        if up.send_data(bytes, false).is_err() {
            return;
        }
    }
    up.send_reset(Reason::CANCEL);
}

/// Carries what the socket reads, until the stream ends.
async fn receive(mut down: RecvStream, mut to_socket: WriteHalf<DuplexStream>) {
    while let Some(Ok(bytes)) = down.data().await {
        let _ = down.flow_control().release_capacity(bytes.len());
        if to_socket.write_all(&bytes).await.is_err() {
            return;
        }
    }
    let _ = to_socket.shutdown().await;
}
