//! Load over connections that are kept, and what was answered.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// A request of a load.
pub type LoadRequest = http::Request<Full<Bytes>>;

/// A connection that is made anew where it ended.
pub struct Connection {
    to: SocketAddr,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// One that is made with its first request.
    pub fn new(to: SocketAddr) -> Self {
        Self { to, sender: None }
    }

    /// Sends a request; the head and the body of the answer.
    ///
    /// # Errors
    /// If there is no whole answer.
    pub async fn send(&mut self, request: LoadRequest) -> Result<(http::response::Parts, Bytes)> {
        let mut kept = self.sender.take();
        if let Some(sender) = &mut kept
            && sender.ready().await.is_err()
        {
            kept = None;
        }
        let mut sender = match kept {
            Some(sender) => sender,
            None => {
                let stream = TcpStream::connect(self.to).await.context("connect")?;
                stream.set_nodelay(true)?;
                let io = TokioIo::new(stream);
                let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await?;
                tokio::spawn(connection);
                sender.ready().await?;
                sender
            }
        };
        let (head, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok((head, body))
    }
}

/// How requests are sent.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Connections to each address.
    pub connections: u32,
    /// For how long.
    pub time: Duration,
    /// Requests per second over all connections; none is as many as there can
    /// be.
    pub per_second: Option<f64>,
}

/// What was answered.
#[derive(Default, Debug)]
pub struct Answers {
    /// Answers by status; 0 is no answer.
    pub by_status: BTreeMap<u16, u64>,
    /// How long answers of 200 took, in microseconds, ascending. Where there is a
    /// pace, from when the request should have been sent.
    pub micros: Vec<u64>,
}

impl Answers {
    /// Answers of a status.
    pub fn of(&self, status: u16) -> u64 {
        self.by_status.get(&status).copied().unwrap_or_default()
    }

    /// All of them.
    pub fn all(&self) -> u64 {
        self.by_status.values().sum()
    }

    /// A quantile of the times, in microseconds.
    pub fn quantile(&self, part: f64) -> u64 {
        let last = self.micros.len().saturating_sub(1);
        let at = (last as f64 * part).round() as usize;
        self.micros.get(at).copied().unwrap_or_default()
    }
}

/// Sends requests to all addresses.
///
/// # Errors
/// If a task panics.
pub async fn load(
    to: &[SocketAddr],
    pace: Pace,
    request: impl Fn() -> LoadRequest + Send + Sync + 'static,
) -> Result<Answers> {
    let request = Arc::new(request);
    let lanes: Vec<_> = to
        .iter()
        .flat_map(|address| (0..pace.connections).map(|_| *address))
        .collect();
    let gap = pace
        .per_second
        .map(|all| Duration::from_secs_f64(lanes.len() as f64 / all));
    let started = Instant::now();
    let mut running = JoinSet::new();
    for (number, address) in (0u32..).zip(lanes.iter().copied()) {
        let request = request.clone();
        // Lanes of one pace take turns.
        let offset = gap.map(|gap| gap * number / u32::try_from(lanes.len()).unwrap_or(1));
        running.spawn(async move {
            let (mut answers, mut connection) = (Answers::default(), Connection::new(address));
            let mut due = started + offset.unwrap_or_default();
            while started.elapsed() < pace.time {
                if gap.is_some() {
                    tokio::time::sleep_until(due.into()).await;
                }
                let since = if gap.is_some() { due } else { Instant::now() };
                let status = match connection.send(request()).await {
                    Ok((head, _)) => head.status.as_u16(),
                    Err(_) => 0,
                };
                *answers.by_status.entry(status).or_default() += 1;
                if status == 200 {
                    let micros = u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX);
                    answers.micros.push(micros);
                }
                due += gap.unwrap_or_default();
            }
            answers
        });
    }
    let mut sum = Answers::default();
    while let Some(one) = running.join_next().await {
        let one = one?;
        for (status, count) in one.by_status {
            *sum.by_status.entry(status).or_default() += count;
        }
        sum.micros.extend(one.micros);
    }
    sum.micros.sort_unstable();
    Ok(sum)
}
