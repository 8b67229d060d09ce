//! Secrets at rest: sealed, and good for one user only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::Keys;
use super::totp::Totp;
use crate::auth::Person;
use crate::error::ApiError;

/// Seals a user's secret.
pub(super) fn seal(keys: &Keys, person: &Person, totp: &Totp) -> Result<String, ApiError> {
    let broken = |_| ApiError::Conflict("the secret cannot be sealed".into());
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).map_err(ApiError::invalid)?;
    // Sealed in place; long enough that the tag moves it nowhere.
    let mut sealed = Zeroizing::new(Vec::with_capacity(64));
    sealed.extend_from_slice(totp.bytes());
    key(keys)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(owner(person)),
            &mut *sealed,
        )
        .map_err(broken)?;
    Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
}

/// Opens what is stored of a user.
///
/// # Errors
/// For what was sealed for somebody else, or with another key.
pub(super) fn open(keys: &Keys, person: &Person, sealed: &str) -> Result<Totp, ApiError> {
    let broken =
        || ApiError::Conflict("the one-time passwords are not readable; set them up again".into());
    let bytes = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| broken())?;
    let (nonce, sealed) = bytes.split_first_chunk().ok_or_else(broken)?;
    let mut sealed = Zeroizing::new(sealed.to_vec());
    let opened = key(keys)?
        .open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(owner(person)),
            &mut sealed,
        )
        .map_err(|_| broken())?;
    Totp::from_bytes(opened).ok_or_else(broken)
}

/// A tenant's name has no slash.
fn owner(person: &Person) -> Vec<u8> {
    format!("{}/{}", person.tenant, person.user).into_bytes()
}

fn key(keys: &Keys) -> Result<LessSafeKey, ApiError> {
    UnboundKey::new(&AES_256_GCM, keys.seal.bytes())
        .map(LessSafeKey::new)
        .map_err(|_| ApiError::Conflict("no key for one-time passwords".into()))
}
