//! What Envoy itself answers, as GraphQL errors.

use ig_contract::snapshot::Route;
use ig_contract::{DenyCode, headers};
use serde_json::{Value, json};

use crate::options::StaticOptions;

/// Flags of failures before anything reached an upstream: no healthy host, no
/// connection, no room, no cluster, no route, overload, a fault that somebody injects.
const NEVER_REACHED: [&str; 7] = ["UH", "UF", "UO", "NC", "NR", "OM", "FI"];

/// Flags of failures after which an upstream may have done what was asked:
/// timeouts, resets, connections that ended, answers that are none, retries that
/// were used up.
const MAYBE_REACHED: [&str; 9] = ["UT", "UC", "UR", "LR", "SI", "DT", "UMSDR", "UPE", "URX"];

/// Answers of the guard say so in their details, and stay as they are, also
/// where it withholds what Envoy would have answered.
const NOT_BY_THE_GUARD: &str = "response.code >= 500 && response.code_details != 'ig_guard'";

pub(crate) fn config(options: &StaticOptions) -> Value {
    let (code, unavailable) = match options.region {
        Some(_) => (
            DenyCode::RegionUnavailable,
            "Your tenant's region does not answer; try again later.",
        ),
        None => (
            DenyCode::UpstreamUnavailable,
            "The service does not answer; try again later.",
        ),
    };
    let broke_off = || all_of([flags(&MAYBE_REACHED), expression(NOT_BY_THE_GUARD)]);
    json!({"mappers": [
        Answer {
            code: DenyCode::RateLimited,
            rule: "rate-limit-fleet",
            message: "Your tenant has used up what all gateways together give it; try again later.",
        }
        .mapper(expression("response.code_details == 'request_rate_limited'"), true),
        Answer { code, rule: "upstream-overloaded", message: unavailable }
            .mapper(expression("response.code_details == 'denied_by_admission_control'"), true),
        Answer { code, rule: "upstream-unavailable", message: unavailable }
            .mapper(all_of([flags(&NEVER_REACHED), expression(NOT_BY_THE_GUARD)]), true),
        Answer { code, rule: "upstream-broke-off", message: unavailable }
            .mapper(all_of([broke_off(), is_read()]), true),
        // Whoever tries again may do it twice.
        Answer {
            code,
            rule: "upstream-broke-off",
            message: "The service broke off; whether it did what was asked is not known.",
        }
        .mapper(broke_off(), false),
    ]})
}

/// The route of requests for which there is no other.
pub(crate) fn no_region() -> Value {
    let answer = Answer {
        code: DenyCode::RegionUnavailable,
        rule: "region-route",
        message: "Your tenant's region cannot be reached from here.",
    };
    json!({
        "match": {"prefix": "/"},
        "direct_response": {
            "status": answer.code.status(),
            "body": {"inline_string": answer.body()},
        },
        "response_headers_to_add": [
            header("content-type", "application/json", "OVERWRITE_IF_EXISTS_OR_ADD"),
            header("cache-control", "no-store", "OVERWRITE_IF_EXISTS_OR_ADD"),
        ],
    })
}

struct Answer {
    code: DenyCode,
    rule: &'static str,
    message: &'static str,
}

impl Answer {
    /// By hand, for the order of members. Nothing here needs an escape, or is a
    /// `%` that Envoy would expand.
    fn body(&self) -> String {
        let Self {
            code,
            rule,
            message,
        } = self;
        let code = code.as_str();
        format!(
            r#"{{"errors":[{{"message":"{message}","extensions":{{"code":"{code}","rule":"{rule}"}}}}]}}"#
        )
    }

    fn mapper(&self, filter: Value, may_retry: bool) -> Value {
        let mut headers = vec![header(
            "cache-control",
            "no-store",
            "OVERWRITE_IF_EXISTS_OR_ADD",
        )];
        if may_retry {
            // The rate-limit service may know better.
            headers.push(header("retry-after", "1", "ADD_IF_ABSENT"));
        }
        json!({
            "filter": filter,
            "status_code": self.code.status(),
            "headers_to_add": headers,
            "body_format_override": {
                "text_format_source": {"inline_string": self.body()},
                "content_type": "application/json",
            },
        })
    }
}

fn header(name: &str, value: &str, action: &str) -> Value {
    json!({"header": {"key": name, "value": value}, "append_action": action})
}

fn all_of(filters: [Value; 2]) -> Value {
    json!({"and_filter": {"filters": filters}})
}

fn flags(flags: &[&str]) -> Value {
    json!({"response_flag_filter": {"flags": flags}})
}

fn is_read() -> Value {
    json!({"header_filter": {"header": {
        "name": headers::ROUTE,
        "string_match": {"exact": Route::Replica.as_str()},
    }}})
}

/// Not everything has a flag; details say it all.
fn expression(text: &str) -> Value {
    json!({"extension_filter": {
        "name": "envoy.access_loggers.extension_filters.cel",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter",
            "expression": text,
        },
    }})
}
