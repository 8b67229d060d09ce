//! The region that a proxy is in.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};
use ig_contract::snapshot::Residency;
use ig_envoy::{Address, LocalRegion, StaticOptions, UpstreamTls};

/// Where the proxy is, and how it speaks to gateways elsewhere.
#[derive(clap::Args)]
pub(super) struct RegionArgs {
    /// The region that this proxy is in, in place of --upstream: its hosts, and
    /// other regions' gateways, are what the configuration's residency says.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// Authorities to trust when connecting to other regions' gateways, as Envoy
    /// finds them. Without it the connection is plain text, for development.
    #[arg(
        long,
        value_name = "FILE",
        requires = "region",
        requires = "gateway_name"
    )]
    gateway_ca: Option<PathBuf>,
    /// The name that the certificates of all gateways have.
    #[arg(long, value_name = "NAME", requires = "gateway_ca")]
    gateway_name: Option<String>,
    /// Certificate that says who this gateway is, as Envoy finds it.
    #[arg(
        long,
        value_name = "FILE",
        requires = "gateway_ca",
        requires = "gateway_key"
    )]
    gateway_certificate: Option<PathBuf>,
    /// Its key.
    #[arg(long, value_name = "FILE", requires = "gateway_certificate")]
    gateway_key: Option<PathBuf>,
}

impl RegionArgs {
    pub(super) fn is_given(&self) -> bool {
        self.region.is_some()
    }

    /// By the residency of the head, where the head is known.
    pub(super) fn apply(
        self,
        options: &mut StaticOptions,
        residency: Option<&Residency>,
    ) -> Result<()> {
        let (name, residency) = match (self.region, residency) {
            (None, None) => return Ok(()),
            (Some(name), Some(residency)) => (name, residency),
            (None, Some(residency)) => {
                let known: Vec<_> = residency.regions.keys().map(String::as_str).collect();
                bail!(
                    "the configuration says where tenants' data lives: say where this proxy is, \
                     with --region in place of --upstream; there is {}",
                    known.join(", ")
                )
            }
            (Some(name), None) => bail!(
                "the configuration has no residency, so `{name}` has no hosts: give it one, or \
                 --upstream in place of --region"
            ),
        };
        let mut region = LocalRegion::of(residency, &name).context("--region")?;
        let server_name = self.gateway_ca.zip(self.gateway_name);
        region.gateway_tls = server_name.map(|(trusted_ca, server_name)| UpstreamTls {
            server_name,
            trusted_ca,
            identity: self.gateway_certificate.zip(self.gateway_key),
        });
        let mut gateways = region.gateways.values().flatten();
        let exposed = gateways.find(|gateway| !is_this_machine(gateway));
        if let (Some(gateway), None) = (exposed, &region.gateway_tls) {
            bail!(
                "{gateway}: what is forwarded has access tokens, which anybody on the way could \
                 read without TLS; give --gateway-ca and --gateway-name"
            );
        }
        ensure!(
            region.gateway_tls.is_none() || !region.gateways.is_empty(),
            "nothing is forwarded from `{name}`: leave out --gateway-ca"
        );
        options.region = Some(region);
        Ok(())
    }
}

/// Whether what is sent there stays on this machine.
pub(super) fn is_this_machine(address: &Address) -> bool {
    let ip = address.host.parse::<std::net::IpAddr>();
    address.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}
