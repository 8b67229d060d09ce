//! Addresses that a tenant's issuer may be at. It is asked from inside of the
//! operator's network, where a name of somebody else's must not lead.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::Error;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Finds public addresses only. What it finds is what is connected to, so a name
/// that means something else a moment later helps nobody.
#[derive(Debug, Default)]
pub(super) struct PublicOnly(DefaultResolver);

impl Resolver for PublicOnly {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        let mut public = self.empty();
        for address in found.iter().filter(|address| is_public(address.ip())) {
            public.push(*address);
        }
        match public.is_empty() {
            false => Ok(public),
            true => Err(Error::Other(
                "it is at an address of a private network; where that is right, the login says \
                 so with `private`"
                    .into(),
            )),
        }
    }
}

/// Whether an address is of the Internet (IANA's special-purpose registries; RFC
/// 6890).
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = match (a, b, c) {
        // This network, and the one between a provider and its customers.
        (0, ..) | (100, 64..=127, _) => true,
        // Of protocols, and for benchmarks.
        (192, 0, 0) | (198, 18..=19, _) => true,
        // Multicast, and what is reserved.
        (224.., ..) => true,
        _ => false,
    };
    !(is_special
        || address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_documentation())
}

/// Global unicast only, and no other way to write an IPv4 address of a private
/// network.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b, c, d, e, f) {
        // NAT64 (RFC 6052), 6to4 (RFC 3056).
        (0x64, 0xff9b, 0, 0, 0, 0) => v4(g, h),
        (0x2002, high, low, ..) => v4(high, low),
        // Teredo and others of protocols; documentation.
        (0x2001, 0..=0x1ff | 0xdb8, ..) | (0x3fff, 0..=0xfff, ..) => false,
        _ => a & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_at_no_private_address() {
        for (text, expected) in [
            ("8.8.8.8", true),
            ("100.63.255.255", true),
            ("172.32.0.1", true),
            ("2606:4700::1", true),
            ("64:ff9b::8.8.8.8", true),
            ("0.0.0.0", false),
            ("10.0.0.1", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("192.168.0.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:10.0.0.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::10.0.0.1", false),
            ("64:ff9b:1::1", false),
            ("2002:7f00:1::", false),
            ("2001:db8::1", false),
            ("fc00::1", false),
            ("fd00::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(text.parse().unwrap()), expected, "{text}");
        }
    }

    /// Whatever a URL calls it.
    #[test]
    fn nothing_inside_is_connected_to() {
        for host in ["127.0.0.1", "localhost", "[::1]", "10.0.0.1", "0x7f.1"] {
            let agent = ureq::Agent::with_parts(
                ureq::Agent::config_builder().proxy(None).build(),
                ureq::unversioned::transport::DefaultConnector::default(),
                PublicOnly::default(),
            );
            let said = agent.get(format!("https://{host}:1/")).call();
            let said = said.unwrap_err().to_string();
            assert!(!said.contains("refused"), "{host}: {said}");
        }
    }
}
