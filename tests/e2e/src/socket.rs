//! WebSockets: an upstream that speaks both sub-protocols and records what it is
//! told, and a client that sends any bytes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

/// What an upstream was told, and how it answers.
#[derive(Default)]
struct Told {
    headers: Vec<Vec<(String, String)>>,
    messages: Vec<Value>,
    /// Connections that are open.
    open: usize,
    /// What results have besides.
    padding: String,
}

/// A WebSocket server; it listens until the runtime ends.
#[derive(Clone)]
pub struct SocketUpstream {
    /// Where it listens.
    pub address: SocketAddr,
    told: Arc<Mutex<Told>>,
    events: broadcast::Sender<()>,
}

impl SocketUpstream {
    /// Starts it on a free port. `answer` are headers that its handshake has in
    /// place of the sub-protocol that was asked for.
    ///
    /// # Errors
    /// When there is no port.
    pub async fn start(answer: Option<&'static [(&'static str, &'static str)]>) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let upstream = Self {
            address: listener.local_addr()?,
            told: Arc::default(),
            events: broadcast::Sender::new(16),
        };
        let serving = upstream.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let upstream = serving.clone();
                tokio::spawn(async move { upstream.serve(stream, answer).await });
            }
        });
        Ok(upstream)
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All messages so far.
    pub fn messages(&self) -> Vec<Value> {
        self.told().messages.clone()
    }

    /// The payloads of all operations that reached it.
    pub fn operations(&self) -> Vec<Value> {
        let all = self.messages().into_iter();
        let begins = all.filter(|one| one["type"] == "subscribe" || one["type"] == "start");
        begins.map(|one| one["payload"].clone()).collect()
    }

    /// The headers of each handshake.
    pub fn handshakes(&self) -> Vec<Vec<(String, String)>> {
        self.told().headers.clone()
    }

    /// Connections that are open.
    pub fn open(&self) -> usize {
        self.told().open
    }

    /// Has operations that begin from now on give results of at least so many bytes.
    pub fn pad(&self, bytes: usize) {
        self.told().padding = "x".repeat(bytes);
    }

    /// Has every operation that runs give another result.
    pub fn emit(&self) {
        let _ = self.events.send(());
    }

    async fn serve(
        &self,
        stream: TcpStream,
        answer: Option<&'static [(&'static str, &'static str)]>,
    ) {
        let told = self.told.clone();
        #[allow(clippy::result_large_err, reason = "the library's")]
        let choose = move |request: &Request, mut response: Response| {
            let text =
                |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
            let headers = request.headers().iter();
            let headers = headers.map(|(name, value)| (name.to_string(), text(value)));
            let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
            told.headers.push(headers.collect());
            match answer {
                Some(headers) => {
                    for (name, value) in headers {
                        let value = http::HeaderValue::from_static(value);
                        response.headers_mut().append(*name, value);
                    }
                }
                None => {
                    let asked = request.headers().get("sec-websocket-protocol").cloned();
                    if let Some(value) = asked {
                        response
                            .headers_mut()
                            .insert("sec-websocket-protocol", value);
                    }
                }
            }
            Ok(response)
        };
        let Ok(socket) = accept_hdr_async(stream, choose).await else {
            return;
        };
        self.told().open += 1;
        let _ = self.speak(socket).await;
        self.told().open -= 1;
    }

    fn result(&self, of: &Value) -> Value {
        let mut data = json!({"asked": of["operationName"]});
        let padding = self.told().padding.clone();
        if !padding.is_empty() {
            data["padding"] = padding.into();
        }
        json!({"data": data})
    }

    async fn speak(&self, mut socket: WebSocketStream<TcpStream>) -> Result<(), Error> {
        // What results are called, and each operation's.
        let mut kind = "next";
        let mut running: Vec<(String, Value)> = Vec::new();
        let mut events = self.events.subscribe();
        loop {
            let message = tokio::select! {
                message = socket.next() => message,
                _ = events.recv() => {
                    for (id, data) in &running {
                        let next = json!({"id": id, "type": kind, "payload": data});
                        socket.send(Message::text(next.to_string())).await?;
                    }
                    continue;
                }
            };
            let Some(message) = message else {
                return Ok(());
            };
            let Message::Text(text) = message? else {
                continue;
            };
            let message: Value = serde_json::from_str(&text).unwrap_or_default();
            self.told().messages.push(message.clone());
            let id = message["id"].as_str().unwrap_or_default().to_owned();
            let answer = match message["type"].as_str() {
                Some("connection_init") => json!({"type": "connection_ack"}),
                Some("ping") => json!({"type": "pong"}),
                Some(begin @ ("subscribe" | "start")) => {
                    kind = if begin == "start" { "data" } else { "next" };
                    let data = self.result(&message["payload"]);
                    running.push((id.clone(), data.clone()));
                    json!({"id": id, "type": kind, "payload": data})
                }
                Some("complete" | "stop") => {
                    running.retain(|(other, _)| *other != id);
                    continue;
                }
                _ => continue,
            };
            socket.send(Message::text(answer.to_string())).await?;
        }
    }
}

/// What a client's WebSocket goes over.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

/// A client's end of a WebSocket.
pub struct RawSocket {
    socket: WebSocketStream<Box<dyn Duplex>>,
    /// Status line and headers of the answer.
    pub head: String,
}

/// How a socket ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// With this code; 1005 for none.
    Code(u16),
    /// Without a close frame.
    Cut,
}

/// Longest wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

impl RawSocket {
    /// Opens a WebSocket with these headers beside those of every handshake.
    ///
    /// # Errors
    /// The head of the answer, where it is none of 101.
    pub async fn open(gateway: SocketAddr, headers: &[(&str, &str)]) -> Result<Self> {
        let mut stream = TcpStream::connect(gateway).await?;
        stream.set_nodelay(true)?;
        let mut request = String::from(
            "GET /graphql HTTP/1.1\r\nhost: gateway\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        stream.write_all(request.as_bytes()).await?;
        let head = tokio::time::timeout(PATIENCE, head(&mut stream)).await??;
        if !head.starts_with("HTTP/1.1 101") {
            let mut body = vec![0; 2_000];
            let read = tokio::time::timeout(Duration::from_millis(200), stream.read(&mut body));
            let length = read.await.map_or(0, |read| read.unwrap_or_default());
            body.truncate(length);
            bail!("{head}{}", String::from_utf8_lossy(&body));
        }
        Ok(Self::over(Box::new(stream), head).await)
    }

    pub(crate) async fn over(stream: Box<dyn Duplex>, head: String) -> Self {
        let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
        Self { socket, head }
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send(&mut self, message: &Value) -> Result<()> {
        Ok(self.socket.send(Message::text(message.to_string())).await?)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the connection is gone.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let stream = self.socket.get_mut();
        stream.write_all(bytes).await?;
        Ok(stream.flush().await?)
    }

    /// The next text message.
    ///
    /// # Errors
    /// When there is none in time, or the connection ends.
    pub async fn message(&mut self) -> Result<Value> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next());
            match next
                .await
                .context("nothing in time")?
                .context("the end")??
            {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(close) => bail!("closed: {close:?}"),
                _ => {}
            }
        }
    }

    /// Says hello, and waits for the acknowledgement.
    ///
    /// # Errors
    /// As [`Self::message`].
    pub async fn init(&mut self, payload: Value) -> Result<()> {
        self.send(&json!({"type": "connection_init", "payload": payload}))
            .await?;
        let answer = self.message().await?;
        match answer["type"] == "connection_ack" {
            true => Ok(()),
            false => bail!("{answer}"),
        }
    }

    /// Reads on until the socket ends, and says how.
    ///
    /// # Errors
    /// When it does not end in time.
    pub async fn end(&mut self) -> Result<End> {
        let end = self.told().await?;
        let reading = async { while let Some(Ok(_)) = self.socket.next().await {} };
        let read = tokio::time::timeout(PATIENCE, reading).await;
        read.context("it does not end").map(|()| end)
    }

    /// Reads until somebody says that it is over, which is before the connection ends:
    /// a proxy gives the peer a second to hang up.
    ///
    /// # Errors
    /// When nobody says so in time.
    pub async fn told(&mut self) -> Result<End> {
        let reading = async {
            while let Some(Ok(message)) = self.socket.next().await {
                if let Message::Close(close) = message {
                    return End::Code(close.map_or(1005, |close| close.code.into()));
                }
            }
            End::Cut
        };
        tokio::time::timeout(PATIENCE, reading)
            .await
            .context("it is not over")
    }
}

async fn head(stream: &mut TcpStream) -> Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    Ok(String::from_utf8(head)?)
}

/// A client's frame: its first byte, and its payload, masked.
pub fn client_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const KEY: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![first];
    match u16::try_from(payload.len()) {
        Ok(short @ 0..=125) => frame.push(0x80 | short as u8),
        Ok(medium) => {
            frame.push(0x80 | 126);
            frame.extend(medium.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(
        payload
            .iter()
            .zip(KEY.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    frame
}
