//! The log as anybody can read it (C2SP `tlog-tiles`). Nobody has to log in:
//! leaves name nobody, and a log that few can read proves little.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderName, header};
use axum::response::{IntoResponse, Response};
use ig_ledger::layout::Resource;
use serde::Serialize;
use tokio::sync::SemaphorePermit;
use tokio::time::timeout;
use utoipa::ToSchema;

use super::{Error, Ledger, read};
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::{Json, Path};

/// How long a stranger waits for a turn.
const PATIENCE: Duration = Duration::from_secs(5);

impl Ledger {
    /// A turn to read; it ends when it is dropped.
    ///
    /// # Errors
    /// 503 when too many read.
    pub(crate) async fn turn(&self) -> Result<SemaphorePermit<'_>, ApiError> {
        let turn = timeout(PATIENCE, self.readers.acquire()).await;
        let turn = turn.ok().and_then(Result::ok);
        turn.ok_or_else(|| Error::Busy.into())
    }
}

type Headers = [(HeaderName, &'static str); 2];

const fn text(cached: &'static str) -> Headers {
    [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::CACHE_CONTROL, cached),
    ]
}

/// What changes with each batch.
const FRESH: &str = "no-cache";
/// What never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";

/// Get the last signed checkpoint.
#[utoipa::path(get, path = "/ledger/checkpoint", tag = "ledger",
    responses((status = 200, description = "A signed note (C2SP tlog-checkpoint)",
        body = String, content_type = "text/plain")))]
pub(crate) async fn checkpoint(State(app): State<App>) -> Result<Response, ApiError> {
    let _turn = app.ledger.turn().await?;
    let mut connection = app.store.pool().acquire().await?;
    let log = read::log(&mut connection).await?;
    let (last, _) = log.ok_or_else(|| Error::Closed("there is no log".into()))?;
    Ok((text(FRESH), last).into_response())
}

/// Get a tile of hashes, or a bundle of entries below `entries/` (C2SP
/// tlog-tiles). A narrower one than there is by now is answered too.
#[utoipa::path(get, path = "/ledger/tile/{path}", tag = "ledger",
    params(("path" = String, Path, description = "Such as `0/x001/234` or `entries/000.p/7`")),
    responses(
        (status = 200, body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 400, description = "The path cannot be read", body = Problem),
        (status = 404, body = Problem),
    ))]
pub(crate) async fn tile(
    State(app): State<App>,
    Path(path): Path<String>,
) -> Result<Response, ApiError> {
    let missing = || ApiError::NotFound("this tile".into());
    let resource: Resource = format!("tile/{path}").parse().map_err(|_| missing())?;
    let _turn = app.ledger.turn().await?;
    let mut connection = app.store.pool().acquire().await?;
    let bytes = read::file(&mut connection, resource).await?;
    let bytes = bytes.ok_or_else(missing)?;
    let length = bytes.len();
    let body = app.ledger.lending.body(bytes).ok_or(Error::Busy)?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CACHE_CONTROL, FOREVER),
    ];
    let length = [(header::CONTENT_LENGTH, length)];
    Ok((headers, length, body).into_response())
}

/// Get the proof that the log has an entry: one file that is verified without a
/// network (C2SP tlog-proof). Where witnesses have cosigned a checkpoint that has
/// the entry, it is in that one.
#[utoipa::path(get, path = "/ledger/entries/{index}/proof", tag = "ledger",
    params(("index" = u64, Path)),
    responses(
        (status = 200, body = String, content_type = "text/plain"),
        (status = 400, description = "Not an index", body = Problem),
        (status = 404, body = Problem),
    ))]
pub(crate) async fn proof(
    State(app): State<App>,
    Path(index): Path<u64>,
) -> Result<Response, ApiError> {
    let _turn = app.ledger.turn().await?;
    let sequenced = app.ledger.prove(index).await?;
    Ok((text(FRESH), sequenced.proof.to_string()).into_response())
}

/// Whom to believe, as this control plane says. Who verifies has it from
/// elsewhere.
#[derive(Serialize, ToSchema)]
pub(crate) struct PublicKeys {
    /// The log's name.
    origin: String,
    /// The log's keys, in their text form (C2SP signed-note).
    keys: Vec<String>,
    /// The key that logs of others are cosigned with.
    witness: String,
}

/// Get the keys of the log, and of the witness.
#[utoipa::path(get, path = "/ledger/keys", tag = "ledger",
    responses((status = 200, body = PublicKeys)))]
pub(crate) async fn public_keys(State(app): State<App>) -> Json<PublicKeys> {
    let ledger = &app.ledger;
    Json(PublicKeys {
        origin: ledger.signer.origin().to_string(),
        keys: ledger
            .signer
            .keys()
            .iter()
            .map(ToString::to_string)
            .collect(),
        witness: ledger.witness.vkey(),
    })
}
