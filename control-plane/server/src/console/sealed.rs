//! A login that was begun: kept by the browser, sealed, so that strangers who
//! begin logins fill no table.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::store::{Secret, now};
use crate::tenants;

/// How long a login may take, in seconds.
pub(super) const PATIENCE_SECONDS: u32 = 600;
const LABEL: &[u8] = b"console login";

/// A login that was begun.
#[derive(Serialize, Deserialize)]
pub(super) struct Begun {
    pub(super) tenant: String,
    pub(super) issuer: String,
    pub(super) client: String,
    pub(super) state: String,
    pub(super) nonce: String,
    pub(super) verifier: String,
    pub(super) redirect: String,
    /// Where to go afterwards.
    pub(super) next: String,
    /// Whether the login had to be a new one; since when.
    pub(super) fresh_since: Option<u64>,
    ends_at: i64,
}

impl Begun {
    pub(super) fn new(
        tenant: String,
        issuer: String,
        client: String,
        next: String,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            tenant,
            issuer,
            client,
            next,
            state: random()?,
            nonce: random()?,
            verifier: random()?,
            redirect: String::new(),
            fresh_since: None,
            ends_at: now() + i64::from(PATIENCE_SECONDS) * 1000,
        })
    }

    /// The path that the issuer sends its user back to.
    pub(super) fn callback(&self) -> String {
        tenants::callback(&self.tenant, &self.issuer, &self.client)
    }

    pub(super) fn seal(&self, secret: &Secret) -> Result<String, ApiError> {
        let broken = |_| ApiError::invalid("a login cannot be begun");
        let mut nonce = [0; NONCE_LEN];
        getrandom::fill(&mut nonce).map_err(ApiError::invalid)?;
        let mut sealed = serde_json::to_vec(self).map_err(ApiError::invalid)?;
        let key = UnboundKey::new(&AES_256_GCM, secret.bytes()).map_err(broken)?;
        LessSafeKey::new(key)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(LABEL),
                &mut sealed,
            )
            .map_err(broken)?;
        Ok(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// What a browser sends back; `None` for what is none of ours, or too old.
    pub(super) fn open(secret: &Secret, text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk()?;
        let mut sealed = sealed.to_vec();
        let key = UnboundKey::new(&AES_256_GCM, secret.bytes()).ok()?;
        let opened = LessSafeKey::new(key)
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(LABEL),
                &mut sealed,
            )
            .ok()?;
        let begun: Self = serde_json::from_slice(opened).ok()?;
        (begun.ends_at > now()).then_some(begun)
    }
}

/// 256 random bits, as a URL has them.
pub(super) fn random() -> Result<String, ApiError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(ApiError::invalid)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
