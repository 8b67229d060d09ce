//! `host:port` pairs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde_json::{Value, json};

/// A host, by name or IP address, and a TCP port.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// Host name or IP address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

/// A string is not `host:port`.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not an address: write `host:port`, `127.0.0.1:port` or `[::1]:port`")]
pub struct InvalidAddress(String);

impl Address {
    /// An address from its parts.
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }

    /// Whether the host needs no name resolution.
    pub fn is_ip(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok()
    }

    pub(crate) fn to_envoy(&self) -> Value {
        json!({"socket_address": {"address": self.host, "port_value": self.port}})
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let invalid = || InvalidAddress(text.into());
        let (host, port) = text.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().map_err(|_| invalid())?;
        let host = match host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'))
        {
            Some(host) if host.parse::<std::net::Ipv6Addr>().is_ok() => host,
            None if is_host_name(host) => host,
            Some(_) | None => return Err(invalid()),
        };
        Ok(Self::new(host, port))
    }
}

fn is_host_name(host: &str) -> bool {
    !host.is_empty()
        && host
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for (text, host, is_ip) in [
            ("127.0.0.1:80", "127.0.0.1", true),
            ("[::1]:80", "::1", true),
            (
                "graphql.svc.cluster.local:80",
                "graphql.svc.cluster.local",
                false,
            ),
            ("my_service:80", "my_service", false),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, 80));
            assert_eq!(address.is_ip(), is_ip);
            assert_eq!(address.to_string(), text);
        }
        for text in [
            "",
            "host",
            ":80",
            "host:",
            "host:70000",
            "::1:80",
            "[host]:80",
            "a b:1",
            "http://a:1",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
