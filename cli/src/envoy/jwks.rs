//! Keys of the issuer of access tokens: a file, or the issuer's own address.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context as _, Result, bail, ensure};
use ig_envoy::{Address, Endpoints, Jwks, UpstreamTls};

use crate::files;

/// Where a JWK set comes from.
#[derive(Clone)]
pub(super) enum Source {
    File(PathBuf),
    /// Envoy fetches it, and again every five minutes.
    Url(String),
}

impl FromStr for Source {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_url = text.starts_with("https://") || text.starts_with("http://");
        Ok(match is_url {
            true => Self::Url(text.to_owned()),
            false => Self::File(text.into()),
        })
    }
}

impl Source {
    /// The keys as Envoy's configuration has them.
    pub(super) fn resolve(&self, trusted_ca: &Path) -> Result<Jwks> {
        match self {
            Self::File(file) => inline(file),
            Self::Url(url) => remote(url, trusted_ca),
        }
    }
}

fn remote(url: &str, trusted_ca: &Path) -> Result<Jwks> {
    let uri: http::Uri = url.parse().with_context(|| format!("{url} is not a URL"))?;
    let host = uri.host().with_context(|| format!("{url} has no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let is_tls = uri.scheme_str() == Some("https");
    let is_loopback = host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    ensure!(
        is_tls || is_loopback,
        "{url}: keys that are fetched without TLS can be replaced on their way; give an https URL"
    );
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let tls = is_tls.then(|| UpstreamTls {
        server_name: host.to_owned(),
        trusted_ca: trusted_ca.to_owned(),
        identity: None,
    });
    Ok(Jwks::Remote {
        uri: url.to_owned(),
        endpoints: Endpoints {
            addresses: vec![Address::new(host, port)],
            tls,
        },
    })
}

fn inline(file: &Path) -> Result<Jwks> {
    let keys = files::read_text(file)?;
    let parsed: serde_json::Value =
        serde_json::from_str(&keys).with_context(|| format!("{} is not JSON", file.display()))?;
    let Some(list) = parsed["keys"].as_array().filter(|keys| !keys.is_empty()) else {
        bail!("{} is not a JWK set: it has no `keys`", file.display());
    };
    // A private key in here would end up in Envoy's admin interface.
    let is_private = |key: &serde_json::Value| key.get("d").is_some() || key.get("k").is_some();
    if list.iter().any(is_private) {
        bail!(
            "{} has a private or symmetric key; give public keys",
            file.display()
        );
    }
    Ok(Jwks::Inline(keys))
}
