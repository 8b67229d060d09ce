//! Access tokens of the operator's OIDC issuer: admins by group.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::issuer::{TokenIssuer, Trust};
use super::keys::{KeySource, is_safe_url};
use super::{Grant, Principal, Role};
use crate::error::ApiError;

/// `[oidc]` of the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct OidcConfig {
    /// The `iss` of its tokens; its configuration is found below it.
    pub issuer: String,
    /// What a token's `aud` must name.
    pub audience: String,
    /// Its keys: a URL, or a file. By default as the issuer's configuration
    /// says.
    pub jwks: Option<String>,
    /// Authorities to trust when asking it.
    #[serde(default = "system_authorities")]
    pub ca: PathBuf,
    /// Claim that lists groups.
    #[serde(default = "groups")]
    pub groups_claim: String,
    /// Groups by the role they give.
    pub roles: BTreeMap<String, BTreeSet<String>>,
    /// Groups by the tenant whose admin they make.
    #[serde(default)]
    pub tenant_admins: BTreeMap<String, BTreeSet<String>>,
}

pub(crate) fn system_authorities() -> PathBuf {
    "/etc/ssl/certs/ca-certificates.crt".into()
}

fn groups() -> String {
    "groups".into()
}

impl OidcConfig {
    /// Everything that is wrong with it.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let sources = std::iter::once(&self.issuer).chain(&self.jwks);
        for url in sources.filter(|source| source.contains("://")) {
            if !is_safe_url(url) {
                problems.push(format!("oidc: {url}: without TLS keys can be replaced"));
            }
        }
        if self.jwks.is_none() && !self.issuer.contains("://") {
            problems.push("oidc.issuer: a URL, or say where its keys are with oidc.jwks".into());
        }
        for role in self.roles.keys() {
            if Role::parse(role).is_none_or(|role| role < Role::Viewer) {
                problems.push(format!(
                    "oidc.roles.{role}: must be viewer, publisher or owner"
                ));
            }
        }
        problems
    }
}

/// The operator's issuer.
pub(crate) struct Oidc {
    config: OidcConfig,
    issuer: Arc<TokenIssuer>,
}

impl Oidc {
    pub(crate) fn new(config: OidcConfig) -> Self {
        let issuer = TokenIssuer::new(Trust {
            issuer: config.issuer.clone(),
            audience: config.audience.clone(),
            keys: KeySource::of_operator(config.jwks.as_deref()),
            ca: config.ca.clone(),
            // The operator knows where it is.
            is_private: true,
        });
        Self {
            config,
            issuer: Arc::new(issuer),
        }
    }

    /// What the operator says of it.
    pub(super) fn config(&self) -> &OidcConfig {
        &self.config
    }

    /// Whether a token that says it is of `issuer` is of this one.
    pub(super) fn is(&self, issuer: &str) -> bool {
        self.config.issuer == issuer
    }

    /// The caller that a token stands for.
    ///
    /// # Errors
    /// 401 for a token that is not good, 403 without a group that has a role,
    /// 503 when keys cannot be had.
    pub(super) async fn verify(&self, token: &str) -> Result<Principal, ApiError> {
        let claims = self.issuer.verify(token).await?;
        let subject = claims["sub"].as_str().ok_or(ApiError::Unauthenticated)?;
        Ok(Principal {
            name: format!("oidc:{}", subject.chars().take(200).collect::<String>()),
            grant: self.grant(&claims).ok_or(ApiError::Forbidden("viewer"))?,
        })
    }

    /// The highest role of the token's groups, or the tenant it administrates.
    fn grant(&self, claims: &Value) -> Option<Grant> {
        let groups: BTreeSet<&str> = match &claims[&self.config.groups_claim] {
            Value::Array(groups) => groups.iter().filter_map(Value::as_str).collect(),
            Value::String(group) => BTreeSet::from([group.as_str()]),
            _ => BTreeSet::new(),
        };
        let has =
            |wanted: &BTreeSet<String>| wanted.iter().any(|one| groups.contains(one.as_str()));
        let roles = self.config.roles.iter();
        let role = roles
            .filter(|(_, groups)| has(groups))
            .filter_map(|(role, _)| Role::parse(role))
            .max();
        let tenants = self.config.tenant_admins.iter();
        let mut tenants = tenants.filter(|(_, groups)| has(groups));
        match (role, tenants.next(), tenants.next()) {
            (Some(role), _, _) => Some(Grant::Global(role)),
            // Two tenants: which one is meant cannot be told.
            (None, Some((tenant, _)), None) => Some(Grant::Tenant(tenant.clone())),
            (None, _, _) => None,
        }
    }
}
