//! What a stock verifier needs to know of the ledger.

use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::extract::Json;

/// A trusted root of Sigstore (`protos/sigstore_trustroot.proto` of
/// sigstore/protobuf-specs): the ledger is its only log, and there is no
/// authority.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TrustedRoot {
    media_type: &'static str,
    tlogs: [Log; 1],
    #[schema(value_type = Vec<Object>)]
    certificate_authorities: [(); 0],
    #[schema(value_type = Vec<Object>)]
    ctlogs: [(); 0],
    #[schema(value_type = Vec<Object>)]
    timestamp_authorities: [(); 0],
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Log {
    /// Its host is the log's name.
    base_url: String,
    hash_algorithm: &'static str,
    public_key: LogKey,
    log_id: LogId,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogKey {
    /// `SubjectPublicKeyInfo`, base64 of DER.
    raw_bytes: String,
    key_details: &'static str,
    valid_for: ValidFor,
}

#[derive(Serialize, ToSchema)]
struct ValidFor {
    start: &'static str,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LogId {
    /// SHA-256 of the key, base64.
    key_id: String,
}

/// Get the trusted root with the ledger, for `cosign verify-blob --trusted-root`
/// and other verifiers of Sigstore.
#[utoipa::path(get, path = "/exports/trusted-root.json", tag = "exports",
    responses((status = 200, body = TrustedRoot)))]
pub(crate) async fn root(State(app): State<App>) -> Json<TrustedRoot> {
    let [_, key] = app.ledger.keys();
    let (origin, log_id, key) = (key.name(), app.ledger.log_id(), key.bytes());
    Json(TrustedRoot {
        media_type: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        tlogs: [Log {
            base_url: format!("https://{origin}"),
            hash_algorithm: "SHA2_256",
            log_id: LogId {
                key_id: STANDARD.encode(log_id),
            },
            public_key: LogKey {
                raw_bytes: STANDARD.encode(key),
                key_details: "PKIX_ECDSA_P256_SHA_256",
                // The log has no clock, and keeps its key; who trusts it does for all
                // of it.
                valid_for: ValidFor {
                    start: "2020-01-01T00:00:00Z",
                },
            },
        }],
        certificate_authorities: [],
        ctlogs: [],
        timestamp_authorities: [],
    })
}
