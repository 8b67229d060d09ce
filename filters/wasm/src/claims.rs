//! What `jwt_authn` verified, in the host's serialisation.

use ig_contract::snapshot::Identity;
#[cfg(feature = "policy")]
use ig_guard::{Claim, Claims};

#[cfg(feature = "policy")]
use crate::host;

/// Where the verified payload is: never in a header, which a client could send.
#[derive(Default)]
pub(crate) struct ClaimsSource {
    #[cfg_attr(not(feature = "policy"), expect(dead_code, reason = "only policy reads claims"))]
    payload: String,
    #[cfg_attr(not(feature = "policy"), expect(dead_code, reason = "only policy reads claims"))]
    names: Vec<String>,
}

impl ClaimsSource {
    pub(crate) fn new(identity: &Identity) -> Self {
        let Identity { metadata_key, tenant_claim, groups_claim, purposes_claim, client_claim } =
            identity;
        let names = ["iss", "sub", tenant_claim, groups_claim, purposes_claim, client_claim];
        Self {
            payload: format!("metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0{metadata_key}"),
            names: names.map(ToOwned::to_owned).into(),
        }
    }
}

#[cfg(feature = "policy")]
impl ClaimsSource {
    /// Reads the payload; `None` without a verified token.
    pub(crate) fn read(&self) -> Option<Vec<u8>> {
        match host::property(&self.payload) {
            Ok(payload) => payload,
            // The host cannot serialise some values (null) and then gives
            // nothing at all: the claims that matter are read one by one.
            Err(_) => {
                let claims: Vec<_> = self
                    .names
                    .iter()
                    .filter_map(|name| {
                        let claim = host::property(&format!("{}\0{name}", self.payload));
                        Some((name.as_bytes(), claim.ok()??))
                    })
                    .collect();
                Some(host::serialise(claims.iter().map(|(name, claim)| (*name, claim.as_slice()))))
            }
        }
    }
}

/// Reads the payload. Strings arrive as their bytes, arrays of strings as pairs
/// without values; the rest (numbers, objects) is left out or reads as text
/// that no identity has, and either denies.
#[cfg(feature = "policy")]
pub(crate) fn parse(bytes: &[u8]) -> Option<Claims> {
    let claims = host::pairs(bytes)?.into_iter().filter_map(|(name, value)| {
        let name = std::str::from_utf8(name).ok()?;
        Some((name.to_owned(), list(value).or_else(|| text(value).map(Claim::Text))?))
    });
    Some(claims.collect())
}

#[cfg(feature = "policy")]
fn text(value: &[u8]) -> Option<String> {
    std::str::from_utf8(value).ok().map(ToOwned::to_owned)
}

#[cfg(feature = "policy")]
fn list(value: &[u8]) -> Option<Claim> {
    let items = host::pairs(value).filter(|_| !value.is_empty())?;
    let items = items.into_iter().map(|(item, nothing)| text(item).filter(|_| nothing.is_empty()));
    items.collect::<Option<_>>().map(Claim::List)
}
