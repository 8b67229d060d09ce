//! Who may see `/metrics`, also while the database is away.
//!
//! Tokens are looked up in the database. If that were all, no series would be there
//! while it is away, and no alert about it could fire. So a token that was good here a
//! while ago is good for this page, and for nothing else, as long as nobody can say
//! what it is now.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use sha2::{Digest as _, Sha256};
use tokio::time::timeout;

use crate::app::App;
use crate::auth::{Principal, Role};
use crate::error::ApiError;

/// How long a token counts without being looked up: what was revoked meanwhile counts
/// no longer than this.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// How long a look-up is waited for: a scrape ends after ten seconds.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Tokens that are remembered: there are few who scrape.
const MAX_TOKENS: usize = 64;

/// Tokens that may see the page, as hashes, and when they were looked up last.
#[derive(Default)]
pub(crate) struct Scrapers(Mutex<HashMap<[u8; 32], Instant>>);

impl Scrapers {
    fn with<T>(&self, see: impl FnOnce(&mut HashMap<[u8; 32], Instant>) -> T) -> T {
        see(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn remember(&self, token: [u8; 32], now: Instant) {
        self.with(|all| {
            all.retain(|_, at| now.saturating_duration_since(*at) <= REMEMBERED);
            if all.len() < MAX_TOKENS || all.contains_key(&token) {
                all.insert(token, now);
            }
        });
    }

    fn forget(&self, token: &[u8; 32]) {
        self.with(|all| all.remove(token));
    }

    fn knows(&self, token: &[u8; 32], now: Instant) -> bool {
        self.with(|all| {
            all.get(token)
                .is_some_and(|at| now.saturating_duration_since(*at) <= REMEMBERED)
        })
    }
}

/// A caller who may see the page.
pub(crate) struct Scraper;

impl FromRequestParts<App> for Scraper {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let token = parts.headers.get(AUTHORIZATION);
        let token: Option<[u8; 32]> = token.map(|token| Sha256::digest(token).into());
        let found = timeout(PATIENCE, Principal::from_request_parts(parts, app)).await;
        let found = match found {
            Ok(Ok(by)) => by.require(Role::Viewer),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(ApiError::Later("the database does not answer")),
        };
        let scrapers = &app.metrics.scrapers;
        match (found, token) {
            (Ok(()), Some(token)) => scrapers.remember(token, Instant::now()),
            (Ok(()), None) => return Err(ApiError::Unauthenticated),
            // Nobody knows what the token is now.
            (Err(ApiError::Store(_) | ApiError::Later(_) | ApiError::Issuer), Some(token))
                if scrapers.knows(&token, Instant::now()) => {}
            (Err(error @ (ApiError::Unauthenticated | ApiError::Forbidden(_))), Some(token)) => {
                scrapers.forget(&token);
                return Err(error);
            }
            (Err(error), _) => return Err(error),
        }
        Ok(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_remembered_for_an_hour_and_few_are() {
        let scrapers = Scrapers::default();
        let began = Instant::now();
        let token = |number: u8| [number; 32];
        scrapers.remember(token(1), began);
        assert!(scrapers.knows(&token(1), began + REMEMBERED));
        assert!(!scrapers.knows(&token(1), began + REMEMBERED + Duration::from_millis(1)));
        assert!(!scrapers.knows(&token(2), began));
        for number in 0..200 {
            scrapers.remember(token(number), began);
        }
        let known = (0..200).filter(|number| scrapers.knows(&token(*number), began));
        assert_eq!(known.count(), MAX_TOKENS);
        scrapers.forget(&token(1));
        assert!(!scrapers.knows(&token(1), began));
        // Those of before make room.
        let later = began + REMEMBERED * 2;
        scrapers.remember(token(250), later);
        assert!(scrapers.knows(&token(250), later));
    }
}
