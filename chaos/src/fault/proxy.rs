//! A TCP proxy that does to a link what networks do. The names of what it does are
//! those of Toxiproxy's toxics.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;
use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::numbers::Numbers;

/// How long TCP waits before it sends a lost segment again, at the least (RFC 6298
/// says a second; Linux takes 200 ms).
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// Bytes that are on their way in one direction of a connection, in pieces of 16 KiB.
const PIECES: usize = 64;

/// What is done to each connection of a link.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Toxics {
    /// Each byte arrives so much later.
    pub latency: Duration,
    /// And up to so much more, drawn for each piece.
    pub jitter: Duration,
    /// Part of the pieces that are lost once, and sent again after TCP's patience.
    pub loss: f64,
    /// Bytes a second, in each direction.
    pub bandwidth: Option<u64>,
    /// The end of a direction is told so much later.
    pub slow_close: Duration,
    /// Connections are reset, those that are there and those that come.
    pub reset_peer: bool,
    /// Nobody listens, and what is there ends.
    pub down: bool,
    /// Nothing arrives, and nobody is told: a partition.
    pub timeout: bool,
}

/// A link that can be disturbed.
pub struct FaultProxy {
    /// Its name in the history.
    pub name: &'static str,
    /// What stands for the other end.
    pub address: SocketAddr,
    toxics: watch::Sender<Toxics>,
    serving: tokio::task::JoinHandle<()>,
}

impl FaultProxy {
    /// Listens on `at`, for `to`.
    ///
    /// # Errors
    /// If the address is taken.
    pub async fn start(name: &'static str, at: SocketAddr, to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(at)
            .await
            .with_context(|| format!("{name}: cannot listen on {at}"))?;
        let address = listener.local_addr()?;
        let toxics = watch::Sender::new(Toxics::default());
        let serving = tokio::spawn(serve(listener, to, toxics.clone()));
        Ok(Self {
            name,
            address,
            toxics,
            serving,
        })
    }

    /// From now on.
    pub fn set(&self, toxics: Toxics) {
        self.toxics.send_replace(toxics);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, to: SocketAddr, toxics: watch::Sender<Toxics>) {
    let mut number = 0;
    while let Ok((client, _)) = listener.accept().await {
        number += 1;
        let now = *toxics.borrow();
        if now.down || now.reset_peer {
            reset(&client);
            continue;
        }
        let (toxics, numbers) = (toxics.subscribe(), Numbers::new(number));
        tokio::spawn(async move {
            if let Ok(server) = TcpStream::connect(to).await {
                carry(client, server, toxics, numbers).await;
            } else {
                reset(&client);
            }
        });
    }
}

/// The next close is told as a reset.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

async fn carry(
    client: TcpStream,
    server: TcpStream,
    toxics: watch::Receiver<Toxics>,
    mut numbers: Numbers,
) {
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        direction(from_client, to_server, toxics.clone(), numbers.fork()),
        direction(from_server, to_client, toxics.clone(), numbers.fork()),
    );
}

/// One way of a connection, until it or the link ends.
async fn direction(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    toxics: watch::Receiver<Toxics>,
    numbers: Numbers,
) {
    let (send, receive) = mpsc::channel(PIECES);
    let mut link = toxics.clone();
    tokio::select! {
        _ = async {
            tokio::join!(
                take(from, send, toxics.clone(), numbers),
                give(&to, receive, toxics.clone()),
            )
        } => {}
        ended = link.wait_for(|now| now.down || now.reset_peer) => {
            if ended.is_ok_and(|now| now.reset_peer) {
                reset(to.as_ref());
            }
        }
    }
    // Its end has been told, or is not to be.
    to.forget();
}

/// Reads pieces, and says when each is due.
async fn take(
    mut from: OwnedReadHalf,
    send: mpsc::Sender<(Instant, Vec<u8>)>,
    toxics: watch::Receiver<Toxics>,
    mut numbers: Numbers,
) {
    let mut piece = vec![0; 16 << 10];
    let mut last = Instant::now();
    while let Ok(length) = from.read(&mut piece).await {
        let now = *toxics.borrow();
        let mut due = Instant::now() + now.latency + now.jitter.mul_f64(numbers.part());
        let mut wait = RETRANSMISSION;
        while numbers.part() < now.loss && wait < Duration::from_secs(1) {
            due += wait;
            wait *= 2;
        }
        if length == 0 {
            due += now.slow_close;
        }
        if let Some(bandwidth) = now.bandwidth {
            let takes = length as f64 / bandwidth.max(1) as f64;
            due = due.max(last) + Duration::from_secs_f64(takes);
        }
        // TCP keeps the order.
        due = due.max(last);
        last = due;
        let piece = piece.get(..length).unwrap_or_default().to_vec();
        if send.send((due, piece)).await.is_err() || length == 0 {
            return;
        }
    }
}

async fn give(
    to: &OwnedWriteHalf,
    mut receive: mpsc::Receiver<(Instant, Vec<u8>)>,
    mut toxics: watch::Receiver<Toxics>,
) {
    while let Some((due, piece)) = receive.recv().await {
        tokio::time::sleep_until(due).await;
        if toxics.wait_for(|now| !now.timeout).await.is_err() {
            return;
        }
        if piece.is_empty() || write_all(to, &piece).await.is_err() {
            break;
        }
    }
    let _ = rustix::net::shutdown(to.as_ref(), rustix::net::Shutdown::Write);
}

async fn write_all(to: &OwnedWriteHalf, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
