//! An issuer of access tokens: its keys, and what its tokens say (OpenID Connect
//! Core 1.0, RFC 9068 for the claims).

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::{Jwk, JwkSet, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tokio::sync::Mutex;
use ureq::tls::{RootCerts, TlsConfig};

use crate::error::ApiError;

/// How often keys are asked for at most: a stranger's key id must not make us
/// ask for each request.
const REFRESH: Duration = Duration::from_secs(10);
/// How long keys are believed without asking again.
const MAX_AGE: Duration = Duration::from_secs(300);
const TIMEOUT: Duration = Duration::from_secs(5);
const MAX_ANSWER_BYTES: u64 = 1 << 20;
/// By which clocks may differ.
const LEEWAY_SECONDS: u64 = 5;

#[derive(Default)]
struct Keys {
    set: Option<Arc<JwkSet>>,
    asked: Option<Instant>,
}

/// Where an issuer's tokens and keys come from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Trust {
    /// The `iss` of its tokens; its configuration is found below it.
    pub(super) issuer: String,
    /// What a token's `aud` must name.
    pub(super) audience: String,
    /// Its keys: a URL, or a file.
    pub(super) jwks: Option<String>,
    /// Authorities to trust when asking it.
    pub(super) ca: PathBuf,
}

/// An issuer.
pub(super) struct TokenIssuer {
    trust: Trust,
    keys: Mutex<Keys>,
}

impl TokenIssuer {
    pub(super) fn new(trust: Trust) -> Self {
        Self {
            trust,
            keys: Mutex::default(),
        }
    }

    /// What a token says.
    ///
    /// # Errors
    /// 401 for a token that is not good, 503 when keys cannot be had.
    pub(super) async fn verify(&self, token: &str) -> Result<Value, ApiError> {
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

    async fn key(&self, id: Option<&str>) -> Result<Jwk, ApiError> {
        // Held while asking: many callers with a new key ask once.
        let mut keys = self.keys.lock().await;
        let is_old = keys.asked.is_none_or(|asked| asked.elapsed() > MAX_AGE);
        let known = keys.set.as_deref().and_then(|set| choose(set, id));
        if let (Some(known), false) = (&known, is_old) {
            return Ok(known.clone());
        }
        if keys.asked.is_none_or(|asked| asked.elapsed() > REFRESH) {
            keys.asked = Some(Instant::now());
            let trust = self.trust.clone();
            let fetched = tokio::task::spawn_blocking(move || fetch(&trust)).await;
            match fetched.map_err(ApiError::Task)? {
                Ok(set) => keys.set = Some(Arc::new(set)),
                Err(error) => tracing::warn!(error, "the issuer's keys cannot be had"),
            }
        }
        let set = keys.set.as_deref().ok_or(ApiError::Issuer)?;
        choose(set, id).ok_or(ApiError::Unauthenticated)
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

fn fetch(trust: &Trust) -> Result<JwkSet, String> {
    let source = match &trust.jwks {
        Some(source) => source.clone(),
        None => {
            let well_known = format!(
                "{}/.well-known/openid-configuration",
                trust.issuer.trim_end_matches('/')
            );
            let answer: Value = get(trust, &well_known)?;
            // OpenID Connect Discovery 1.0, 4.3.
            if answer["issuer"] != trust.issuer.as_str() {
                return Err(format!("{well_known} is of another issuer"));
            }
            let uri = answer["jwks_uri"].as_str();
            uri.ok_or_else(|| format!("{well_known} has no jwks_uri"))?
                .to_owned()
        }
    };
    if source.starts_with("https://") || (source.starts_with("http://") && is_loopback(&source)) {
        return get(trust, &source);
    }
    if source.starts_with("http://") {
        return Err(format!("{source}: without TLS keys can be replaced"));
    }
    let text = std::fs::read(&source).map_err(|error| format!("{source}: {error}"))?;
    serde_json::from_slice(&text).map_err(|error| format!("{source}: {error}"))
}

fn get<T: serde::de::DeserializeOwned>(trust: &Trust, url: &str) -> Result<T, String> {
    let mut builder = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT));
    // Keys come from where they are said to be, or not at all.
    builder = builder.max_redirects(0);
    if url.starts_with("https://") {
        let authorities =
            std::fs::read(&trust.ca).map_err(|error| format!("{}: {error}", trust.ca.display()))?;
        let authorities: Vec<_> = ureq::tls::parse_pem(&authorities)
            .filter_map(|item| match item {
                Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&authorities));
        builder = builder.tls_config(tls.build());
    }
    let agent = builder.build().new_agent();
    let answer = agent.get(url).call();
    let mut answer = answer.map_err(|error| format!("{url}: {error}"))?;
    answer
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER_BYTES)
        .read_json()
        .map_err(|error| format!("{url}: {error}"))
}

pub(crate) fn is_loopback(url: &str) -> bool {
    let uri: Result<axum::http::Uri, _> = url.parse();
    let host = uri.ok().and_then(|uri| uri.host().map(str::to_owned));
    host.is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    })
}
