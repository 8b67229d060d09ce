//! The control plane's API, as a client.

mod observe;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use ureq::http::header::{ETAG, HeaderMap, HeaderValue, IF_MATCH};
use ureq::http::{Method, Request, Uri, request};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

pub(crate) use observe::{AuditArgs, DecisionsArgs, ProxiesArgs, audit, decisions, proxies};

use crate::files;

/// Longest wait: a large catalogue compiles for a while.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Largest answer: a snapshot of a large catalogue.
const MAX_ANSWER_BYTES: u64 = 1 << 30;

/// Where the control plane is.
#[derive(clap::Args)]
pub(crate) struct Connection {
    /// The control plane's API.
    #[arg(
        long,
        env = "IG_CONTROL_URL",
        value_name = "URL",
        default_value = "http://127.0.0.1:8080"
    )]
    control_url: String,
    /// File with the admin token; without it, the variable IG_ADMIN_TOKEN.
    #[arg(long, env = "IG_ADMIN_TOKEN_FILE", value_name = "FILE")]
    admin_token_file: Option<PathBuf>,
    /// Authorities to trust when the API has TLS.
    #[arg(
        long,
        env = "IG_CONTROL_CA",
        value_name = "FILE",
        default_value = "/etc/ssl/certs/ca-certificates.crt"
    )]
    control_ca: PathBuf,
}

/// What the control plane did not do, and why.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    detail: String,
    problems: Vec<String>,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (status {})", self.detail, self.status)?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Refusal {}

/// Calls the API.
pub(crate) struct Client {
    agent: ureq::Agent,
    url: String,
    token: String,
}

/// A path's segment, or a value of a query.
pub(crate) fn encode(text: &str) -> String {
    const KEPT: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    utf8_percent_encode(text, KEPT).to_string()
}

/// `?a=1&b=2` of the values that there are.
pub(crate) fn query(values: &[(&str, Option<String>)]) -> String {
    let pairs: Vec<_> = values
        .iter()
        .filter_map(|(name, value)| Some(format!("{name}={}", encode(value.as_ref()?))))
        .collect();
    match pairs.is_empty() {
        true => String::new(),
        false => format!("?{}", pairs.join("&")),
    }
}

impl Client {
    pub(crate) fn new(connection: &Connection) -> Result<Self> {
        let url = connection.control_url.trim_end_matches('/').to_owned();
        let uri: Uri = url.parse().with_context(|| format!("{url} is not a URL"))?;
        let host = uri.host().with_context(|| format!("{url} is not a URL"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_local = host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => bail!("{url} is not a URL: begin with https://"),
        };
        ensure!(
            is_tls || is_local,
            "{url}: the admin token would be sent in the clear; give an https URL"
        );
        let mut config = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // A token goes where it was meant to go.
            .max_redirects(0);
        if is_local {
            config = config.proxy(None);
        }
        if is_tls {
            // There is one already when a process asks twice.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let authorities = files::read(&connection.control_ca)?;
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
            url,
            token: token(connection)?,
        })
    }

    /// The body of the answer.
    pub(crate) fn send(
        &self,
        method: Method,
        path: &str,
        kind: &str,
        body: &[u8],
    ) -> Result<Vec<u8>> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", kind);
        self.answer(request, body).map(|(_, body)| body)
    }

    /// Headers and body of the answer.
    fn answer(&self, request: request::Builder, body: &[u8]) -> Result<(HeaderMap, Vec<u8>)> {
        let request = request
            .header("authorization", format!("Bearer {}", self.token))
            .body(body)?;
        let unreached = || format!("the control plane at {} does not answer", self.url);
        let mut answer = self.agent.run(request).with_context(unreached)?;
        let status = answer.status().as_u16();
        let body = answer
            .body_mut()
            .with_config()
            .limit(MAX_ANSWER_BYTES)
            .read_to_vec()
            .with_context(unreached)?;
        match status {
            200..=299 => Ok((answer.headers().clone(), body)),
            _ => Err(refusal(status, &body).into()),
        }
    }

    /// What is there, to be changed: with its entity tag.
    pub(crate) fn get_tagged(&self, path: &str) -> Result<(Value, Option<HeaderValue>)> {
        let request = Request::builder().uri(format!("{}{path}", self.url));
        let (headers, body) = self.answer(request, b"")?;
        Ok((json(&body)?, headers.get(ETAG).cloned()))
    }

    /// Puts what was changed, unless somebody else has changed it meanwhile (RFC 9110,
    /// 13.1.1).
    pub(crate) fn put_at(&self, path: &str, body: &Value, tag: Option<HeaderValue>) -> Result<()> {
        let mut request = Request::builder()
            .method(Method::PUT)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json");
        if let Some(tag) = tag {
            request = request.header(IF_MATCH, tag);
        }
        self.answer(request, body.to_string().as_bytes())?;
        Ok(())
    }

    pub(crate) fn get(&self, path: &str) -> Result<Vec<u8>> {
        self.send(Method::GET, path, "application/json", b"")
    }

    pub(crate) fn get_json(&self, path: &str) -> Result<Value> {
        json(&self.get(path)?)
    }

    pub(crate) fn put_json(&self, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        json(&self.send(Method::PUT, path, "application/json", body.as_bytes())?)
    }

    pub(crate) fn post_json(&self, path: &str, body: &Value) -> Result<Value> {
        let body = body.to_string();
        json(&self.send(Method::POST, path, "application/json", body.as_bytes())?)
    }

    pub(crate) fn delete(&self, path: &str) -> Result<()> {
        self.send(Method::DELETE, path, "application/json", b"")?;
        Ok(())
    }

    /// Every page of a list, up to `limit` entries.
    pub(crate) fn pages(&self, path: &str, limit: usize) -> Result<Vec<Value>> {
        const PAGE: usize = 1000;
        let sign = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let size = PAGE.min(limit - items.len());
            let mut page = self.get_json(&format!("{path}{sign}limit={size}{cursor}"))?;
            if let Value::Array(more) = page["items"].take() {
                items.extend(more);
            }
            match page["next"].as_str() {
                Some(next) if items.len() < limit => cursor = format!("&cursor={}", encode(next)),
                _ => return Ok(items),
            }
        }
    }
}

fn token(connection: &Connection) -> Result<String> {
    let token = match &connection.admin_token_file {
        Some(file) => files::read_text(file)?,
        None => std::env::var("IG_ADMIN_TOKEN").context(
            "no admin token: set IG_ADMIN_TOKEN, or give --admin-token-file; the control \
             plane prints one at its first start",
        )?,
    };
    let token = token.trim();
    ensure!(
        !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()),
        "what is given as admin token is not a valid token: one word, without spaces"
    );
    Ok(token.to_owned())
}

fn json(body: &[u8]) -> Result<Value> {
    match body.is_empty() {
        true => Ok(Value::Null),
        false => serde_json::from_slice(body).context("the control plane's answer is not JSON"),
    }
}

fn refusal(status: u16, body: &[u8]) -> Refusal {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let detail = problem["detail"].as_str().map(ToOwned::to_owned);
    let problems = problem["problems"].as_array().into_iter().flatten();
    Refusal {
        status,
        detail: detail.unwrap_or_else(|| "the control plane refused".into()),
        problems: problems
            .filter_map(|one| Some(one.as_str()?.to_owned()))
            .collect(),
    }
}
