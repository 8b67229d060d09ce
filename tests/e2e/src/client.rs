//! Raw clients: what they send is what the test says, well-formed or not.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request in pieces.
#[derive(Clone, Debug, Default)]
pub struct RawRequest {
    /// Method.
    pub method: String,
    /// Request target.
    pub target: String,
    /// Headers in order; values may hold any byte.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Body in pieces, each a chunk or a DATA frame.
    pub chunks: Vec<Vec<u8>>,
    /// Whether an HTTP/1.1 body is chunked (`true`) or has a content-length.
    pub chunked: bool,
    /// Trailers; HTTP/1.1 sends them only with a chunked body.
    pub trailers: Vec<(String, String)>,
}

/// A response.
#[derive(Clone, Debug)]
pub struct RawResponse {
    /// Status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Body.
    pub body: Vec<u8>,
}

impl RawResponse {
    /// First value of a header.
    pub fn header(&self, name: &str) -> Option<String> {
        let found = self.headers.iter().find(|(other, _)| other == name);
        found.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
    }

    /// A member of the first error's extensions.
    pub fn extension(&self, name: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.body).ok()?;
        let first = body
            .as_array()
            .and_then(|items| items.first())
            .unwrap_or(&body);
        Some(first["errors"][0]["extensions"][name].as_str()?.to_owned())
    }
}

const PATIENCE: Duration = Duration::from_secs(10);

/// Sends a request over a connection of its own, in HTTP/1.1.
///
/// # Errors
/// If no whole response comes within ten seconds.
pub async fn http1(to: SocketAddr, request: &RawRequest) -> Result<RawResponse> {
    let mut bytes = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
    let has_host = request
        .headers
        .iter()
        .any(|(name, _)| name.eq_ignore_ascii_case("host"));
    if !has_host {
        bytes.extend_from_slice(b"host: gateway\r\n");
    }
    bytes.extend_from_slice(b"connection: close\r\n");
    for (name, value) in &request.headers {
        bytes.extend_from_slice(name.as_bytes());
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(value);
        bytes.extend_from_slice(b"\r\n");
    }
    let body = request.chunks.concat();
    if request.chunked {
        bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
        for chunk in &request.chunks {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n");
        for (name, value) in &request.trailers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
    } else {
        if !body.is_empty() || request.method == "POST" {
            bytes.extend_from_slice(format!("content-length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&body);
    }
    let exchange = async {
        let mut stream = TcpStream::connect(to).await?;
        // An answer may come, and the connection go, before all is written.
        let _ = stream.write_all(&bytes).await;
        let mut answer = Vec::new();
        // Envoy keeps a refused connection open for a second; an answer that
        // is whole is not waited for.
        loop {
            let read = stream.read_buf(&mut answer).await;
            let is_end = !matches!(read, Ok(1..));
            match parse(&answer) {
                Ok(response) => return Ok(response),
                Err(error) if is_end => return Err(error),
                Err(_) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, exchange)
        .await
        .context("no answer")?
}

fn parse(answer: &[u8]) -> Result<RawResponse> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(end) = response.parse(answer)? else {
        bail!("incomplete answer: {:?}", String::from_utf8_lossy(answer));
    };
    let status = response.code.unwrap_or_default();
    let headers: Vec<_> = response
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), header.value.to_vec()))
        .collect();
    if (100..200).contains(&status) && status != 101 {
        return parse(&answer[end..]);
    }
    let is_chunked = headers.iter().any(|(name, _)| name == "transfer-encoding");
    let rest = &answer[end..];
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
    let body = match (is_chunked, length) {
        (true, _) => dechunk(rest)?,
        (false, length) => rest
            .get(..length.unwrap_or(0))
            .context("truncated body")?
            .to_vec(),
    };
    Ok(RawResponse {
        status,
        headers,
        body,
    })
}

fn dechunk(mut rest: &[u8]) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let Ok(httparse::Status::Complete((start, size))) = httparse::parse_chunk_size(rest) else {
            bail!("malformed chunk");
        };
        let size = usize::try_from(size)?;
        if size == 0 {
            return Ok(body);
        }
        let chunk = rest.get(start..start + size).context("truncated chunk")?;
        body.extend_from_slice(chunk);
        rest = rest.get(start + size + 2..).context("truncated chunk")?;
    }
}

/// Sends a request over a connection of its own, in HTTP/2.
///
/// # Errors
/// If no whole response comes within ten seconds.
pub async fn http2(to: SocketAddr, request: &RawRequest) -> Result<RawResponse> {
    tokio::time::timeout(PATIENCE, exchange(to, request))
        .await
        .context("no answer")?
}

async fn exchange(to: SocketAddr, request: &RawRequest) -> Result<RawResponse> {
    let (mut sender, connection) = h2::client::handshake(TcpStream::connect(to).await?).await?;
    let connection = tokio::spawn(connection);
    let mut head = http::Request::builder()
        .method(request.method.as_str())
        .uri(format!("http://gateway{}", request.target));
    for (name, value) in &request.headers {
        head = head.header(name.as_str(), http::HeaderValue::from_bytes(value)?);
    }
    let has_more = !request.chunks.is_empty() || !request.trailers.is_empty();
    let (response, mut body) = sender.send_request(head.body(())?, !has_more)?;
    let last = request.chunks.len().saturating_sub(1);
    for (index, chunk) in request.chunks.iter().enumerate() {
        let is_end = index == last && request.trailers.is_empty();
        // The answer may already be there.
        if body
            .send_data(Bytes::copy_from_slice(chunk), is_end)
            .is_err()
        {
            break;
        }
    }
    if !request.trailers.is_empty() {
        let mut trailers = http::HeaderMap::new();
        for (name, value) in &request.trailers {
            trailers.insert(
                http::HeaderName::from_bytes(name.as_bytes())?,
                value.parse()?,
            );
        }
        let _ = body.send_trailers(trailers);
    }
    let (head, mut stream) = response.await?.into_parts();
    let mut received = Vec::new();
    while let Some(chunk) = stream.data().await {
        let chunk = chunk?;
        stream.flow_control().release_capacity(chunk.len())?;
        received.extend_from_slice(&chunk);
    }
    connection.abort();
    let headers = head.headers.iter();
    Ok(RawResponse {
        status: head.status.as_u16(),
        headers: headers
            .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
            .collect(),
        body: received,
    })
}
