//! Passkeys of users (W3C WebAuthn), and proofs of presence with them.

mod attestation;
pub(crate) mod authentication;
mod ceremonies;
pub(crate) mod passkeys;
mod refusal;
pub(crate) mod registration;

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use ig_contract::headers;
use serde::Deserialize;
use webauthn_rs::prelude::{Url, Webauthn, WebauthnBuilder, WebauthnError};

pub(crate) use attestation::Attestation;
pub(crate) use passkeys::forget;
pub(crate) use refusal::Refusal;

use crate::config::WebauthnConfig;

/// How long a ceremony may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Makes the verifier.
///
/// # Errors
/// When the id is not a domain of the origins.
pub(crate) fn verifier(config: &WebauthnConfig) -> Result<Arc<Webauthn>, WebauthnError> {
    let origins: Result<Vec<Url>, _> = config.origins.iter().map(|one| Url::parse(one)).collect();
    let origins = origins.map_err(|_| WebauthnError::Configuration)?;
    let (first, others) = origins.split_first().ok_or(WebauthnError::Configuration)?;
    let mut builder = WebauthnBuilder::new(&config.rp_id, first)?
        .rp_name(&config.rp_name)
        .timeout(PATIENCE);
    for origin in others {
        builder = builder.append_allowed_origin(origin);
    }
    builder.build().map(Arc::new)
}

/// The caller's step-up token.
pub(crate) fn step_up_token(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(headers::STEP_UP).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Refuses what was answered inside of another site's page, where nobody sees
/// what they agree to (W3C WebAuthn L3 §7.1, step 11, and §7.2, step 14). webauthn-rs 0.6.2 looks at
/// this in registrations only.
fn check_frame(client_data: &[u8]) -> Result<(), Refusal> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Frame {
        #[serde(default)]
        cross_origin: bool,
        top_origin: Option<String>,
    }
    let frame: Frame = serde_json::from_slice(client_data).map_err(|_| Refusal::Malformed)?;
    match frame.cross_origin || frame.top_origin.is_some() {
        true => Err(Refusal::CrossOrigin),
        false => Ok(()),
    }
}
