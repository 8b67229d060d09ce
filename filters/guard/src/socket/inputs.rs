//! What a client says of itself in a message instead of in a header, and what the
//! upstream is told.

use std::borrow::Cow;

use ig_contract::headers;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::RequestHead;

/// Members of `connection_init`'s payload that are read; others are dropped.
#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(rename = "x-ig-purpose", borrow)]
    purpose: Option<Cow<'a, str>>,
    #[serde(rename = "x-ig-authority", borrow)]
    authority: Option<Cow<'a, str>>,
    #[serde(rename = "x-ig-step-up", borrow)]
    step_up: Option<Cow<'a, str>>,
}

/// Takes purpose, legal basis and proof from the payload of `connection_init`.
/// Answers whether the payload can be read.
pub(super) fn take(head: &mut RequestHead, payload: Option<&RawValue>) -> bool {
    let Some(payload) = payload else {
        return true;
    };
    let Ok(payload) = serde_json::from_str::<Payload<'_>>(payload.get()) else {
        return false;
    };
    let inputs = [
        (headers::PURPOSE, payload.purpose),
        (headers::AUTHORITY, payload.authority),
        (headers::STEP_UP, payload.step_up),
    ];
    for (name, value) in inputs {
        if let Some(value) = value {
            head.put_input(name, &value);
        }
    }
    true
}

/// The proof that a `subscribe` brings in its `extensions`: it lives for a minute
/// or two, a connection for hours.
pub(super) fn step_up(payload: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    struct Request {
        extensions: Option<Extensions>,
    }
    #[derive(Deserialize)]
    struct Extensions {
        #[serde(rename = "x-ig-step-up")]
        step_up: Option<String>,
    }
    // What cannot be read here is malformed, and is denied as such.
    let request: Request = serde_json::from_str(payload.get()).ok()?;
    request.extensions?.step_up
}

/// The payload of the `connection_init` that the upstream gets: what an HTTP
/// request would have in headers.
pub(super) fn annotations(of: &[(&'static str, Option<&str>)]) -> String {
    let known = of.iter().filter_map(|(name, value)| {
        let value = serde_json::to_string((*value)?).ok()?;
        Some(format!(r#""{name}":{value}"#))
    });
    format!("{{{}}}", known.collect::<Vec<_>>().join(","))
}
