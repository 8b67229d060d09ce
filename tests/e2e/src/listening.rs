//! A server of HTTP/1.1 that is killed and started again where it was.

use std::convert::Infallible;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpSocket;
use tokio::task::{JoinHandle, JoinSet};

/// A server at an address, running or not.
pub struct Listening {
    address: SocketAddr,
    running: Option<JoinHandle<()>>,
}

impl Listening {
    /// One that does not run yet.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            running: None,
        }
    }

    /// Begins to listen.
    ///
    /// # Errors
    /// If the address is taken.
    pub fn start<A>(
        &mut self,
        answer: impl Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    ) -> Result<()>
    where
        A: Future<Output = Response<Full<Bytes>>> + Send + 'static,
    {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        let address = self.address;
        socket
            .bind(address)
            .with_context(|| format!("cannot listen on {address}"))?;
        let listener = socket.listen(1024)?;
        self.running = Some(tokio::spawn(async move {
            // They end with the listener, as those of a process do.
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                // An answer in several writes does not wait for the client's delayed ACK.
                let _ = stream.set_nodelay(true);
                let answer = answer.clone();
                let service = hyper::service::service_fn(move |request| {
                    let answered = answer(request);
                    async move { Ok::<_, Infallible>(answered.await) }
                });
                let builder = hyper::server::conn::http1::Builder::new();
                let connection = builder.serve_connection(TokioIo::new(stream), service);
                connections.spawn(async move {
                    let _ = connection.with_upgrades().await;
                });
                while connections.try_join_next().is_some() {}
            }
        }));
        Ok(())
    }

    /// Ends the listener and every connection at once, but for those that were
    /// upgraded.
    pub async fn kill(&mut self) {
        if let Some(running) = self.running.take() {
            running.abort();
            let _ = running.await;
        }
    }

    /// Whether it is running.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }
}
