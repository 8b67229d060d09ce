//! Users of tenants, by access tokens of the tenants' own issuers.
//!
//! A token is of the tenant that names its issuer and audience as a login; its
//! subject is a user by the same link as at the gateway.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_contract::directory::FactsRequest;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::issuer::{TokenIssuer, Trust};
use super::keys::KeySource;
use super::provider::Provider;
use super::role::Session;
use super::{Grant, Person, Principal};
use crate::app::App;
use crate::error::ApiError;
use crate::{directory, tenants};

/// Issuers whose keys are kept.
const MAX_ISSUERS: usize = 1000;
/// Calls of the console to issuers at once, of all tenants.
const MAX_CALLS: usize = 32;

/// The issuers of tenants.
pub(crate) struct Logins {
    issuers: Mutex<Issuers>,
    providers: Mutex<HashMap<(String, bool), Arc<Provider>>>,
    /// Calls to issuers at once.
    turns: Arc<Semaphore>,
    /// Authorities to trust when asking them.
    ca: PathBuf,
}

/// Those that were used last, with their keys.
#[derive(Default)]
struct Issuers {
    /// Each with the number of its last use.
    kept: HashMap<Trust, (u64, Arc<TokenIssuer>)>,
    uses: u64,
}

impl Issuers {
    /// Forgets the one whose last use is longest ago, where there are too many.
    fn find(&mut self, trust: Trust) -> Arc<TokenIssuer> {
        if self.kept.len() >= MAX_ISSUERS && !self.kept.contains_key(&trust) {
            let oldest = self.kept.iter().min_by_key(|(_, (used, _))| *used);
            if let Some(oldest) = oldest.map(|(trust, _)| trust.clone()) {
                self.kept.remove(&oldest);
            }
        }
        self.uses += 1;
        let made = || (0, Arc::new(TokenIssuer::new(trust.clone())));
        let (used, issuer) = self.kept.entry(trust.clone()).or_insert_with(made);
        *used = self.uses;
        issuer.clone()
    }
}

/// Who a token says it is of, before it is verified.
pub(super) struct Claimed {
    pub(super) issuer: String,
    audiences: Vec<String>,
}

/// Reads a token without believing it: to know whom to ask for keys.
pub(super) fn claimed(token: &str) -> Option<Claimed> {
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload).ok()?;
    let claims: Value = serde_json::from_slice(&payload).ok()?;
    let audiences = match claims.get("aud")? {
        Value::String(one) => vec![one.clone()],
        Value::Array(list) => list
            .iter()
            .take(16)
            .filter_map(|one| one.as_str().map(ToOwned::to_owned))
            .collect(),
        _ => return None,
    };
    Some(Claimed {
        issuer: claims.get("iss")?.as_str()?.to_owned(),
        audiences,
    })
}

impl Logins {
    pub(crate) fn new(ca: PathBuf) -> Self {
        Self {
            issuers: Mutex::default(),
            providers: Mutex::default(),
            turns: Arc::new(Semaphore::new(MAX_CALLS)),
            ca,
        }
    }

    /// An issuer, as the console's login pages need it.
    pub(super) fn provider(&self, trust: &Trust) -> Arc<Provider> {
        let mut providers = self
            .providers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if providers.len() >= MAX_ISSUERS {
            providers.clear();
        }
        let key = (trust.issuer.clone(), trust.is_private);
        let made = || Arc::new(Provider::new(self.turns.clone()));
        providers.entry(key).or_insert_with(made).clone()
    }

    /// Authorities to trust when asking an issuer.
    pub(super) fn ca(&self) -> &std::path::Path {
        &self.ca
    }

    pub(super) fn issuer(&self, trust: Trust) -> Arc<TokenIssuer> {
        let mut issuers = self.issuers.lock().unwrap_or_else(PoisonError::into_inner);
        issuers.find(trust)
    }
}

/// The user that a token stands for.
///
/// # Errors
/// 401 for a token of no tenant, that is not good, or whose subject is nobody
/// who may do anything; 503 when keys cannot be had.
pub(super) async fn verify(
    app: &App,
    token: &str,
    claimed: &Claimed,
) -> Result<Principal, ApiError> {
    for audience in &claimed.audiences {
        let row: Option<(String, Option<String>, i64)> = sqlx::query_as(
            "SELECT tenant, jwks, is_private FROM tenant_logins WHERE issuer = $1 AND audience = $2",
        )
        .bind(claimed.issuer.as_str())
        .bind(audience.as_str())
        .fetch_optional(app.store.pool())
        .await?;
        let Some((tenant, jwks, is_private)) = row else {
            continue;
        };
        let issuer = app.logins.issuer(Trust {
            issuer: claimed.issuer.clone(),
            audience: audience.clone(),
            keys: KeySource::of_tenant(jwks.as_deref()),
            ca: app.logins.ca.clone(),
            is_private: is_private != 0,
        });
        let claims = issuer.verify(token).await?;
        return person(app, tenant, &claimed.issuer, &claims, token).await;
    }
    Err(ApiError::Unauthenticated)
}

async fn person(
    app: &App,
    tenant: String,
    issuer: &str,
    claims: &Value,
    token: &str,
) -> Result<Principal, ApiError> {
    let subject = claims["sub"].as_str().ok_or(ApiError::Unauthenticated)?;
    let session = Session {
        issuer: issuer.to_owned(),
        subject: subject.to_owned(),
        id: session_id(claims, token),
        auth_time: claims["auth_time"].as_u64(),
    };
    user(app, tenant, session, claims).await
}

/// The user whose login this is, as long as it may do anything. Who was seen
/// before is known without claims.
///
/// # Errors
/// 401 for nobody, and for who is suspended.
pub(crate) async fn user(
    app: &App,
    tenant: String,
    session: Session,
    claims: &Value,
) -> Result<Principal, ApiError> {
    let mut connection = app.store.pool().acquire().await?;
    let settings = tenants::read(&mut connection, &tenant).await?;
    let rule = settings.and_then(|tenant| tenant.issuers.get(&session.issuer).cloned());
    let rule = rule.ok_or(ApiError::Unauthenticated)?;
    let identity = tenants::identity(&mut connection, &tenant).await?;
    drop(connection);
    let link = claims.get(&rule.claim).and_then(Value::as_str);
    let request = FactsRequest {
        graph: String::new(),
        tenant,
        issuer: session.issuer.clone(),
        subject: session.subject.clone(),
        link: link.map(ToOwned::to_owned),
    };
    let name = format!(
        "user:{}/{}",
        request.tenant,
        session.subject.chars().take(200).collect::<String>()
    );
    let by = Principal::of_system(&name);
    let facts = directory::facts(app, &by, &request).await?;
    let Some(user) = facts.user.filter(|_| facts.active) else {
        return Err(ApiError::Unauthenticated);
    };
    // Names of groups are compared without case, as everywhere.
    let groups: Vec<String> = facts
        .groups
        .iter()
        .map(|name| name.to_lowercase())
        .collect();
    let is_admin = identity
        .admin_groups
        .iter()
        .any(|group| groups.contains(&group.to_lowercase()));
    let tenant = request.tenant;
    Ok(Principal {
        name,
        grant: Grant::User(Person {
            tenant,
            user,
            is_admin,
            session,
        }),
    })
}

/// The session that a token is of (OpenID Connect Front-Channel Logout: `sid`).
fn session_id(claims: &Value, token: &str) -> String {
    let claim = |name: &str| {
        let value = claims[name].as_str()?;
        Some(format!("{name}:{}", hex::encode(Sha256::digest(value))))
    };
    let hash = || format!("token:{}", hex::encode(Sha256::digest(token)));
    claim("sid").or_else(|| claim("jti")).unwrap_or_else(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuers_in_use_are_kept_and_no_more_than_the_limit() {
        let mut issuers = Issuers::default();
        let trust = |number: usize| Trust {
            issuer: format!("https://{number}.example"),
            audience: "ig".to_owned(),
            keys: KeySource::Discovered,
            ca: PathBuf::new(),
            is_private: false,
        };
        let busy = issuers.find(trust(0));
        let idle = issuers.find(trust(1));
        for number in 2..2 * MAX_ISSUERS {
            issuers.find(trust(number));
            assert!(Arc::ptr_eq(&busy, &issuers.find(trust(0))), "{number}");
            assert!(issuers.kept.len() <= MAX_ISSUERS);
        }
        assert_eq!(issuers.kept.len(), MAX_ISSUERS);
        assert!(!Arc::ptr_eq(&idle, &issuers.find(trust(1))));
    }
}
