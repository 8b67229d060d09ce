//! GraphQL over server-sent events, "distinct connections" mode: one stream
//! for each operation, `next` for each result and `complete` at the end.

use std::convert::Infallible;

use async_stream::stream;
use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::{Stream, StreamExt as _, pin_mut};

use crate::{error, media::MediaType};

const NO_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// The response that carries the results. Request errors are results too: an
/// `EventSource` cannot read the body of an answer that is not 200.
pub(crate) fn stream(
    results: impl Stream<Item = async_graphql::Response> + Send + 'static,
) -> Response {
    let events = stream! {
        pin_mut!(results);
        // A comment at once, so that the client and every proxy see the stream open.
        yield Ok::<_, Infallible>(Bytes::from_static(b":\n\n"));
        while let Some(result) = results.next().await {
            // JSON text has no raw line breaks, so one `data` line holds it.
            let Ok(json) = error::to_json(&result) else { break };
            yield Ok(Bytes::from(format!("event: next\ndata: {json}\n\n")));
        }
        // Browsers drop events without a data line.
        yield Ok(Bytes::from_static(b"event: complete\ndata: \n\n"));
    };
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(MediaType::EventStream.content_type()),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (NO_BUFFERING, HeaderValue::from_static("no")),
    ];
    (headers, Body::from_stream(events)).into_response()
}
