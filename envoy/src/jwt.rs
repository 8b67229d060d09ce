//! `jwt_authn`: verifies access tokens, and leaves the answer to the guard.

use ig_contract::headers;
use serde_json::{Map, Value, json};

use crate::options::{Jwks, JwtProvider, MAX_CLOCK_SKEW_SECONDS, StaticOptions};

/// The names of clusters that serve keys begin so, and end in the provider's.
pub(crate) const JWKS_PREFIX: &str = "jwks_";

/// Name of the cluster that serves a provider's keys.
pub(crate) fn jwks_cluster(provider: &JwtProvider) -> String {
    format!("{JWKS_PREFIX}{}", provider.name)
}

/// The filter; none where no issuer is trusted.
pub(crate) fn filter(options: &StaticOptions) -> Option<Value> {
    if options.jwt_providers.is_empty() {
        return None;
    }
    let mut providers = Map::new();
    let mut requirements = Vec::new();
    for entry in &options.jwt_providers {
        providers.insert(entry.name.clone(), provider(entry, &options.metadata_key));
        requirements.push(json!({"provider_name": entry.name}));
    }
    // Requests without a valid token go on, without a verified payload: the
    // guard answers them, in GraphQL's terms and with a decision record.
    requirements.push(json!({"allow_missing_or_failed": {}}));
    Some(json!({
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication",
            "providers": providers,
            "rules": [{
                "match": {"prefix": "/"},
                "requires": {"requires_any": {"requirements": requirements}},
            }],
        },
    }))
}

fn provider(provider: &JwtProvider, metadata_key: &str) -> Value {
    let mut value = json!({
        "issuer": provider.issuer,
        // Only here: by default Envoy takes tokens from the URL too, and URLs
        // end up in logs.
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "forward": true,
        // The guard reads the header, which costs it nothing, and checks a
        // payload it has not seen before against the metadata.
        "forward_payload_header": headers::JWT_PAYLOAD,
        "payload_in_metadata": metadata_key,
        "require_expiration": true,
        "clock_skew_seconds": provider.clock_skew_seconds.min(MAX_CLOCK_SKEW_SECONDS),
        "jwt_cache_config": {"jwt_cache_size": 1000},
    });
    if !provider.audiences.is_empty() {
        value["audiences"] = json!(provider.audiences);
    }
    match &provider.jwks {
        Jwks::Inline(keys) => value["local_jwks"] = json!({"inline_string": keys}),
        Jwks::Remote { uri, .. } => {
            value["remote_jwks"] = json!({
                "http_uri": {"uri": uri, "cluster": jwks_cluster(provider), "timeout": "2s"},
                "cache_duration": "300s",
                "async_fetch": {"fast_listener": false},
                "retry_policy": {"num_retries": 3},
            });
        }
    }
    value
}
