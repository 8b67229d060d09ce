//! Spans of the gateway.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use ig_envoy::{Address, Endpoints, Tracing, UpstreamTls};

use super::region::is_this_machine;

/// Where spans go.
#[derive(clap::Args)]
pub(super) struct TracingArgs {
    /// Collector of spans, OTLP over gRPC; nothing is traced by default.
    #[arg(long, value_name = "HOST:PORT")]
    tracing: Option<Address>,
    /// Of a hundred requests, how many are traced; 1 by default.
    #[arg(long, value_name = "PERCENT", requires = "tracing", value_parser = percent)]
    tracing_sampling: Option<f64>,
    /// `service.name` of the gateway's spans; `ig-gateway` by default.
    #[arg(long, value_name = "NAME", requires = "tracing")]
    tracing_service: Option<String>,
    /// Authorities to trust when connecting to the collector, as Envoy finds
    /// them. Without it the connection is plain text, which needs a collector on
    /// this machine.
    #[arg(long, value_name = "FILE", requires = "tracing")]
    tracing_ca: Option<PathBuf>,
}

impl TracingArgs {
    pub(super) fn is_given(&self) -> bool {
        self.tracing.is_some()
    }

    /// Where spans go, if anywhere.
    pub(super) fn into_tracing(self) -> Result<Option<Tracing>> {
        let Some(address) = self.tracing else {
            return Ok(None);
        };
        ensure!(
            self.tracing_ca.is_some() || is_this_machine(&address),
            "{address}: without TLS anybody on the way reads which operations are called; give \
             --tracing-ca, or a collector on this machine"
        );
        let tls = self.tracing_ca.map(|trusted_ca| UpstreamTls {
            server_name: address.host.clone(),
            trusted_ca,
            identity: None,
        });
        let mut tracing = Tracing::new(Endpoints {
            addresses: vec![address],
            tls,
        });
        if let Some(service) = self.tracing_service {
            tracing.service = service;
        }
        if let Some(percent) = self.tracing_sampling {
            tracing.sampling_percent = percent;
        }
        Ok(Some(tracing))
    }
}

fn percent(text: &str) -> Result<f64, &'static str> {
    let percent = text.parse().ok();
    let percent = percent.filter(|percent| (0.0..=100.0).contains(percent));
    percent.ok_or("write a number from 0 to 100")
}
