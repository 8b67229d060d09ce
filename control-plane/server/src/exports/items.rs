//! Files that are sent to be hashed: multipart (RFC 7578), of which no file is
//! kept, and never more than a part of one in memory.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::multipart::{Field, Multipart, MultipartError};
use axum::extract::{FromRequest as _, Request};
use axum::http::StatusCode;
use ig_signing::manifest::Item;
use sha2::{Digest as _, Sha256};
use tokio_stream::Stream;

use super::MAX_ITEMS;
use super::asked::{NewExport, check_count};
use crate::error::ApiError;

/// Name of the first part, which says what is exported.
const FIRST: &str = "export";
/// Longest first part, in bytes.
const MAX_FIRST_BYTES: usize = 64 << 10;
/// Most bytes that may come without a part beginning, going on or ending: headers
/// of parts have no end of their own.
const MAX_AHEAD_BYTES: usize = 256 << 10;

/// Longest id of an asset, in bytes, as a manifest has it: ids are kept while the
/// files come.
const MAX_ID_BYTES: usize = 1024;

/// Reads what is exported, and hashes the files: the name of a part is the id of
/// its asset.
///
/// # Errors
/// What is answered to who sends something else.
pub(super) async fn read(request: Request) -> Result<(NewExport, Vec<Item>), ApiError> {
    let ahead = Arc::new(AtomicUsize::new(0));
    let counted = ahead.clone();
    let request = request.map(|body| {
        Body::from_stream(Paced {
            body: body.into_data_stream(),
            ahead: counted,
            is_turn: false,
        })
    });
    let parts = Multipart::from_request(request, &()).await;
    let mut parts = parts
        .map_err(|rejection| ApiError::Unreadable(rejection.status(), rejection.body_text()))?;
    let mut first = next(&mut parts, &ahead).await?.ok_or_else(not_first)?;
    if first.name() != Some(FIRST) {
        return Err(not_first());
    }
    let new: NewExport = serde_json::from_slice(&whole(&mut first, &ahead).await?)
        .map_err(|error| ApiError::invalid(format!("{FIRST}: {error}")))?;
    drop(first);
    new.check()?;
    if !new.items.is_empty() {
        return Err(ApiError::invalid("items: here, each is a part of its own"));
    }
    let mut items = Vec::new();
    while let Some(mut part) = next(&mut parts, &ahead).await? {
        if items.len() == MAX_ITEMS {
            return Err(ApiError::invalid(format!("items: 1 to {MAX_ITEMS}")));
        }
        let id = part.name().unwrap_or_default();
        if !(1..=MAX_ID_BYTES).contains(&id.len()) {
            return Err(ApiError::invalid(format!(
                "items[{}].id: 1 to {MAX_ID_BYTES} bytes, which the part's name is",
                items.len()
            )));
        }
        let id = id.to_owned();
        let sha256 = hash(&mut part, &ahead).await?;
        items.push(Item { id, sha256 });
    }
    check_count(items.len())?;
    Ok((new, items))
}

fn not_first() -> ApiError {
    ApiError::invalid(format!("the first part is named `{FIRST}`, and has JSON"))
}

fn refused(error: MultipartError) -> ApiError {
    match error.status() {
        // Ours, of a body that runs ahead.
        status if status.is_server_error() => {
            ApiError::Unreadable(StatusCode::BAD_REQUEST, "the body cannot be read".into())
        }
        status => ApiError::Unreadable(status, error.body_text()),
    }
}

async fn next<'a>(
    parts: &'a mut Multipart,
    ahead: &AtomicUsize,
) -> Result<Option<Field<'a>>, ApiError> {
    let part = parts.next_field().await.map_err(refused)?;
    ahead.store(0, Ordering::Relaxed);
    Ok(part)
}

async fn chunk(part: &mut Field<'_>, ahead: &AtomicUsize) -> Result<Option<Bytes>, ApiError> {
    let chunk = part.chunk().await.map_err(refused)?;
    ahead.store(0, Ordering::Relaxed);
    Ok(chunk)
}

async fn whole(part: &mut Field<'_>, ahead: &AtomicUsize) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    while let Some(chunk) = chunk(part, ahead).await? {
        if bytes.len().saturating_add(chunk.len()) > MAX_FIRST_BYTES {
            let problem = format!("{FIRST}: at most {MAX_FIRST_BYTES} bytes");
            return Err(ApiError::Unreadable(StatusCode::PAYLOAD_TOO_LARGE, problem));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn hash(part: &mut Field<'_>, ahead: &AtomicUsize) -> Result<ig_signing::Sha256, ApiError> {
    let mut hash = Sha256::new();
    while let Some(chunk) = chunk(part, ahead).await? {
        hash.update(&chunk);
    }
    Ok(<[u8; 32]>::from(hash.finalize()).into())
}

/// A body that gives one chunk at a time: the parser of parts takes all that is
/// there, whether somebody reads the parts or not.
struct Paced {
    body: BodyDataStream,
    /// Bytes since anybody read anything.
    ahead: Arc<AtomicUsize>,
    /// Whether the next poll gives a chunk.
    is_turn: bool,
}

impl Stream for Paced {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.is_turn = !self.is_turn;
        if !self.is_turn {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.ahead.load(Ordering::Relaxed) > MAX_AHEAD_BYTES {
            let error = axum::Error::new("too much between two parts");
            return Poll::Ready(Some(Err(error)));
        }
        let polled = Pin::new(&mut self.body).poll_next(context);
        match &polled {
            Poll::Ready(Some(Ok(chunk))) => {
                self.ahead.fetch_add(chunk.len(), Ordering::Relaxed);
            }
            // Its turn has not come yet.
            Poll::Pending => self.is_turn = false,
            Poll::Ready(_) => {}
        }
        polled
    }
}
