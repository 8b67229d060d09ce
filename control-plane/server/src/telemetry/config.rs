//! `[telemetry]`: where spans go, and of how many requests.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use axum::http::{HeaderName, HeaderValue, Uri};
use serde::Deserialize;
use zeroize::Zeroizing;

/// Most attributes of the resource.
const MAX_ATTRIBUTES: usize = 32;
/// Longest attribute of the resource, in bytes.
const MAX_ATTRIBUTE_BYTES: usize = 256;
/// Largest file of headers, in bytes.
const MAX_HEADERS_BYTES: u64 = 16 << 10;

/// Where spans go. Without an endpoint there are none.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct TelemetryConfig {
    /// URL of a collector. Over HTTP, its whole path: `…/v1/traces`.
    pub endpoint: Option<String>,
    /// How it is spoken to.
    pub protocol: Protocol,
    /// Of the requests that nobody else began a trace of, how many are traced:
    /// 0 to 1. Whether others are, their caller has decided.
    pub sampling_ratio: f64,
    /// Whether callers of the API may say which trace a request is part of, and
    /// that it is kept. Proxies may, always.
    pub follow_callers: bool,
    /// `service.name`
    pub service_name: String,
    /// More attributes of the resource.
    pub resource: BTreeMap<String, String>,
    /// Authorities to trust instead of the system's, in PEM.
    pub ca: Option<PathBuf>,
    /// Headers to send along, a `name: value` each line. They may be secrets, so
    /// they stand in a file of their own.
    pub headers_file: Option<PathBuf>,
}

/// OTLP's transports.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// gRPC
    #[default]
    Grpc,
    /// HTTP, with protobuf
    Http,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            endpoint: None,
            protocol: Protocol::default(),
            sampling_ratio: 0.01,
            follow_callers: true,
            service_name: "ig-control-plane".into(),
            resource: BTreeMap::new(),
            ca: None,
            headers_file: None,
        }
    }
}

impl TelemetryConfig {
    /// What is wrong with it.
    pub(crate) fn problems(&self, allow_plain_text: bool) -> Vec<String> {
        let mut problems = Vec::new();
        let mut problem =
            |key: &str, what: String| problems.push(format!("telemetry.{key}: {what}"));
        if !(0.0..=1.0).contains(&self.sampling_ratio) {
            problem("sampling-ratio", "must be from 0 to 1".into());
        }
        if let Err(what) = self.check_endpoint(allow_plain_text) {
            problem("endpoint", what);
        }
        if !is_attribute(&self.service_name) {
            problem("service-name", limit());
        }
        if self.resource.len() > MAX_ATTRIBUTES {
            problem("resource", format!("{MAX_ATTRIBUTES} attributes at most"));
        }
        for (name, value) in &self.resource {
            if !is_attribute(name) || !is_attribute(value) {
                problem("resource", format!("{name:?}: {}", limit()));
            }
        }
        if let Err(what) = self.headers() {
            problem("headers-file", what.to_string());
        }
        problems
    }

    fn check_endpoint(&self, allow_plain_text: bool) -> Result<(), String> {
        let Some(endpoint) = &self.endpoint else {
            return Ok(());
        };
        let uri: Uri = endpoint.parse().map_err(|_| "is no URL".to_owned())?;
        let host = uri.host().ok_or("names no host")?;
        let bare = host.trim_matches(['[', ']']);
        let is_here = bare == "localhost"
            || bare
                .parse()
                .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err("must hold no password; `headers-file` is for secrets".into());
        }
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if is_here || allow_plain_text => {}
            Some("http") => {
                return Err(format!(
                    "{host} is another machine, so it needs `https://`; where a sidecar does \
                     that, `allow-plain-text = true`"
                ));
            }
            _ => return Err("must begin with `https://`, or `http://` on this machine".into()),
        }
        match (self.protocol, uri.path()) {
            (Protocol::Http, "" | "/") => {
                Err("has no path; OTLP over HTTP is at `/v1/traces` as a rule".into())
            }
            _ => Ok(()),
        }
    }

    /// The headers to send along.
    pub(crate) fn headers(&self) -> Result<Headers, InvalidHeaders> {
        match &self.headers_file {
            None => Ok(Headers(Vec::new())),
            Some(file) => Headers::read(file),
        }
    }
}

fn limit() -> String {
    format!("1 to {MAX_ATTRIBUTE_BYTES} bytes, without control characters")
}

fn is_attribute(text: &str) -> bool {
    (1..=MAX_ATTRIBUTE_BYTES).contains(&text.len()) && !text.contains(char::is_control)
}

/// Headers whose values are shown to nobody.
pub(crate) struct Headers(pub(crate) Vec<(HeaderName, HeaderValue)>);

/// Why headers cannot be read. The file's content is not said.
#[derive(Debug, thiserror::Error)]
pub enum InvalidHeaders {
    /// There is no such file.
    #[error("{0} cannot be read: {1}")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// It is too large.
    #[error("{0} is larger than {MAX_HEADERS_BYTES} bytes")]
    TooLarge(PathBuf),
    /// A line is no header.
    #[error("{0}, line {1}: write `name: value`")]
    Line(PathBuf, usize),
}

impl Headers {
    fn read(file: &Path) -> Result<Self, InvalidHeaders> {
        let unreadable = |error| InvalidHeaders::Unreadable(file.to_owned(), error);
        if std::fs::metadata(file).map_err(unreadable)?.len() > MAX_HEADERS_BYTES {
            return Err(InvalidHeaders::TooLarge(file.to_owned()));
        }
        let text = Zeroizing::new(std::fs::read_to_string(file).map_err(unreadable)?);
        let mut headers = Vec::new();
        for (number, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let header = line.split_once(':').and_then(|(name, value)| {
                let name = name.trim().to_ascii_lowercase().parse().ok()?;
                let mut value = HeaderValue::from_str(value.trim()).ok()?;
                value.set_sensitive(true);
                Some((name, value))
            });
            let invalid = || InvalidHeaders::Line(file.to_owned(), number + 1);
            headers.push(header.ok_or_else(invalid)?);
        }
        Ok(Self(headers))
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> TelemetryConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn nothing_goes_anywhere_by_default() {
        let config = TelemetryConfig::default();
        assert!(config.endpoint.is_none() && config.problems(false).is_empty());
    }

    /// (a file, what its one problem begins with)
    #[test]
    fn what_is_wrong_is_said() {
        let long = format!("service-name = \"{}\"", "a".repeat(257));
        let table = [
            ("endpoint = \"https://collector.example:4317\"", ""),
            ("endpoint = \"http://127.0.0.1:4317\"", ""),
            ("endpoint = \"http://[::1]:4317\"", ""),
            (
                "endpoint = \"http://localhost:4318/v1/traces\"\nprotocol = \"http\"",
                "",
            ),
            (
                "endpoint = \"http://collector.example:4317\"",
                "telemetry.endpoint: collector",
            ),
            ("endpoint = \"collector:4317\"", "telemetry.endpoint: "),
            (
                "endpoint = \"https://a:b@c.example\"",
                "telemetry.endpoint: must hold no password",
            ),
            (
                "endpoint = \"https://c.example\"\nprotocol = \"http\"",
                "telemetry.endpoint: has no path",
            ),
            ("sampling-ratio = 1.5", "telemetry.sampling-ratio: "),
            ("sampling-ratio = nan", "telemetry.sampling-ratio: "),
            (long.as_str(), "telemetry.service-name: "),
            ("[resource]\n\"a\" = \"\"", "telemetry.resource: "),
            (
                "headers-file = \"/nowhere/headers\"",
                "telemetry.headers-file: /nowhere/headers",
            ),
        ];
        for (text, begins) in table {
            let problems = config(text).problems(false);
            match begins {
                "" => assert!(problems.is_empty(), "{text}: {problems:?}"),
                begins => assert!(
                    problems.len() == 1 && problems[0].starts_with(begins),
                    "{text}: {problems:?}"
                ),
            }
        }
        let elsewhere = config("endpoint = \"http://collector.example:4317\"");
        assert!(elsewhere.problems(true).is_empty());
    }

    #[test]
    fn headers_are_secrets() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("headers");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Headers::read(&file)
        };
        let headers = read("Authorization: Bearer s3cret\n\nx-tenant: 7\n").unwrap();
        assert_eq!(headers.0.len(), 2);
        assert_eq!(headers.0[0].1, "Bearer s3cret");
        assert!(!format!("{headers:?} {:?}", headers.0).contains("s3cret"));
        for wrong in ["s3cret", "a b: s3cret", "a: s3\u{1}cret"] {
            let error = read(&format!("x: y\n{wrong}\n")).unwrap_err().to_string();
            assert!(
                error.contains("line 2") && !error.contains("s3cret"),
                "{error}"
            );
        }
        let large = format!("a: {}", "x".repeat(17 << 10));
        assert!(matches!(read(&large), Err(InvalidHeaders::TooLarge(_))));
    }
}
