//! The proxy does to a connection what its toxics say.

#![allow(clippy::unwrap_used, reason = "a helper of tests fails like a test")]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use ig_chaos::fault::{FaultProxy, Toxics};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Sends back what comes.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

async fn link() -> (FaultProxy, TcpStream) {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let proxy = FaultProxy::start("link", any, echo().await).await.unwrap();
    let stream = TcpStream::connect(proxy.address).await.unwrap();
    (proxy, stream)
}

/// How long bytes take there and back.
async fn round(stream: &mut TcpStream, length: usize) -> Duration {
    let started = Instant::now();
    let sent = vec![7; length];
    let (mut from, mut to) = stream.split();
    let mut came = vec![0; length];
    let (written, read) = tokio::join!(to.write_all(&sent), from.read_exact(&mut came));
    written.unwrap();
    read.unwrap();
    assert_eq!(came, sent);
    started.elapsed()
}

#[tokio::test]
async fn bytes_arrive_as_they_were_sent_and_later_where_it_says_so() {
    let (proxy, mut stream) = link().await;
    round(&mut stream, 1 << 20).await;
    proxy.set(Toxics {
        latency: Duration::from_millis(60),
        jitter: Duration::from_millis(20),
        ..Toxics::default()
    });
    // Both directions, and pieces overlap on their way.
    let took = round(&mut stream, 1 << 20).await;
    assert!(took >= Duration::from_millis(120), "{took:?}");
    proxy.set(Toxics {
        bandwidth: Some(256 << 10),
        ..Toxics::default()
    });
    let took = round(&mut stream, 128 << 10).await;
    assert!(took >= Duration::from_millis(400), "{took:?}");
    proxy.set(Toxics {
        loss: 1.0,
        ..Toxics::default()
    });
    let took = round(&mut stream, 10).await;
    assert!(took >= Duration::from_millis(400), "{took:?}");
}

#[tokio::test]
async fn a_partition_says_nothing_and_loses_nothing() {
    let (proxy, mut stream) = link().await;
    round(&mut stream, 10).await;
    proxy.set(Toxics {
        timeout: true,
        ..Toxics::default()
    });
    stream.write_all(b"a").await.unwrap();
    let waited = tokio::time::timeout(Duration::from_millis(200), stream.read_u8()).await;
    assert!(waited.is_err());
    proxy.set(Toxics::default());
    assert_eq!(stream.read_u8().await.unwrap(), b'a');
}

#[tokio::test]
async fn connections_end_and_none_begins_while_it_is_down() {
    let (proxy, mut stream) = link().await;
    round(&mut stream, 10).await;
    proxy.set(Toxics {
        down: true,
        ..Toxics::default()
    });
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    let mut other = TcpStream::connect(proxy.address).await.unwrap();
    let read = other.read(&mut [0]).await;
    assert!(read.is_err() || read.is_ok_and(|length| length == 0));
    proxy.set(Toxics::default());
    let mut other = TcpStream::connect(proxy.address).await.unwrap();
    round(&mut other, 10).await;
}

#[tokio::test]
async fn connections_are_reset() {
    let (proxy, mut stream) = link().await;
    round(&mut stream, 10).await;
    proxy.set(Toxics {
        reset_peer: true,
        ..Toxics::default()
    });
    let error = stream.read(&mut [0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn an_end_is_told_late() {
    let (proxy, mut stream) = link().await;
    proxy.set(Toxics {
        slow_close: Duration::from_millis(200),
        ..Toxics::default()
    });
    round(&mut stream, 10).await;
    let started = Instant::now();
    stream.shutdown().await.unwrap();
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
    assert!(started.elapsed() >= Duration::from_millis(400));
}
