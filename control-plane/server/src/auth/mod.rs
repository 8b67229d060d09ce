//! Who calls the API, and what they may.

mod failures;
mod issuer;
mod keys;
mod login;
mod oidc;
mod provider;
mod public;
mod relying;
pub(crate) mod review;
mod role;
mod token;
pub(crate) mod tokens;

use std::future::Future;
use std::time::Instant;

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

pub(crate) use failures::Failures;
pub(crate) use keys::is_safe_url;
pub(crate) use login::{Logins, user};
pub(crate) use oidc::Oidc;
pub use oidc::OidcConfig;
pub(crate) use oidc::system_authorities;
pub(crate) use relying::{Answered, Asked, Client, encoded};
pub(crate) use role::{Grant, Person, Principal, Provisioning, Role, Session};
#[expect(unreachable_pub, reason = "a source of the public error")]
pub use token::CannotBootstrap;
pub(crate) use token::{bootstrap, check_still, of_id, read as read_token};

use crate::app::App;
use crate::console;
use crate::error::ApiError;
use crate::tls::Peer;

/// Longest token that is looked at.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

impl FromRequestParts<App> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let mut values = parts.headers.get_all(AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else {
            return Err(ApiError::Unauthenticated);
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|value| value.strip_prefix("Bearer "))
            .filter(|token| token.len() <= MAX_TOKEN_BYTES)
            .ok_or(ApiError::Unauthenticated)?;
        let address = parts.extensions.get::<ConnectInfo<Peer>>();
        counted(app, address, Some(token), find(app, token)).await
    }
}

/// Looks at a token, unless the address has shown too many that are none. What is
/// guessed otherwise has no `token`, and none that was good before passes.
///
/// # Errors
/// Those of `find`, and 429.
pub(crate) async fn counted<T>(
    app: &App,
    address: Option<&ConnectInfo<Peer>>,
    token: Option<&str>,
    find: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    let address = address.map(|ConnectInfo(peer)| peer.0.ip());
    if let Some(address) = address {
        app.failures.check(address, token, Instant::now())?;
    }
    let outcome = find.await;
    match (&outcome, address) {
        (Ok(_), _) => {
            if let Some(token) = token {
                app.failures.succeeded(token);
            }
        }
        (Err(ApiError::Unauthenticated), Some(address)) => {
            app.failures.failed(address, token, Instant::now());
            app.metrics.failed_logins.inc();
        }
        (Err(_), _) => {}
    }
    outcome
}

/// A caller who is a user of a tenant: by an access token of the tenant's own
/// issuer, or by a session of the console. Of two, the token counts.
pub(crate) struct User {
    pub(crate) by: Principal,
    pub(crate) person: Person,
}

impl FromRequestParts<App> for User {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let session = match parts.headers.contains_key(AUTHORIZATION) {
            true => None,
            false => console::caller(parts, app).await?,
        };
        let by = match session {
            Some(by) => by,
            None => Principal::from_request_parts(parts, app).await?,
        };
        let person = by.person().cloned();
        let person = person.ok_or(ApiError::Forbidden("user of a tenant"))?;
        Ok(Self { by, person })
    }
}

async fn find(app: &App, token: &str) -> Result<Principal, ApiError> {
    if token.starts_with(token::PREFIX) {
        return token::find(&app.store, token).await;
    }
    let claimed = login::claimed(token).ok_or(ApiError::Unauthenticated)?;
    match &app.oidc {
        Some(oidc) if oidc.is(&claimed.issuer) => oidc.verify(token).await,
        _ => login::verify(app, token, &claimed).await,
    }
}
