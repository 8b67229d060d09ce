//! The console as a client of a tenant's issuer: authorization code flow with
//! PKCE (OpenID Connect Core 1.0, RFC 7636, RFC 9207).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::issuer::Trust;
use super::keys::{self, KeySource};
use super::provider::said;
use crate::app::App;
use crate::error::ApiError;
use crate::tenants::ClientSecret;

/// Longest code that an issuer gives.
const MAX_CODE_BYTES: usize = 4096;

/// The console, as an issuer knows it.
pub(crate) struct Client {
    pub(crate) issuer: String,
    pub(crate) id: String,
    pub(crate) secret: Option<ClientSecret>,
    pub(crate) jwks: Option<String>,
    /// Whether the issuer may be at an address of a private network.
    pub(crate) is_private: bool,
}

/// What a user is sent to the issuer with.
pub(crate) struct Asked<'a> {
    pub(crate) redirect: &'a str,
    pub(crate) state: &'a str,
    pub(crate) nonce: &'a str,
    /// SHA-256 of the verifier, in base64url.
    pub(crate) challenge: &'a str,
    /// Whether the user has to log in again, however recent the last login.
    pub(crate) is_fresh: bool,
}

/// What a user comes back with.
pub(crate) struct Answered<'a> {
    pub(crate) code: &'a str,
    pub(crate) redirect: &'a str,
    pub(crate) verifier: &'a str,
    pub(crate) nonce: &'a str,
    /// Who says to have answered (RFC 9207).
    pub(crate) issuer: Option<&'a str>,
}

/// What an ID token says, once it is verified.
pub(crate) struct IdToken(pub(crate) Value);

impl IdToken {
    pub(crate) fn subject(&self) -> Option<&str> {
        self.0["sub"].as_str()
    }

    /// When the user logged in, in seconds since the epoch.
    pub(crate) fn auth_time(&self) -> Option<u64> {
        self.0["auth_time"].as_u64()
    }
}

impl Client {
    fn trust(&self, app: &App) -> Trust {
        Trust {
            issuer: self.issuer.clone(),
            audience: self.id.clone(),
            keys: KeySource::of_tenant(self.jwks.as_deref()),
            ca: app.logins.ca().to_owned(),
            is_private: self.is_private,
        }
    }

    /// Where to send a user who is to log in.
    ///
    /// # Errors
    /// 503 when the issuer does not say where.
    pub(crate) async fn ask(&self, app: &App, asked: &Asked<'_>) -> Result<String, ApiError> {
        let trust = self.trust(app);
        let configuration = app.logins.provider(&trust).configuration(&trust).await?;
        let endpoint = said(keys::named(
            &trust,
            &configuration,
            "authorization_endpoint",
        ))?;
        let mut parameters = vec![
            ("response_type", "code"),
            ("scope", "openid"),
            ("client_id", self.id.as_str()),
            ("redirect_uri", asked.redirect),
            ("state", asked.state),
            ("nonce", asked.nonce),
            ("code_challenge", asked.challenge),
            ("code_challenge_method", "S256"),
        ];
        if asked.is_fresh {
            // Both: some issuers know only one of them.
            parameters.extend([("max_age", "0"), ("prompt", "login")]);
        } else {
            // So that the ID token says when (Core 1.0, 2).
            parameters.push(("max_age", "28800"));
        }
        let separator = if endpoint.contains('?') { '&' } else { '?' };
        let query: Vec<String> = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        Ok(format!("{endpoint}{separator}{}", query.join("&")))
    }

    /// Exchanges a code for what its ID token says.
    ///
    /// # Errors
    /// 401 for a code or a token that is not good, 503 when the issuer does not
    /// answer.
    pub(crate) async fn exchange(
        &self,
        app: &App,
        answered: &Answered<'_>,
    ) -> Result<IdToken, ApiError> {
        if answered.code.len() > MAX_CODE_BYTES {
            return Err(ApiError::Unauthenticated);
        }
        let trust = self.trust(app);
        let id = self.id.clone();
        let secret = self.secret.clone();
        let form: Vec<(&str, String)> = vec![
            ("grant_type", "authorization_code".into()),
            ("code", answered.code.into()),
            ("redirect_uri", answered.redirect.into()),
            ("code_verifier", answered.verifier.into()),
        ];
        let provider = app.logins.provider(&trust);
        let configuration = provider.configuration(&trust).await?;
        // Who answers for another issuer mixes them up: one that says that it names
        // itself always does (RFC 9207, 2.4).
        let names_itself = &configuration["authorization_response_iss_parameter_supported"];
        let is_from_it = match answered.issuer {
            Some(issuer) => issuer == self.issuer,
            None => names_itself != true,
        };
        if !is_from_it {
            return Err(ApiError::Unauthenticated);
        }
        let asking = move || token(&trust, &configuration, &id, secret.as_ref(), form);
        let answer = provider.call(asking).await?;
        let token = answer["id_token"].as_str();
        let token = token.ok_or(ApiError::Unauthenticated)?;
        let issuer = app.logins.issuer(self.trust(app));
        let claims = Arc::clone(&issuer).verify(token).await?;
        let is_ours = claims["nonce"].as_str() == Some(answered.nonce);
        // One for several audiences names the one that asked (Core 1.0, 3.1.3.7).
        let party = claims.get("azp").and_then(Value::as_str);
        let is_for_us = match (party, &claims["aud"]) {
            (Some(party), _) => party == self.id,
            (None, Value::Array(audiences)) => audiences.len() == 1,
            (None, _) => true,
        };
        match is_ours && is_for_us {
            true => Ok(IdToken(claims)),
            false => Err(ApiError::Unauthenticated),
        }
    }
}

/// Asks the token endpoint. An empty answer is one to a code that is not good.
fn token(
    trust: &Trust,
    configuration: &Value,
    id: &str,
    secret: Option<&ClientSecret>,
    mut form: Vec<(&'static str, String)>,
) -> Result<Value, String> {
    let url = keys::named(trust, configuration, "token_endpoint")?;
    let methods = &configuration["token_endpoint_auth_methods_supported"];
    let is_listed = |method: &str| {
        methods
            .as_array()
            .is_some_and(|all| all.iter().any(|one| one == method))
    };
    let by_header = is_listed("client_secret_basic") || !is_listed("client_secret_post");
    let mut request = keys::agent(trust, &url)?
        .post(&url)
        .header("accept", "application/json");
    match secret {
        Some(secret) if by_header => {
            // RFC 6749, 2.3.1: each of both is encoded first.
            let both = format!("{}:{}", encoded(id), encoded(secret.reveal()));
            request = request.header("authorization", format!("Basic {}", STANDARD.encode(both)));
        }
        Some(secret) => {
            form.push(("client_id", id.to_owned()));
            form.push(("client_secret", secret.reveal().to_owned()));
        }
        None => form.push(("client_id", id.to_owned())),
    }
    let answer = request.send_form(form.iter().map(|(name, value)| (*name, value.as_str())));
    match answer {
        Err(ureq::Error::StatusCode(status @ (400 | 401))) => {
            tracing::warn!(issuer = trust.issuer, status, "a code was refused");
            Ok(Value::Null)
        }
        answer => keys::read_json(&url, answer),
    }
}

/// As a part of a query.
pub(crate) fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect()
}
