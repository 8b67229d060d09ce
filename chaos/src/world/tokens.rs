//! Access tokens of tenants' users.

use std::time::{SystemTime, UNIX_EPOCH};

use ig_e2e::{Issuer, TokenClaims};
use serde_json::json;

use super::tenant_name;

/// Seconds since the epoch.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_secs()
}

fn claims(tenant: usize, user: &str) -> TokenClaims {
    TokenClaims::alpha()
        .with("tenant", json!(tenant_name(tenant)))
        .with("sub", json!(user))
        .with("groups", json!([]))
        .with("purposes", json!([]))
}

/// Makes access tokens.
#[derive(Clone)]
pub struct Tokens(Issuer);

impl Tokens {
    pub(super) fn of_issuer(issuer: Issuer) -> Self {
        Self(issuer)
    }

    /// An access token of a tenant's user, that ends in so many seconds. It says
    /// nothing of what they may: that is in the directory.
    pub fn of(&self, tenant: usize, user: &str, seconds: i64) -> String {
        let until = now().saturating_add_signed(seconds);
        let claims = claims(tenant, user).with("exp", json!(until));
        self.0.token(&claims)
    }

    /// One that is good from so many seconds from now on, and until so many.
    pub fn between(&self, tenant: usize, user: &str, from: i64, until: i64) -> String {
        let now = now();
        let claims = claims(tenant, user)
            .with("iat", json!(now.saturating_add_signed(from)))
            .with("nbf", json!(now.saturating_add_signed(from)))
            .with("exp", json!(now.saturating_add_signed(until)));
        self.0.token(&claims)
    }
}
