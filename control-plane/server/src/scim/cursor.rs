//! Cursors (RFC 9865): where a page ended, sealed so that a client can neither
//! read nor make one, and good for the query it came from.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_scim::{Error, ErrorKind};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

use crate::store::{Secret, now};

/// How long a cursor is good: `pagination.cursorTimeout`, in seconds.
pub(super) const TIMEOUT_SECONDS: i64 = 3600;

/// Which way a page lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Direction {
    #[serde(rename = "n")]
    Next,
    #[serde(rename = "p")]
    Previous,
}

/// A value that is sorted by.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Key {
    None,
    Number(i64),
    Text(String),
}

/// Where a page ended.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Position {
    #[serde(rename = "d")]
    pub(super) direction: Direction,
    #[serde(rename = "k")]
    pub(super) key: Key,
    #[serde(rename = "n")]
    pub(super) number: i64,
    #[serde(rename = "e")]
    expires_at: i64,
}

impl Position {
    pub(super) fn new(direction: Direction, key: Key, number: i64) -> Self {
        Self {
            direction,
            key,
            number,
            expires_at: now() + TIMEOUT_SECONDS * 1000,
        }
    }

    /// Seals it for a query.
    pub(super) fn seal(&self, secret: &Secret, query: &str) -> Result<String, Error> {
        let broken = || Error::new(ErrorKind::Unavailable, "a cursor cannot be made");
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(|_| broken())?;
        let mut sealed = serde_json::to_vec(self).map_err(|_| broken())?;
        let aad = Aad::from(query.as_bytes());
        key(secret)?
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed)
            .map_err(|_| broken())?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens what a client sent back.
    ///
    /// # Errors
    /// `invalidCursor` for what is not of this query, `expiredCursor`
    pub(super) fn open(secret: &Secret, query: &str, cursor: &str) -> Result<Self, Error> {
        let invalid = || {
            let detail = "this cursor is not one of this query; begin again with an empty one";
            Error::new(ErrorKind::InvalidCursor, detail)
        };
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
        let (nonce, sealed) = bytes.split_first_chunk().ok_or_else(invalid)?;
        let mut sealed = sealed.to_vec();
        let aad = Aad::from(query.as_bytes());
        let opened = key(secret)?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut sealed)
            .map_err(|_| invalid())?;
        let position: Self = serde_json::from_slice(opened).map_err(|_| invalid())?;
        match position.expires_at > now() {
            true => Ok(position),
            false => Err(Error::new(
                ErrorKind::ExpiredCursor,
                "this cursor is too old; begin again with an empty one",
            )),
        }
    }
}

fn key(secret: &Secret) -> Result<LessSafeKey, Error> {
    let key = UnboundKey::new(&AES_256_GCM, secret.bytes());
    key.map(LessSafeKey::new)
        .map_err(|_| Error::new(ErrorKind::Unavailable, "no key for cursors"))
}
