//! Answers of megabytes to strangers: how much of them is in memory at once, and
//! for how long. A turn to read ends when the database has answered, since who
//! reads slowly shall keep no connection from others; what was read is kept until
//! it is sent, and this bounds that.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;
use tokio_stream::Stream;

/// What is sent at once, in bytes. Smaller answers are not counted: the
/// connection itself keeps more.
const PIECE: usize = 64 << 10;
/// Pieces of all answers together: 64 MiB, four of the largest bundles.
const PIECES: usize = 1024;
/// How long an answer may take to be sent; a bundle has 16 MiB at most.
const LONGEST: Duration = Duration::from_secs(60);

/// Memory for answers that are being sent.
pub(super) struct Lending {
    pieces: Arc<Semaphore>,
    longest: Duration,
}

impl Default for Lending {
    fn default() -> Self {
        Self::new(PIECES, LONGEST)
    }
}

impl Lending {
    fn new(pieces: usize, longest: Duration) -> Self {
        Self {
            pieces: Arc::new(Semaphore::new(pieces)),
            longest,
        }
    }

    /// Makes a body of bytes. One that is not sent in time ends as a broken one.
    ///
    /// `None` where others have all there is. Nobody waits for it: they would have
    /// turns to read meanwhile, which small answers need.
    pub(super) fn body(&self, bytes: Vec<u8>) -> Option<Body> {
        if bytes.len() <= PIECE {
            return Some(bytes.into());
        }
        Some(Body::from_stream(self.sending(bytes)?))
    }

    fn sending(&self, bytes: Vec<u8>) -> Option<Sending> {
        let pieces = u32::try_from(bytes.len().div_ceil(PIECE)).ok()?;
        let pieces = Arc::clone(&self.pieces).try_acquire_many_owned(pieces);
        let lent = Lent {
            bytes: bytes.into(),
            _pieces: pieces.ok()?,
        };
        let lent = Arc::new(Mutex::new(Some(lent)));
        let (of, longest) = (Arc::downgrade(&lent), self.longest);
        let overdue = tokio::spawn(async move {
            tokio::time::sleep(longest).await;
            take_back(&of);
        });
        Some(Sending {
            lent,
            overdue: overdue.abort_handle(),
        })
    }
}

/// What is not sent yet.
struct Lent {
    bytes: Bytes,
    _pieces: OwnedSemaphorePermit,
}

/// Whoever polls it later finds that it is gone.
fn take_back(of: &Weak<Mutex<Option<Lent>>>) {
    if let Some(lent) = of.upgrade() {
        lent.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

/// A body that is being sent.
struct Sending {
    lent: Arc<Mutex<Option<Lent>>>,
    overdue: AbortHandle,
}

impl Stream for Sending {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut lent = self.lent.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left) = lent.as_mut() else {
            let error = axum::Error::new("the answer was not read in time");
            return Poll::Ready(Some(Err(error)));
        };
        let piece = left.bytes.split_to(left.bytes.len().min(PIECE));
        // A part would keep the whole in memory for as long as it waits to be written.
        let piece = Bytes::copy_from_slice(&piece);
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.overdue.abort();
    }
}

#[cfg(test)]
mod tests {
    use tokio_stream::StreamExt as _;

    use super::*;

    fn free(lending: &Lending) -> usize {
        lending.pieces.available_permits()
    }

    #[tokio::test]
    async fn an_answer_is_sent_whole_and_its_memory_is_free_then() {
        let lending = Lending::new(4, LONGEST);
        let bytes: Vec<u8> = (0..PIECE * 2 + 1).map(|at| (at % 251) as u8).collect();
        let mut sending = lending.sending(bytes.clone()).unwrap();
        assert_eq!(free(&lending), 1);
        let mut sent = Vec::new();
        while let Some(piece) = sending.next().await {
            let piece = piece.unwrap();
            assert!(piece.len() <= PIECE);
            sent.extend_from_slice(&piece);
        }
        assert_eq!(sent, bytes);
        drop(sending);
        assert_eq!(free(&lending), 4);
        // One whose reader is gone.
        drop(lending.sending(bytes).unwrap());
        assert_eq!(free(&lending), 4);
        let small = lending.body(vec![0; PIECE]).unwrap();
        assert_eq!(free(&lending), 4);
        drop(small);
    }

    /// Who does not read takes memory from others for a while, and no longer.
    #[tokio::test]
    async fn who_does_not_read_gives_back_what_was_lent() {
        let lending = Lending::new(4, Duration::from_millis(50));
        let mut slow = lending.sending(vec![0; PIECE * 4]).unwrap();
        assert_eq!(slow.next().await.unwrap().unwrap().len(), PIECE);
        assert_eq!(free(&lending), 0);
        assert!(lending.body(vec![0; PIECE + 1]).is_none());
        assert!(lending.body(vec![0; PIECE]).is_some());
        // Without this it would never be free again.
        while free(&lending) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(free(&lending), 4);
        assert!(slow.next().await.unwrap().is_err());
    }
}
