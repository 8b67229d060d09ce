//! What the host's metadata says of the verified token.

use ig_contract::snapshot::Identity;
#[cfg(feature = "policy")]
use ig_guard::VerifiedToken;

#[cfg(feature = "policy")]
use crate::host;

/// Paths of the claims in `jwt_authn`'s metadata, which no client can write.
#[derive(Default)]
#[cfg_attr(
    not(feature = "policy"),
    expect(dead_code, reason = "only policy asks who")
)]
pub(crate) struct VerifiedClaims {
    issuer: String,
    subject: String,
}

impl VerifiedClaims {
    pub(crate) fn new(identity: &Identity) -> Self {
        let path = |claim: &str| {
            let key = &identity.metadata_key;
            format!("metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0{key}\0{claim}")
        };
        Self {
            issuer: path("iss"),
            subject: path("sub"),
        }
    }

    /// Issuer and subject of the verified token; `None` without one.
    #[cfg(feature = "policy")]
    pub(crate) fn read(&self) -> Option<VerifiedToken> {
        let claim = |path: &str| host::property(path).ok().flatten();
        Some(VerifiedToken {
            issuer: claim(&self.issuer)?,
            subject: claim(&self.subject)?,
        })
    }
}
