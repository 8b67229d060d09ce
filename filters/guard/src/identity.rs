//! From the forwarded payload of a verified token to claims.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ig_policy::{Claim, Claims};
use serde_json::Value;

/// Who the host's own metadata says the verified token is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedToken {
    /// `iss`
    pub issuer: Vec<u8>,
    /// `sub`
    pub subject: Vec<u8>,
}

impl VerifiedToken {
    pub(crate) fn is_of(&self, claims: &Claims) -> bool {
        let is = |name: &str, value: &[u8]| matches!(claims.get(name), Some(Claim::Text(text)) if text.as_bytes() == value);
        is("iss", &self.issuer) && is("sub", &self.subject)
    }
}

/// Reads a payload. Claims that are neither a string nor an array of strings
/// are left out: no identity is made of them.
pub(crate) fn claims(payload: &str) -> Option<Claims> {
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let Value::Object(members) = serde_json::from_slice(&json).ok()? else {
        return None;
    };
    let claims = members
        .into_iter()
        .filter_map(|(name, value)| Some((name, claim(value)?)));
    Some(claims.collect())
}

fn claim(value: Value) -> Option<Claim> {
    match value {
        Value::String(text) => Some(Claim::Text(text)),
        Value::Array(items) => {
            let text = |item| {
                if let Value::String(text) = item {
                    Some(text)
                } else {
                    None
                }
            };
            items
                .into_iter()
                .map(text)
                .collect::<Option<_>>()
                .map(Claim::List)
        }
        _ => None,
    }
}
