//! The head of a request: one pass over all headers, as bytes. A single-header
//! read of the host would return only the first of several values, and header
//! values may hold any byte but controls.

use std::collections::BTreeSet;

use ig_contract::{Deny, DenyCode, headers};
use ig_persisted_query::{Answer, Method, accepts, check_content_type};
use ig_websocket::{Offer, Protocol, Refusal};

use crate::trace::{TraceHeaders, TraceParent};

/// What of the headers matters.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    method: Option<String>,
    target: Option<String>,
    content_type: One,
    content_encoding: bool,
    upgrade: bool,
    offer: Offer,
    origin: One,
    answer: Option<Answer>,
    purpose: One,
    authority: One,
    step_up: One,
    jwt_payload: One,
    is_forwarded: bool,
    trace: TraceHeaders,
    /// Headers that must not reach the upstream.
    strip: Vec<String>,
}

/// A header that may occur once.
#[derive(Clone, Debug, Default)]
enum One {
    #[default]
    Absent,
    Value(String),
    /// Twice, or not what the header may hold.
    Invalid,
}

impl One {
    fn put(&mut self, value: &[u8], is_valid: impl Fn(&str) -> bool) {
        let value = std::str::from_utf8(value)
            .ok()
            .filter(|value| is_valid(value));
        *self = match (&self, value) {
            (Self::Absent, Some(value)) => Self::Value(value.to_owned()),
            _ => Self::Invalid,
        };
    }

    fn get(&self) -> Option<&str> {
        match self {
            Self::Value(value) => Some(value),
            Self::Absent | Self::Invalid => None,
        }
    }

    fn is_invalid(&self) -> bool {
        matches!(self, Self::Invalid)
    }
}

/// Headers by which frameworks replace method or path: the guard decided on
/// the real ones.
const OVERRIDES: [&str; 5] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
];

fn is_purpose(value: &str) -> bool {
    (1..=64).contains(&value.len())
        && value
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

fn is_authority(value: &str) -> bool {
    (1..=256).contains(&value.len()) && value.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn is_ascii(value: &str) -> bool {
    value.is_ascii()
}

const INVALID_INPUT: Deny = Deny::new(
    DenyCode::BadRequest,
    "header-input",
    "`x-ig-purpose`, `x-ig-authority` and `x-ig-step-up` may each be sent once, in visible ASCII.",
);

const UPGRADE_METHOD: Deny = Deny::new(
    DenyCode::UpgradeRefused,
    "upgrade-method",
    "A WebSocket is opened by GET.",
);
const NOT_WEBSOCKET: Deny = Deny::new(
    DenyCode::UpgradeRefused,
    "upgrade",
    "Only an upgrade to `websocket`, version 13, is accepted.",
);
const ORIGIN: Deny = Deny::new(
    DenyCode::UpgradeRefused,
    "origin",
    "Pages of this origin may not open a WebSocket here.",
);
const SUB_PROTOCOL: Deny = Deny::new(
    DenyCode::UpgradeRefused,
    "sub-protocol",
    "Offer the sub-protocol `graphql-transport-ws` or `graphql-ws`.",
);

impl RequestHead {
    /// Reads all headers, pseudo-headers included. Names are lower-case.
    pub fn read<'a>(all: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut head = Self::default();
        for (name, value) in all {
            match name {
                b":method" => head.method = std::str::from_utf8(value).ok().map(Into::into),
                b":path" => head.target = std::str::from_utf8(value).ok().map(Into::into),
                b"content-type" => head.content_type.put(value, is_ascii),
                b"content-encoding" => {
                    head.content_encoding |= !value.eq_ignore_ascii_case(b"identity");
                    head.strip.push("content-encoding".into());
                }
                b"upgrade" => {
                    head.upgrade = true;
                    head.offer.note(name, value);
                }
                b"sec-websocket-version" | b"sec-websocket-protocol" | b"sec-websocket-key" => {
                    head.offer.note(name, value);
                }
                b"origin" => head.origin.put(value, is_ascii),
                b"accept" => head.read_accept(value),
                b"x-request-id" => head.trace.put_request_id(value),
                b"traceparent" => head.trace.put_client(value),
                _ if is_ours(name) => head.read_ours(name, value),
                _ => {
                    if let Some(name) = OVERRIDES.iter().find(|other| other.as_bytes() == name) {
                        head.strip.push((*name).into());
                    }
                }
            }
        }
        head
    }

    fn read_accept(&mut self, value: &[u8]) {
        // Several `accept` headers are one list.
        let answer = accepts(&String::from_utf8_lossy(value));
        if self.answer != Some(Answer::GraphqlResponse) {
            self.answer = Some(answer);
        }
    }

    fn read_ours(&mut self, name: &[u8], value: &[u8]) {
        match std::str::from_utf8(name) {
            Ok(headers::PURPOSE) => self.purpose.put(value, is_purpose),
            Ok(headers::AUTHORITY) => self.authority.put(value, is_authority),
            Ok(headers::STEP_UP) => {
                self.step_up.put(value, is_ascii);
                self.strip.push(headers::STEP_UP.into());
            }
            Ok(headers::JWT_PAYLOAD) => {
                self.jwt_payload.put(value, is_ascii);
                self.strip.push(headers::JWT_PAYLOAD.into());
            }
            Ok(headers::FORWARDED_BY) => {
                self.is_forwarded = true;
                self.strip.push(headers::FORWARDED_BY.into());
            }
            Ok(headers::TRACE) => {
                self.trace.put_own(value);
                self.strip.push(headers::TRACE.into());
            }
            Ok(other) => self.strip.push(other.into()),
            // Not a name that HTTP allows, so none that an upstream reads.
            Err(_) => {}
        }
    }

    /// Media type for an answer of the guard.
    pub(crate) fn answer(&self) -> Answer {
        self.answer.unwrap_or(Answer::Json)
    }

    /// Path and query.
    pub(crate) fn target(&self) -> &str {
        self.target.as_deref().unwrap_or_default()
    }

    /// Purpose, where there is one valid one.
    pub(crate) fn purpose(&self) -> Option<&str> {
        self.purpose.get()
    }

    /// The verified token's payload, base64url, where there is one.
    #[cfg(feature = "policy")]
    pub(crate) fn jwt_payload(&self) -> Option<&str> {
        self.jwt_payload.get()
    }

    /// Legal basis, where there is one valid one.
    pub(crate) fn authority(&self) -> Option<&str> {
        self.authority.get()
    }

    /// Step-up token, where there is one.
    #[cfg(feature = "policy")]
    pub(crate) fn step_up(&self) -> Option<&str> {
        self.step_up.get()
    }

    /// Whether another gateway has forwarded the request, or a client says so.
    #[cfg(feature = "policy")]
    pub(crate) fn is_forwarded(&self) -> bool {
        self.is_forwarded
    }

    /// The trace that the request is part of. Where the gateway does not write the
    /// header, a client may have: [`Guard::set_traced`](crate::Guard::set_traced).
    pub fn trace(&self) -> Option<TraceParent> {
        self.trace.parent()
    }

    /// Headers that must not reach the upstream.
    pub(crate) fn strip(&self) -> &[String] {
        &self.strip
    }

    /// Whether another protocol is asked for.
    pub(crate) fn is_upgrade(&self) -> bool {
        self.upgrade
    }

    /// The sub-protocol of a handshake.
    pub(crate) fn choose_protocol(&self) -> Result<Protocol, Deny> {
        if self.method.as_deref() != Some("GET") {
            return Err(UPGRADE_METHOD);
        }
        self.offer.choose().map_err(|refusal| match refusal {
            Refusal::NotWebSocket => NOT_WEBSOCKET,
            Refusal::SubProtocol => SUB_PROTOCOL,
        })
    }

    /// Checks whose page opens a WebSocket: a browser lets every one, with the
    /// cookies of whoever looks at it. Who is no browser says nothing.
    pub(crate) fn check_origin(&self, allowed: Option<&BTreeSet<String>>) -> Result<(), Deny> {
        let is_allowed = match (allowed, &self.origin) {
            (None, _) | (_, One::Absent) => true,
            (Some(allowed), One::Value(origin)) => allowed.contains(origin),
            (Some(_), One::Invalid) => false,
        };
        match is_allowed {
            true => Ok(()),
            false => Err(ORIGIN),
        }
    }

    /// Whether a handshake has a key.
    pub(crate) fn has_key(&self) -> bool {
        self.offer.has_key()
    }

    /// The head of a message of a WebSocket that was opened with this head: as if
    /// it had been sent by POST.
    pub(crate) fn of_message(&self, endpoint: &str) -> Self {
        Self {
            method: Some("POST".to_owned()),
            target: Some(endpoint.to_owned()),
            content_type: One::Value("application/json".to_owned()),
            content_encoding: false,
            upgrade: false,
            offer: Offer::default(),
            ..self.clone()
        }
    }

    /// Takes what a client may set from a message; once, here or in the handshake.
    pub(crate) fn put_input(&mut self, name: &str, value: &str) {
        match name {
            headers::PURPOSE => self.purpose.put(value.as_bytes(), is_purpose),
            headers::AUTHORITY => self.authority.put(value.as_bytes(), is_authority),
            headers::STEP_UP => self.step_up.put(value.as_bytes(), is_ascii),
            _ => {}
        }
    }

    /// Puts the proof of one message in the place of the handshake's.
    pub(crate) fn set_step_up(&mut self, value: &str) {
        self.step_up = One::Absent;
        self.step_up.put(value.as_bytes(), is_ascii);
    }

    /// Method, once everything that the head alone can deny is checked.
    pub(crate) fn check_shape(&self) -> Result<Method, Deny> {
        if self.upgrade {
            return Err(Deny::new(
                DenyCode::UpgradeRefused,
                "upgrade",
                "Protocol upgrades are not accepted; use HTTP, or SSE for subscriptions.",
            ));
        }
        let method = Method::parse(self.method.as_deref().unwrap_or_default())?;
        if self.content_encoding {
            return Err(Deny::new(
                DenyCode::UnsupportedMediaType,
                "content-encoding",
                "Send the body without a content coding.",
            ));
        }
        match (&self.content_type, method) {
            (One::Value(value), _) => check_content_type(value)?,
            (One::Invalid, _) => check_content_type("")?,
            (One::Absent, Method::Post) => check_content_type("")?,
            (One::Absent, Method::Get) => {}
        }
        Ok(method)
    }

    /// Checks the headers a client may set.
    pub(crate) fn check_inputs(&self) -> Result<(), Deny> {
        let inputs = [&self.purpose, &self.authority, &self.step_up];
        match inputs.into_iter().any(One::is_invalid) {
            true => Err(INVALID_INPUT),
            false => Ok(()),
        }
    }
}

/// Whether a header is in our name space, `x_ig_…` included: upstreams behind
/// CGI and WSGI read both spellings as one.
pub(crate) fn is_ours(name: &[u8]) -> bool {
    let prefix = name
        .iter()
        .map(|byte| if *byte == b'_' { b'-' } else { *byte });
    prefix
        .take(headers::PREFIX.len())
        .eq(headers::PREFIX.bytes())
}
