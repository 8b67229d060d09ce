//! A guard that the control plane feeds.

use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use ig_envoy::{Address, ControlPlane, Endpoints, Guard, StaticOptions, UpstreamTls};

/// Where snapshots come from, in place of a file, and decisions go to.
#[derive(clap::Args)]
pub(super) struct ControlPlaneArgs {
    /// The control plane's gRPC address, in place of --snapshot: Envoy takes
    /// its snapshot from it, and sends it decisions.
    #[arg(long, value_name = "HOST:PORT", requires = "graph")]
    control_plane: Option<Address>,
    /// The graph whose snapshots to take.
    #[arg(long, requires = "control_plane")]
    graph: Option<String>,
    /// Authorities to trust when connecting to the control plane, as Envoy
    /// finds them. Without it the connection is plain text, for development.
    #[arg(long, value_name = "FILE", requires = "control_plane")]
    control_plane_ca: Option<PathBuf>,
    /// Certificate that says who this proxy is, as Envoy finds it.
    #[arg(long, value_name = "FILE", requires = "control_plane_ca")]
    proxy_certificate: Option<PathBuf>,
    /// Its key.
    #[arg(long, value_name = "FILE", requires = "proxy_certificate")]
    proxy_key: Option<PathBuf>,
    /// How this proxy names itself.
    #[arg(long, value_name = "NAME", default_value = "envoy")]
    node: String,
}

impl ControlPlaneArgs {
    pub(super) fn apply(&self, options: &mut StaticOptions, module: PathBuf) -> Result<()> {
        let address = self.control_plane.as_ref().context("--control-plane")?;
        let graph = self.graph.as_ref().context("--graph")?;
        let is_loopback = address
            .host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
        ensure!(
            self.control_plane_ca.is_some() || is_loopback || address.host == "localhost",
            "{address}: without TLS anybody on the way can replace snapshots; give \
             --control-plane-ca, --proxy-certificate and --proxy-key"
        );
        let tls = self.control_plane_ca.as_ref().map(|ca| UpstreamTls {
            server_name: address.host.clone(),
            trusted_ca: ca.clone(),
            identity: self.proxy_certificate.clone().zip(self.proxy_key.clone()),
        });
        options.guards.push(Guard::of_graph(module, graph));
        options.control_plane = Some(ControlPlane {
            endpoints: Endpoints {
                addresses: vec![address.clone()],
                tls,
            },
            node: self.node.clone(),
        });
        Ok(())
    }
}
