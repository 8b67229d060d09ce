//! Passkeys of users (W3C WebAuthn), and proofs of presence with them.

pub(crate) mod administration;
mod attestation;
pub(crate) mod authentication;
mod ceremonies;
pub(crate) mod passkeys;
mod refusal;
pub(crate) mod registration;
mod verifier;

use std::time::Duration;

use axum::http::HeaderMap;
use ig_contract::headers;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use webauthn_rs::prelude::Uuid;

pub(crate) use attestation::Attestation;
pub(crate) use passkeys::forget;
pub(crate) use refusal::Refusal;
pub(crate) use verifier::{Verifier, verifier};

use crate::auth::Person;

/// How long a ceremony may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// The user as authenticators know it: the same for one user, and of no meaning.
fn handle(person: &Person) -> Uuid {
    let digest = Sha256::digest(format!("{}/{}", person.tenant, person.user));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    Uuid::from_bytes(bytes)
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
