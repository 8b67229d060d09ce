//! A guard that the control plane feeds.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, ensure};
use ig_contract::snapshot::Head;
use ig_envoy::{Address, ControlPlane, Endpoints, Guard, StaticOptions, UpstreamTls};
use ig_snapshot::Config;

use super::region::is_this_machine;
use crate::files;

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
    /// The graph's configuration, guard.toml, as the control plane has it: how
    /// Envoy has to be set up for it. It is needed for --region and for limits of
    /// the fleet; what it says of guards, the control plane sends.
    #[arg(long, value_name = "FILE", requires = "control_plane")]
    config: Option<PathBuf>,
    /// How this proxy names itself; `envoy` by default. A mesh's proxies have a
    /// name of their own.
    #[arg(long, value_name = "NAME")]
    pub(super) node: Option<String>,
}

impl ControlPlaneArgs {
    /// The graph, where it is given.
    pub(super) fn graph(&self) -> Option<&str> {
        self.graph.as_deref()
    }

    /// What the configuration says, where it is given.
    pub(super) fn head(&self) -> Result<Option<Head>> {
        let Some(path) = &self.config else {
            return Ok(None);
        };
        let config = Config::parse(&files::read_text(path)?)
            .map_err(|problems| anyhow!("{} is not valid:\n{problems}", path.display()))?;
        Ok(Some(config.head("")))
    }

    pub(super) fn apply(&self, options: &mut StaticOptions, module: PathBuf) -> Result<()> {
        let address = self.control_plane.as_ref().context("--control-plane")?;
        let graph = self.graph.as_ref().context("--graph")?;
        ensure!(
            self.control_plane_ca.is_some() || is_this_machine(address),
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
            node: self.node.clone().unwrap_or_else(|| "envoy".to_owned()),
        });
        Ok(())
    }
}
