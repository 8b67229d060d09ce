//! Links between the parts of a world, by name.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context as _, Result};

use crate::fault::{FaultProxy, Toxics};

/// What a world is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Under {
    /// Something is done to it, and everything is noted.
    Chaos,
    /// Nothing is, so nothing stands between its parts, and nobody notes what arrives.
    Load {
        /// Worker threads of each gateway.
        workers: u32,
    },
}

/// Loopback addresses of their own: a port of a dead host is nobody else's.
struct Addresses(u8);

impl Addresses {
    fn next(&mut self) -> SocketAddr {
        self.0 += 1;
        let [.., high, low] = (std::process::id() % 0xffff).to_be_bytes();
        SocketAddr::from(([127, high.max(1), low, self.0], 4000))
    }
}

/// Links, each of which can be disturbed where that is what the world is for.
pub struct Links {
    under: Under,
    addresses: Addresses,
    proxies: BTreeMap<&'static str, FaultProxy>,
    ends: BTreeMap<&'static str, SocketAddr>,
}

impl Links {
    /// None yet.
    pub(super) fn new(under: Under) -> Self {
        Self {
            under,
            addresses: Addresses(0),
            proxies: BTreeMap::new(),
            ends: BTreeMap::new(),
        }
    }

    /// What the world is for.
    pub(super) fn under(&self) -> Under {
        self.under
    }

    /// An address that nobody has.
    pub(super) fn next(&mut self) -> SocketAddr {
        self.addresses.next()
    }

    /// Puts a link before `to`.
    ///
    /// # Errors
    /// If it cannot listen.
    pub(super) async fn join(&mut self, name: &'static str, to: SocketAddr) -> Result<()> {
        let mut end = to;
        if self.under == Under::Chaos {
            let proxy = FaultProxy::start(name, self.next(), to).await?;
            end = proxy.address;
            self.proxies.insert(name, proxy);
        }
        self.ends.insert(name, end);
        Ok(())
    }

    /// Where the link of the name begins.
    ///
    /// # Errors
    /// If there is none.
    pub fn address(&self, name: &str) -> Result<SocketAddr> {
        let end = self.ends.get(name).copied();
        end.with_context(|| format!("there is no link {name}"))
    }

    /// Does something to links.
    pub fn set(&self, names: &[&str], toxics: Toxics) {
        for proxy in names.iter().filter_map(|name| self.proxies.get(name)) {
            proxy.set(toxics);
        }
    }

    /// Does nothing to any.
    pub fn clear(&self) {
        for proxy in self.proxies.values() {
            proxy.set(Toxics::default());
        }
    }
}
