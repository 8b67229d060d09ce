//! What is sent, and how.

use std::io::{self, Read};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context as _, Result};
use ig_contract::{DenyCode, headers};
use ureq::http::header::AUTHORIZATION;
use ureq::http::{HeaderName, HeaderValue, Method, Request, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, AsSendBody, SendBody};
use uuid::Uuid;

use super::verdict::{Answer, Verdict};
use crate::control_plane::encode;
use crate::files;

/// A way in which a text may come. Each has let texts through somewhere.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Post,
    Get,
    Batch,
    MediaType,
    Pieces,
}

impl Way {
    /// A request without a body comes first: it says whether a guard is there.
    pub(super) const ALL: [Self; 5] = [
        Self::Get,
        Self::Post,
        Self::Batch,
        Self::MediaType,
        Self::Pieces,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Post => "post",
            Self::Get => "get",
            Self::Batch => "batch",
            Self::MediaType => "media-type",
            Self::Pieces => "pieces",
        }
    }

    /// With which codes the guard denies it.
    pub(super) fn expected(self) -> &'static [DenyCode] {
        match self {
            Self::Post | Self::Get | Self::Pieces => &[DenyCode::PersistedQueryIdRequired],
            // While batches are off, and while they are on.
            Self::Batch => &[
                DenyCode::BatchingNotEnabled,
                DenyCode::PersistedQueryIdRequired,
            ],
            Self::MediaType => &[DenyCode::UnsupportedMediaType],
        }
    }
}

/// A header of the command line. Its value may be a secret.
#[derive(Clone)]
pub(crate) struct Header(HeaderName, HeaderValue);

impl Header {
    /// An access token.
    pub(super) fn bearer(token: &str) -> Result<Self> {
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut value = value.context("--token-file has no token: one word, without spaces")?;
        value.set_sensitive(true);
        Ok(Self(AUTHORIZATION, value))
    }
}

impl FromStr for Header {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once(':').ok_or("write `NAME: VALUE`")?;
        let name = name.trim().parse().map_err(|_| "no name of a header")?;
        let value = HeaderValue::from_str(value.trim());
        let mut value = value.map_err(|_| "no value of a header")?;
        value.set_sensitive(true);
        Ok(Self(name, value))
    }
}

/// A URL with a scheme and a host.
pub(super) fn url(text: &str) -> Result<String, &'static str> {
    let uri: Uri = text.parse().map_err(|_| "no URL")?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let is_url = is_http && uri.host().is_some_and(|host| !host.is_empty());
    is_url
        .then(|| text.to_owned())
        .ok_or("write http://HOST/PATH or https://HOST/PATH")
}

/// A body that comes in pieces, which ureq sends as chunks.
struct Pieces {
    rest: Vec<u8>,
    pause: Duration,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const PIECE: usize = 16;
        // So that the pieces arrive one by one.
        std::thread::sleep(self.pause);
        let length = self.rest.len().min(PIECE).min(buffer.len());
        let rest = self.rest.split_off(length);
        buffer[..length].copy_from_slice(&self.rest);
        self.rest = rest;
        Ok(length)
    }
}

/// Sends requests to one gateway.
pub(super) struct Sender {
    agent: Agent,
    url: String,
    headers: Vec<Header>,
    timeout: Duration,
}

/// Most bytes of an answer that are read: those of the guard are short.
const MAX_BODY: u64 = 64 * 1024;

impl Sender {
    pub(super) fn new(
        url: &str,
        headers: Vec<Header>,
        timeout: Duration,
        ca: &Path,
    ) -> Result<Self> {
        let mut config = Agent::config_builder()
            .timeout_global(Some(timeout))
            .http_status_as_error(false)
            // What answers elsewhere is another gateway.
            .max_redirects(0)
            .proxy(None);
        if url.starts_with("https:") {
            let _ = rustls::crypto::ring::default_provider().install_default();
            let authorities = files::read(ca)?;
            let authorities: Vec<_> = parse_pem(&authorities)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            let roots = RootCerts::new_with_certs(&authorities);
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self {
            agent: config.build().new_agent(),
            url: url.to_owned(),
            headers,
            timeout,
        })
    }

    /// Sends a query that nobody has sent before.
    ///
    /// # Errors
    /// The verdict, where there is no answer to judge.
    pub(super) fn send(&self, way: Way) -> Result<Answer, Verdict> {
        let text = format!("query IgProbe{}{{__typename}}", Uuid::new_v4().simple());
        let item = serde_json::json!({"query": text});
        let whole = item.to_string();
        match way {
            Way::Get => {
                let sign = if self.url.contains('?') { '&' } else { '?' };
                let url = format!("{}{sign}query={}", self.url, encode(&text));
                self.exchange(Method::GET, &url, None, ())
            }
            Way::Post => self.post("application/json", whole.as_str()),
            Way::Batch => self.post(
                "application/json",
                serde_json::json!([item, item]).to_string().as_str(),
            ),
            Way::MediaType => self.post("text/plain", whole.as_str()),
            Way::Pieces => {
                let pieces = Pieces {
                    rest: whole.into_bytes(),
                    pause: Duration::from_millis(20).min(self.timeout / 100),
                };
                self.post("application/json", SendBody::from_owned_reader(pieces))
            }
        }
    }

    fn post(&self, kind: &'static str, body: impl AsSendBody) -> Result<Answer, Verdict> {
        self.exchange(Method::POST, &self.url, Some(kind), body)
    }

    fn exchange(
        &self,
        method: Method,
        url: &str,
        kind: Option<&'static str>,
        body: impl AsSendBody,
    ) -> Result<Answer, Verdict> {
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header("accept", "application/json");
        for Header(name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let request = request
            .body(body)
            .map_err(|error| Verdict::unclear(error.to_string()))?;
        let mut answer = self.agent.run(request).map_err(|error| match error {
            ureq::Error::Timeout(_) => Verdict::Silent {
                detail: format!(
                    "no answer within {}",
                    humantime::format_duration(self.timeout)
                ),
            },
            error => Verdict::Unreached {
                detail: error.to_string(),
            },
        })?;
        let decision = answer.headers().get(headers::DECISION_ID);
        let decision = decision.and_then(|id| Some(id.to_str().ok()?.to_owned()));
        let status = answer.status().as_u16();
        let body = answer
            .body_mut()
            .with_config()
            .limit(MAX_BODY)
            .read_to_vec();
        Ok(Answer {
            status,
            decision,
            // A stream without an end is no answer of the guard.
            body: body.unwrap_or_default(),
        })
    }
}
