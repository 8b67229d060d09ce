//! Reads on, for a while, what a refused request still sends.
//!
//! A connection that is closed while its body is under way is reset, and with
//! it goes the answer that says why (RFC 9112 §9.6). So the rest of a body that
//! no handler wanted is read and thrown away, up to a bound in bytes and time.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, HttpBody as _};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use tokio_stream::{Stream, StreamExt as _};

/// What is read on at most. A client that sends more sees its connection end.
const MAX_BYTES: usize = 1 << 20;

/// How long.
const PATIENCE: Duration = Duration::from_secs(2);

/// Gives the request a body whose rest is read.
pub(crate) async fn linger(request: Request, next: Next) -> Response {
    let request = request.map(|body| {
        if body.is_end_stream() {
            return body;
        }
        let body = Some(body.into_data_stream());
        Body::from_stream(Lingering { body })
    });
    next.run(request).await
}

struct Lingering {
    /// `None` once it has ended.
    body: Option<BodyDataStream>,
}

impl Stream for Lingering {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let next = std::task::ready!(Pin::new(body).poll_next(context));
        if !matches!(next, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(next)
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        let (Some(body), Ok(runtime)) = (self.body.take(), tokio::runtime::Handle::try_current())
        else {
            return;
        };
        runtime.spawn(tokio::time::timeout(PATIENCE, discard(body)));
    }
}

async fn discard(mut body: BodyDataStream) {
    let mut left = MAX_BYTES;
    while let Some(Ok(chunk)) = body.next().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
