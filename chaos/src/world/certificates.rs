//! Certificates between gateways and the control plane, which can end.

use std::path::{Path, PathBuf};

use anyhow::Result;
use ig_e2e::{Authority, Pair};
use ig_envoy::UpstreamTls;

/// Names of files.
const AUTHORITY: &str = "authority.pem";
const SERVER: [&str; 2] = ["server.pem", "server.key"];
const PROXY: [&str; 2] = ["proxy.pem", "proxy.key"];
const CONFIG: &str = "control-plane.toml";

/// An authority, and what it signed.
pub(super) struct Certificates {
    authority: Authority,
    folder: PathBuf,
}

impl Certificates {
    /// New ones, in a folder.
    ///
    /// # Errors
    /// If they cannot be made or written.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let this = Self {
            authority: Authority::new("chaos")?,
            folder: folder.to_owned(),
        };
        std::fs::write(this.path(AUTHORITY), &this.authority.pem)?;
        this.write(PROXY, &this.authority.proxy("spiffe://chaos/gateway")?)?;
        this.expire(false)?;
        let [certificate, key] = SERVER.map(|name| this.path(name).display().to_string());
        let authority = this.path(AUTHORITY).display().to_string();
        let config = format!(
            "version = 1\n[grpc-tls]\ncertificate = {certificate:?}\nkey = {key:?}\n\
             client-ca = {authority:?}\n"
        );
        std::fs::write(this.config(), config)?;
        Ok(this)
    }

    /// The control plane's configuration.
    pub(super) fn config(&self) -> PathBuf {
        self.path(CONFIG)
    }

    /// What gateways use.
    pub(super) fn tls(&self) -> UpstreamTls {
        UpstreamTls {
            server_name: "localhost".into(),
            trusted_ca: self.path(AUTHORITY),
            identity: Some((self.path(PROXY[0]), self.path(PROXY[1]))),
        }
    }

    /// Gives the control plane a certificate that has ended, or one that has not. It
    /// reads it within a second.
    ///
    /// # Errors
    /// If it cannot be made or written.
    pub(super) fn expire(&self, expire: bool) -> Result<()> {
        let pair = match expire {
            true => self.authority.server_of_the_past()?,
            false => self.authority.server()?,
        };
        self.write(SERVER, &pair)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn write(&self, [certificate, key]: [&str; 2], pair: &Pair) -> Result<()> {
        std::fs::write(self.path(key), &pair.1)?;
        Ok(std::fs::write(self.path(certificate), &pair.0)?)
    }
}
