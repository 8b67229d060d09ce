//! Who calls the API, and what they may.

mod oidc;
mod role;
mod token;
pub(crate) mod tokens;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;

pub(crate) use oidc::Oidc;
pub use oidc::OidcConfig;
pub(crate) use role::{Grant, Principal, Role};
#[expect(unreachable_pub, reason = "a source of the public error")]
pub use token::CannotBootstrap;
pub(crate) use token::bootstrap;

use crate::app::App;
use crate::error::ApiError;

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
        match (&app.oidc, token.starts_with(token::PREFIX)) {
            (_, true) => token::find(&app.store, token).await,
            (Some(oidc), false) => oidc.verify(token).await,
            (None, false) => Err(ApiError::Unauthenticated),
        }
    }
}
