//! Where an issuer's keys are, and how they are had: over TLS, from this machine,
//! or from a file that the operator names. What an issuer's configuration names
//! is a stranger's word, and reaches no further than the issuer itself.

use std::fs::File;
use std::io::Read as _;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::http::Uri;
use jsonwebtoken::jwk::JwkSet;
use serde_json::Value;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::DefaultConnector;

use super::issuer::Trust;
use super::public::PublicOnly;

const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest document with keys, wherever it is from.
const MAX_BYTES: u64 = 1 << 20;

/// Where an issuer's keys are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum KeySource {
    /// Where its configuration says (OpenID Connect Discovery 1.0).
    Discovered,
    /// At a URL.
    Url(String),
    /// In a file: for the operator's configuration only.
    File(PathBuf),
}

impl KeySource {
    /// As the operator's configuration has it: a URL, a file, or nothing.
    pub(super) fn of_operator(jwks: Option<&str>) -> Self {
        match jwks {
            Some(source) if !source.contains("://") => Self::File(source.into()),
            of => Self::of_tenant(of),
        }
    }

    /// As a tenant has it: a URL, or nothing.
    pub(super) fn of_tenant(jwks: Option<&str>) -> Self {
        jwks.map_or(Self::Discovered, |url| Self::Url(url.to_owned()))
    }
}

/// How a URL is reached without anybody in between who could change what comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Tls,
    /// Without TLS, on this machine.
    Loopback,
}

fn way(url: &str) -> Option<Way> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.host().filter(|host| !host.is_empty())?;
    match uri.scheme_str()? {
        "https" => Some(Way::Tls),
        "http" if is_loopback(host) => Some(Way::Loopback),
        _ => None,
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Whether text is a URL from which keys may come: of TLS, or of this machine.
pub(crate) fn is_safe_url(url: &str) -> bool {
    way(url).is_some()
}

/// Whether an issuer's configuration may name this as the URL of its keys.
fn may_name(issuer: &str, url: &str) -> bool {
    match way(url) {
        Some(Way::Tls) => true,
        // Who is elsewhere has nothing to say of what is asked here.
        Some(Way::Loopback) => way(issuer) == Some(Way::Loopback),
        None => false,
    }
}

/// Asks for keys.
///
/// # Errors
/// Why they cannot be had, for the log.
pub(super) fn fetch(trust: &Trust) -> Result<JwkSet, String> {
    match &trust.keys {
        KeySource::Discovered => get(trust, &discover(trust)?),
        KeySource::Url(url) => get(trust, url),
        KeySource::File(path) => read(path).map_err(|error| format!("{}: {error}", path.display())),
    }
}

fn discover(trust: &Trust) -> Result<String, String> {
    named(trust, &configuration(trust)?, "jwks_uri")
}

/// A file, but no device that never ends.
fn read(path: &Path) -> Result<JwkSet, String> {
    // Before it is opened: that of a pipe waits for whoever writes.
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("is no file".to_owned());
    }
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_BYTES + 1).read_to_end(&mut bytes);
    read.map_err(|error| error.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= MAX_BYTES) {
        return serde_json::from_slice(&bytes).map_err(|error| error.to_string());
    }
    Err(format!("is longer than {MAX_BYTES} bytes"))
}

fn get<T: serde::de::DeserializeOwned>(trust: &Trust, url: &str) -> Result<T, String> {
    let agent = agent(trust, url)?;
    let answer = agent.get(url).call();
    read_json(url, answer)
}

/// What an issuer's configuration says of it (OpenID Connect Discovery 1.0).
pub(super) fn configuration(trust: &Trust) -> Result<Value, String> {
    let issuer = trust.issuer.trim_end_matches('/');
    let well_known = format!("{issuer}/.well-known/openid-configuration");
    let answer: Value = get(trust, &well_known)?;
    // OpenID Connect Discovery 1.0, 4.3.
    match answer["issuer"] == trust.issuer.as_str() {
        true => Ok(answer),
        false => Err(format!("{well_known} is of another issuer")),
    }
}

/// A URL that an issuer's configuration names.
pub(super) fn named(trust: &Trust, configuration: &Value, name: &str) -> Result<String, String> {
    let url = configuration[name].as_str();
    let url = url.ok_or_else(|| format!("{}: its configuration has no {name}", trust.issuer))?;
    match may_name(&trust.issuer, url) {
        true => Ok(url.to_owned()),
        false => Err(format!("{}: its {name} is not of https", trust.issuer)),
    }
}

/// Asks for what is there, and nowhere else.
pub(super) fn agent(trust: &Trust, url: &str) -> Result<ureq::Agent, String> {
    let way = way(url).ok_or_else(|| format!("{url}: without TLS answers can be replaced"))?;
    let mut builder = ureq::Agent::config_builder().timeout_global(Some(TIMEOUT));
    // Keys come from where they are said to be, or not at all.
    builder = builder.max_redirects(0);
    if way == Way::Tls {
        let ca = &trust.ca;
        let authorities =
            std::fs::read(ca).map_err(|error| format!("{}: {error}", ca.display()))?;
        let authorities: Vec<_> = ureq::tls::parse_pem(&authorities)
            .filter_map(|item| match item {
                Ok(ureq::tls::PemItem::Certificate(certificate)) => Some(certificate),
                _ => None,
            })
            .collect();
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&authorities));
        builder = builder.tls_config(tls.build());
    }
    let config = builder.build();
    Ok(match way == Way::Tls && !trust.is_private {
        true => ureq::Agent::with_parts(config, DefaultConnector::default(), PublicOnly::default()),
        false => config.new_agent(),
    })
}

/// An answer, up to a length.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(
    url: &str,
    answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<T, String> {
    let mut answer = answer.map_err(|error| format!("{url}: {error}"))?;
    answer
        .body_mut()
        .with_config()
        .limit(MAX_BYTES)
        .read_json()
        .map_err(|error| format!("{url}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TLS: &[&str] = &[
        "https://a",
        "HTTPS://a:8443/b?c=d",
        "https://127.0.0.1/keys",
    ];
    const LOOPBACK: &[&str] = &[
        "http://localhost",
        "http://localhost:8080/keys",
        "http://127.0.0.1:1/x",
        "http://127.8.8.8",
        "http://[::1]:8080/x",
    ];
    const NEITHER: &[&str] = &[
        "",
        "localhost",
        "localhost:8080",
        "127.0.0.1",
        "[::1]:80",
        "//localhost/etc/passwd",
        "/etc/passwd",
        "etc/passwd",
        "file:///etc/passwd",
        "file://localhost/etc/passwd",
        "ftp://localhost/x",
        "unix://localhost",
        "https://",
        "https:///x",
        "https:/a",
        "https://a b",
        "http://a",
        "http://10.0.0.1",
        "http://169.254.169.254/latest/meta-data",
        "http://0.0.0.0",
        "http://localhost.example",
        "http://localhost@example.com/",
        "http://127.0.0.1.example",
        "http://example.com#@localhost",
        "http://example.com?@localhost",
    ];

    #[test]
    fn keys_come_over_tls_or_from_this_machine() {
        for url in TLS.iter().chain(LOOPBACK) {
            assert!(is_safe_url(url), "{url}");
        }
        for url in NEITHER {
            assert!(!is_safe_url(url), "{url}");
        }
    }

    #[test]
    fn an_issuer_names_no_file_and_nothing_of_this_machine() {
        for url in TLS.iter().chain(LOOPBACK).chain(NEITHER) {
            let is_tls = TLS.contains(url);
            let is_loopback = LOOPBACK.contains(url);
            assert_eq!(may_name("https://login.example", url), is_tls, "{url}");
            assert_eq!(may_name("https://localhost", url), is_tls, "{url}");
            let here = "http://127.0.0.1:8080/realm";
            assert_eq!(may_name(here, url), is_tls || is_loopback, "{url}");
        }
    }

    #[test]
    fn only_the_operator_names_files() {
        let file = |path: &str| KeySource::File(path.into());
        let url = |url: &str| KeySource::Url(url.to_owned());
        for (jwks, operator, tenant) in [
            (None, KeySource::Discovered, KeySource::Discovered),
            (Some("https://a"), url("https://a"), url("https://a")),
            (Some("/etc/keys"), file("/etc/keys"), url("/etc/keys")),
            (Some("keys.json"), file("keys.json"), url("keys.json")),
            (Some("file:///x"), url("file:///x"), url("file:///x")),
        ] {
            assert_eq!(KeySource::of_operator(jwks), operator, "{jwks:?}");
            assert_eq!(KeySource::of_tenant(jwks), tenant, "{jwks:?}");
        }
    }

    #[test]
    fn files_are_files_and_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str, content: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path
        };
        let good = path("good", r#"{"keys": []}"#.to_owned());
        assert_eq!(read(&good).unwrap().keys, []);
        let most = usize::try_from(MAX_BYTES).unwrap();
        let long = r#"{"keys": []}"#.to_owned() + &" ".repeat(most);
        for (path, says) in [
            (path("long", long), "longer"),
            (path("text", "x".to_owned()), "expected"),
            (folder.path().to_owned(), "no file"),
            (folder.path().join("none"), "No such"),
            ("/dev/zero".into(), "no file"),
        ] {
            let said = read(&path).unwrap_err();
            assert!(said.contains(says), "{}: {said}", path.display());
        }
    }
}
