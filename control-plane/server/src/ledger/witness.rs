//! This control plane as a witness of logs of others (C2SP `tlog-witness`): it
//! says that a log has grown from the last tree that it saw of it.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ig_ledger::sign::WitnessKey;
use ig_ledger::verify::note::Note;
use ig_ledger::verify::{Checkpoint, Hash, Origin, Policy, TreeHead, WitnessRequest};
use sqlx::{Any, AnyConnection, Transaction};

use super::config::LedgerConfig;
use super::keys::{self, CannotPrepare};
use super::read::number;
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::store::{Store, now};

/// The witness's key, and whose logs it cosigns.
pub(crate) struct Witness {
    key: WitnessKey,
    logs: Vec<(Origin, Policy)>,
}

impl Witness {
    pub(super) async fn prepare(
        store: &Store,
        config: &LedgerConfig,
        own: &Origin,
    ) -> Result<Self, CannotPrepare> {
        let logs = config.witness.policies().map_err(CannotPrepare::Config)?;
        if logs.iter().any(|(origin, _)| origin == own) {
            return Err(CannotPrepare::Config(format!(
                "ledger.witness.logs.keys: {own} is this control plane's own log, which others \
                 have to witness"
            )));
        }
        let key = keys::witness(store, config, own).await?;
        Ok(Self { key, logs })
    }

    /// The key in its text form.
    pub(super) fn vkey(&self) -> String {
        self.key.key().to_string()
    }

    fn policy(&self, origin: &Origin) -> Option<&Policy> {
        let found = self.logs.iter().find(|(known, _)| known == origin);
        found.map(|(_, policy)| policy)
    }
}

/// Why a checkpoint is not cosigned. What contradicts what was seen is no error of
/// this kind: it is answered with the size that was.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the request is not one of tlog-witness: {0}")]
    Malformed(String),
    #[error("the checkpoint is smaller than the old size")]
    Smaller,
    #[error("`{0}` is none of the logs that are witnessed here")]
    UnknownLog(Origin),
    #[error("the log's keys have not signed the checkpoint: {0}")]
    Unsigned(String),
    #[error("the path does not prove that the log has grown: {0}")]
    Path(String),
}

impl Refusal {
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) | Self::Smaller => StatusCode::BAD_REQUEST,
            Self::UnknownLog(_) => StatusCode::NOT_FOUND,
            Self::Unsigned(_) => StatusCode::FORBIDDEN,
            Self::Path(_) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

fn malformed(error: impl ToString) -> ApiError {
    ApiError::Witness(Refusal::Malformed(error.to_string()))
}

/// Have a log's checkpoint cosigned (C2SP `tlog-witness`). Anybody may ask: the
/// log's own signature says whose it is.
#[utoipa::path(post, path = "/ledger/witness/add-checkpoint", tag = "ledger",
    request_body(content = String, content_type = "text/plain"),
    responses(
        (status = 200, description = "Cosignatures, as lines of a signed note", body = String,
            content_type = "text/plain"),
        (status = 400, description = "Not a request of tlog-witness", body = Problem),
        (status = 403, description = "The log has not signed the checkpoint", body = Problem),
        (status = 404, description = "This log is not witnessed here", body = Problem),
        (status = 409, description = "The size of the tree that was cosigned last",
            body = String, content_type = "text/x.tlog.size"),
        (status = 413, description = "The body is too large", body = Problem),
        (status = 422, description = "The path does not prove that the log has grown",
            body = Problem),
    ))]
pub(crate) async fn add_checkpoint(
    State(app): State<App>,
    body: Bytes,
) -> Result<Response, ApiError> {
    let _turn = app.ledger.turn().await?;
    let witness = &app.ledger.witness;
    let request = WitnessRequest::parse(&body).map_err(malformed)?;
    let note = Note::parse(request.checkpoint.as_bytes()).map_err(malformed)?;
    let asked = Checkpoint::parse(note.text).map_err(malformed)?;
    let refused = |refusal| Err(ApiError::Witness(refusal));
    let Some(policy) = witness.policy(&asked.origin) else {
        return refused(Refusal::UnknownLog(asked.origin));
    };
    let verified = match policy.checkpoint(request.checkpoint.as_bytes()) {
        Ok(verified) => verified.checkpoint,
        Err(error) => return refused(Refusal::Unsigned(error.to_string())),
    };
    if request.old > verified.head.size {
        return refused(Refusal::Smaller);
    }
    cosign(&app.store, witness, &request, &verified).await
}

/// Cosigns if the tree follows the last one, which it replaces: both in one
/// transaction, so that of two requests at once the second sees the first.
///
/// Checkpoints and paths are public, so anybody may send one again: who writes, and
/// makes others wait, is only who shows a tree that has grown.
async fn cosign(
    store: &Store,
    witness: &Witness,
    request: &WitnessRequest,
    asked: &Checkpoint,
) -> Result<Response, ApiError> {
    let mut connection = store.pool().acquire().await?;
    let before = seen(&mut connection, &asked.origin).await?;
    drop(connection);
    let verdict = judge(witness, request, asked, before)?;
    if !matches!(verdict, Verdict::Grown(_)) {
        return Ok(verdict.into_response());
    }
    let mut transaction = store.begin().await?;
    let lock = format!("ledger-witness:{}", asked.origin);
    store.lock(&mut transaction, &lock).await?;
    // Somebody may have been faster.
    let last = seen(&mut transaction, &asked.origin).await?;
    let verdict = judge(witness, request, asked, last)?;
    if !matches!(verdict, Verdict::Grown(_)) {
        return Ok(verdict.into_response());
    }
    if !keep(&mut transaction, asked, last).await? {
        return Ok(conflict(last.unwrap_or(TreeHead::EMPTY).size));
    }
    // Stored before anybody gets the line.
    transaction.commit().await?;
    Ok(verdict.into_response())
}

/// What a request is, beside the last tree that was cosigned.
enum Verdict {
    /// Its old size is not this one, or it is another tree of it.
    Contradicts(u64),
    /// It is that tree, with its line.
    Seen(String),
    /// It has grown from that tree; its line, for when it is stored.
    Grown(String),
}

impl IntoResponse for Verdict {
    fn into_response(self) -> Response {
        match self {
            Self::Contradicts(size) => conflict(size),
            Self::Seen(line) | Self::Grown(line) => {
                let media_type = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
                (media_type, line).into_response()
            }
        }
    }
}

/// # Errors
/// 422 for a path that proves nothing.
fn judge(
    witness: &Witness,
    request: &WitnessRequest,
    asked: &Checkpoint,
    seen: Option<TreeHead>,
) -> Result<Verdict, ApiError> {
    let head = seen.unwrap_or(TreeHead::EMPTY);
    if request.old != head.size {
        return Ok(Verdict::Contradicts(head.size));
    }
    if head.size == asked.head.size && head.root != asked.head.root {
        tracing::error!(
            origin = asked.origin.as_str(),
            size = head.size,
            cosigned = %head.root,
            signed = %asked.head.root,
            "ALERT: a log has signed two trees of one size"
        );
        return Ok(Verdict::Contradicts(head.size));
    }
    let seconds = u32::try_from(now() / 1000).unwrap_or(u32::MAX);
    let line = witness.key.cosign(&head, &request.path, asked, seconds);
    let line = line.map_err(|error| ApiError::Witness(Refusal::Path(error.to_string())))?;
    Ok(match seen == Some(asked.head) {
        true => Verdict::Seen(line),
        false => Verdict::Grown(line),
    })
}

fn conflict(size: u64) -> Response {
    let media_type = [(header::CONTENT_TYPE, "text/x.tlog.size")];
    (StatusCode::CONFLICT, media_type, format!("{size}\n")).into_response()
}

/// The last tree of a log that was cosigned.
async fn seen(
    connection: &mut AnyConnection,
    origin: &Origin,
) -> Result<Option<TreeHead>, sqlx::Error> {
    let row: Option<(i64, String)> =
        sqlx::query_as("SELECT size, root FROM ledger_witnessed WHERE origin = $1")
            .bind(origin.as_str())
            .fetch_optional(connection)
            .await?;
    let Some((size, root)) = row else {
        return Ok(None);
    };
    let root: Hash = root
        .parse()
        .map_err(|_| sqlx::Error::Protocol("the root of a witnessed log is none".into()))?;
    let size = size.cast_unsigned();
    Ok(Some(TreeHead { size, root }))
}

/// Replaces the last tree, if it still is the one.
async fn keep(
    transaction: &mut Transaction<'static, Any>,
    asked: &Checkpoint,
    before: Option<TreeHead>,
) -> Result<bool, sqlx::Error> {
    let head = asked.head;
    let query = match before {
        None => sqlx::query(
            "INSERT INTO ledger_witnessed (size, root, seen_at, origin) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
        ),
        Some(_) => sqlx::query(
            "UPDATE ledger_witnessed SET size = $1, root = $2, seen_at = $3 \
             WHERE origin = $4 AND size = $5 AND root = $6",
        ),
    };
    let query = query
        .bind(number(head.size))
        .bind(head.root.to_string())
        .bind(now())
        .bind(asked.origin.as_str());
    let query = match before {
        None => query,
        Some(before) => query
            .bind(number(before.size))
            .bind(before.root.to_string()),
    };
    Ok(query.execute(&mut **transaction).await?.rows_affected() == 1)
}
