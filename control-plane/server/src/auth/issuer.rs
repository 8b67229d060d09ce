//! An issuer of access tokens: its keys, and what its tokens say (OpenID Connect
//! Core 1.0, RFC 9068 for the claims).

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;

use super::keys::{KeySource, fetch};
use crate::error::ApiError;

/// How often keys are asked for at most: a stranger's key id must not make us
/// ask for each request.
const REFRESH: Duration = Duration::from_secs(10);
/// How long keys are believed without asking again.
const MAX_AGE: Duration = Duration::from_secs(300);
/// How long callers with a known key do not wait for the answer.
const MAX_UNASKED: Duration = Duration::from_secs(600);
/// By which clocks may differ.
const LEEWAY_SECONDS: u64 = 5;

#[derive(Default)]
struct Keys {
    set: Option<Arc<JwkSet>>,
    /// When an attempt to have them ended.
    asked: Option<Instant>,
}

impl Keys {
    fn are_older(&self, than: Duration) -> bool {
        self.asked.is_none_or(|asked| asked.elapsed() > than)
    }
}

/// Where an issuer's tokens and keys come from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Trust {
    /// The `iss` of its tokens; its configuration is found below it.
    pub(super) issuer: String,
    /// What a token's `aud` must name.
    pub(super) audience: String,
    /// Where its keys are.
    pub(super) keys: KeySource,
    /// Authorities to trust when asking it.
    pub(super) ca: PathBuf,
    /// Whether it may be at an address of a private network.
    pub(super) is_private: bool,
}

/// An issuer.
pub(super) struct TokenIssuer {
    trust: Trust,
    keys: Mutex<Keys>,
    /// Held while asking: many callers with a new key ask once.
    asking: Arc<tokio::sync::Mutex<()>>,
}

impl TokenIssuer {
    pub(super) fn new(trust: Trust) -> Self {
        Self {
            trust,
            keys: Mutex::default(),
            asking: Arc::default(),
        }
    }

    /// What a token says.
    ///
    /// # Errors
    /// 401 for a token that is not good, 503 when keys cannot be had.
    pub(super) async fn verify(self: &Arc<Self>, token: &str) -> Result<Value, ApiError> {
        let header = decode_header(token).map_err(|_| ApiError::Unauthenticated)?;
        // `none` and HMAC are no algorithms of a key that is public.
        if !matches!(
            header.alg,
            Algorithm::ES256
                | Algorithm::ES384
                | Algorithm::EdDSA
                | Algorithm::RS256
                | Algorithm::RS384
                | Algorithm::RS512
                | Algorithm::PS256
                | Algorithm::PS384
                | Algorithm::PS512
        ) {
            return Err(ApiError::Unauthenticated);
        }
        let key = self.key(header.kid.as_deref()).await?;
        if let Some(algorithm) = key.common.key_algorithm {
            let same = algorithm.to_string() == format!("{:?}", header.alg);
            if !same {
                return Err(ApiError::Unauthenticated);
            }
        }
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY_SECONDS;
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.trust.issuer]);
        validation.set_audience(&[&self.trust.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let key = DecodingKey::from_jwk(&key).map_err(|_| ApiError::Unauthenticated)?;
        let claims = decode::<Value>(token, &key, &validation)
            .map_err(|_| ApiError::Unauthenticated)?
            .claims;
        match claims["sub"].is_string() {
            true => Ok(claims),
            false => Err(ApiError::Unauthenticated),
        }
    }

    async fn key(self: &Arc<Self>, id: Option<&str>) -> Result<Jwk, ApiError> {
        let known = {
            let keys = self.keys();
            let known = keys.set.as_deref().and_then(|set| choose(set, id));
            // One that was not asked about for long may have been withdrawn.
            let known = known.filter(|_| !keys.are_older(MAX_UNASKED));
            known.map(|known| (known, keys.are_older(MAX_AGE)))
        };
        match known {
            Some((known, false)) => return Ok(known),
            Some((known, true)) => {
                self.refresh_meanwhile();
                return Ok(known);
            }
            None => self.refresh().await,
        }
        let keys = self.keys();
        let set = keys.set.as_deref().ok_or(ApiError::Issuer)?;
        choose(set, id).ok_or(ApiError::Unauthenticated)
    }

    /// Never held while asking.
    fn keys(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn refresh(self: &Arc<Self>) {
        let asking = self.asking.clone().lock_owned().await;
        if self.keys().are_older(REFRESH) {
            let _ = self.ask(asking).await;
        }
    }

    /// Nobody waits for it.
    fn refresh_meanwhile(self: &Arc<Self>) {
        if let Ok(asking) = self.asking.clone().try_lock_owned()
            && self.keys().are_older(REFRESH)
        {
            drop(self.ask(asking));
        }
    }

    /// A task of its own: a caller that goes away does not end it, or strangers
    /// could have the issuer asked as often as they come and go.
    fn ask(self: &Arc<Self>, asking: OwnedMutexGuard<()>) -> JoinHandle<()> {
        let this = self.clone();
        tokio::task::spawn_blocking(move || {
            let fetched = fetch(&this.trust);
            let mut keys = this.keys();
            keys.asked = Some(Instant::now());
            match fetched {
                Ok(set) => keys.set = Some(Arc::new(set)),
                Err(error) => tracing::warn!(error, "the issuer's keys cannot be had"),
            }
            drop(keys);
            drop(asking);
        })
    }
}

/// The key by its id, or the only one there is.
fn choose(set: &JwkSet, id: Option<&str>) -> Option<Jwk> {
    let is_for_signatures =
        |key: &&Jwk| !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption));
    let mut keys = set.keys.iter().filter(is_for_signatures);
    match id {
        Some(id) => keys
            .find(|key| key.common.key_id.as_deref() == Some(id))
            .cloned(),
        None => keys.next().filter(|_| keys.next().is_none()).cloned(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// An issuer that takes calls and does not answer, how often it was called,
    /// and a key of it that is known since a while.
    fn silent(known_for: Duration) -> (Arc<TokenIssuer>, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        std::thread::spawn(move || {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept() {
                counted.fetch_add(1, Ordering::SeqCst);
                open.push(stream);
            }
        });
        let issuer = TokenIssuer::new(Trust {
            issuer: "https://login.example".to_owned(),
            audience: "ig".to_owned(),
            keys: KeySource::Url(url),
            ca: PathBuf::new(),
            is_private: false,
        });
        let set = r#"{"keys": [{"kty": "oct", "k": "eA", "kid": "known"}]}"#;
        *issuer.keys() = Keys {
            set: Some(Arc::new(serde_json::from_str(set).unwrap())),
            asked: Instant::now().checked_sub(known_for),
        };
        (Arc::new(issuer), calls)
    }

    async fn is_at_once(issuer: &Arc<TokenIssuer>, id: &str) -> bool {
        let key = issuer.key(Some(id));
        tokio::time::timeout(Duration::from_secs(1), key)
            .await
            .is_ok()
    }

    /// Also while the issuer does not answer; and it is asked once.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_known_key_waits_for_nobody() {
        for (known_for, expected) in [(Duration::ZERO, 0), (MAX_AGE + REFRESH, 1)] {
            let (issuer, calls) = silent(known_for);
            for _ in 0..20 {
                assert!(is_at_once(&issuer, "known").await);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(calls.load(Ordering::SeqCst), expected);
        }
    }

    /// One that nobody asked about for long may have been withdrawn, and one that
    /// is not known may be new. However many ask and go away, the issuer is asked
    /// once.
    #[tokio::test(flavor = "multi_thread")]
    async fn others_wait_and_the_issuer_is_asked_once() {
        for (known_for, id) in [(MAX_UNASKED + REFRESH, "known"), (2 * REFRESH, "new")] {
            let (issuer, calls) = silent(known_for);
            for _ in 0..3 {
                assert!(!is_at_once(&issuer, id).await, "{id}");
            }
            assert_eq!(calls.load(Ordering::SeqCst), 1, "{id}");
        }
    }
}
