//! What Envoy is answered, and by it the caller.

use envoy_types::pb::envoy::config::core::v3::HeaderValue;
use envoy_types::pb::envoy::service::ratelimit::v3::RateLimitResponse;
use envoy_types::pb::envoy::service::ratelimit::v3::rate_limit_response::{Code, DescriptorStatus};
use ig_rate_limit::Refusal;
use serde_json::json;

/// Nothing is against it.
pub(super) fn ok(descriptors: usize) -> RateLimitResponse {
    RateLimitResponse {
        overall_code: Code::Ok.into(),
        statuses: vec![status(Code::Ok); descriptors],
        ..RateLimitResponse::default()
    }
}

/// A refusal, of some of the descriptors. Envoy sends headers and body to the
/// caller, and 429 with them.
pub(super) fn over(refusal: &Refusal, refused: impl Iterator<Item = bool>) -> RateLimitResponse {
    let deny = refusal.deny();
    let body = json!({"errors": [{
        "message": deny.message,
        "extensions": {"code": deny.code, "rule": deny.rule},
    }]});
    let mut headers = vec![
        header("content-type", "application/json"),
        header("cache-control", "no-store"),
    ];
    if let Some(seconds) = refusal.retry_after() {
        headers.push(header("retry-after", seconds.to_string()));
    }
    let of_rate = refusal.headers().into_iter().flatten();
    headers.extend(of_rate.map(|(name, value)| header(name, value)));
    let code = |is_refused| {
        if is_refused {
            Code::OverLimit
        } else {
            Code::Ok
        }
    };
    RateLimitResponse {
        overall_code: Code::OverLimit.into(),
        statuses: refused.map(|is_refused| status(code(is_refused))).collect(),
        response_headers_to_add: headers,
        raw_body: body.to_string().into_bytes(),
        ..RateLimitResponse::default()
    }
}

fn status(code: Code) -> DescriptorStatus {
    DescriptorStatus {
        code: code.into(),
        ..DescriptorStatus::default()
    }
}

fn header(key: &str, value: impl Into<String>) -> HeaderValue {
    HeaderValue {
        key: key.to_owned(),
        value: value.into(),
        ..HeaderValue::default()
    }
}
