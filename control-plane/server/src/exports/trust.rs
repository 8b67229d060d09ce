//! What a stock verifier needs to know of the ledger.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use ig_signing::PublicKey;
use ig_signing::trusted_root::{TrustedLog, TrustedRoot};

use crate::app::App;
use crate::error::ApiError;

/// From when on the log's key counts. The log has no clock, and keeps its key; who
/// trusts it does for all of it.
const SINCE: &str = "2020-01-01T00:00:00Z";

/// Get the trusted root with the ledger, for `ig-verify --trusted-root`,
/// `cosign verify-blob --trusted-root` and other verifiers of Sigstore.
#[utoipa::path(get, path = "/exports/trusted-root.json", tag = "exports",
    responses((status = 200, body = Object)))]
pub(crate) async fn root(State(app): State<App>) -> Result<Response, ApiError> {
    let [_, key] = app.ledger.keys();
    let log = TrustedLog {
        base_url: format!("https://{}", key.name()),
        key: Some(PublicKey::from_der(&key.bytes()).map_err(ApiError::invalid)?),
        log_id: app.ledger.log_id().to_vec(),
        valid_for: (Some(SINCE.to_owned()), None),
    };
    let root = TrustedRoot::new(vec![log]).map_err(ApiError::invalid)?;
    let headers = [(header::CONTENT_TYPE, "application/json")];
    Ok((headers, root.to_bytes()).into_response())
}
