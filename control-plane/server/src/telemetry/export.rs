//! What sends spans, in OTLP.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Bytes;
use axum::http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use opentelemetry_otlp::{
    ExporterBuildError, SpanExporter as Otlp, WithExportConfig as _, WithHttpConfig as _,
    WithTonicConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint};
use ureq::tls::{PemItem, RootCerts, TlsConfig};

use super::config::{Headers, InvalidHeaders, Protocol, TelemetryConfig};
use crate::auth::system_authorities;

/// How long a collector is waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer of a collector, in bytes.
const MAX_ANSWER_BYTES: u64 = 64 << 10;

/// Why spans cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum CannotExport {
    /// The collector's address is none, or its TLS cannot be set up.
    #[error("telemetry.endpoint cannot be used")]
    Endpoint(#[source] tonic::transport::Error),
    /// Authorities cannot be read.
    #[error("telemetry.ca cannot be read")]
    Authorities(#[source] std::io::Error),
    /// There is no certificate in them.
    #[error("telemetry.ca holds no certificate in PEM")]
    NoAuthority,
    /// Headers cannot be read.
    #[error("telemetry.headers-file")]
    Headers(#[from] InvalidHeaders),
    /// The exporter does not take its configuration.
    #[error("spans cannot be exported")]
    Exporter(#[from] ExporterBuildError),
}

/// Sends spans, and says once when that begins to fail, and when it is over.
#[derive(Debug)]
pub(super) struct Exporter {
    otlp: Otlp,
    is_failing: AtomicBool,
}

impl Exporter {
    /// Within a runtime, which connections over gRPC live in.
    pub(super) fn new(endpoint: &str, config: &TelemetryConfig) -> Result<Self, CannotExport> {
        let authorities = match endpoint.starts_with("https://") {
            true => Some(authorities(config)?),
            false => None,
        };
        let otlp = match config.protocol {
            Protocol::Grpc => grpc(endpoint, config, authorities)?,
            Protocol::Http => http(endpoint, config, authorities)?,
        };
        Ok(Self {
            otlp,
            is_failing: AtomicBool::new(false),
        })
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let sent = self.otlp.export(batch).await;
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        match (&sent, was_failing) {
            (Err(error), false) => {
                tracing::warn!(%error, spans, "spans are lost: the collector does not take them");
            }
            (Ok(()), true) => tracing::info!("the collector takes spans again"),
            _ => {}
        }
        sent
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.otlp.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.otlp.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.otlp.set_resource(resource);
    }
}

/// Certificates to trust, in PEM; at least one.
fn authorities(config: &TelemetryConfig) -> Result<Vec<u8>, CannotExport> {
    let file = config.ca.clone().unwrap_or_else(system_authorities);
    let pem = std::fs::read(file).map_err(CannotExport::Authorities)?;
    let is_some = certificates(&pem).next().is_some();
    is_some.then_some(pem).ok_or(CannotExport::NoAuthority)
}

fn certificates(pem: &[u8]) -> impl Iterator<Item = ureq::tls::Certificate<'static>> + '_ {
    ureq::tls::parse_pem(pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    })
}

fn grpc(
    endpoint: &str,
    config: &TelemetryConfig,
    authorities: Option<Vec<u8>>,
) -> Result<Otlp, CannotExport> {
    let mut channel = Endpoint::from_shared(endpoint.to_owned())
        .map_err(CannotExport::Endpoint)?
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE);
    if let Some(pem) = authorities {
        let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem));
        channel = channel.tls_config(tls).map_err(CannotExport::Endpoint)?;
    }
    let headers = config.headers()?.0.into_iter().collect();
    let otlp = Otlp::builder()
        .with_tonic()
        .with_channel(channel.connect_lazy())
        .with_metadata(MetadataMap::from_headers(headers))
        .with_timeout(PATIENCE);
    Ok(otlp.build()?)
}

fn http(
    endpoint: &str,
    config: &TelemetryConfig,
    authorities: Option<Vec<u8>>,
) -> Result<Otlp, CannotExport> {
    let mut agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(PATIENCE))
        .max_redirects(0)
        .proxy(None);
    if let Some(pem) = authorities {
        let certificates: Vec<_> = certificates(&pem).collect();
        let roots = RootCerts::new_with_certs(&certificates);
        agent = agent.tls_config(TlsConfig::builder().root_certs(roots).build());
    }
    let client = Client {
        agent: agent.build().into(),
        headers: config.headers()?,
    };
    let otlp = Otlp::builder()
        .with_http()
        .with_http_client(client)
        .with_endpoint(endpoint)
        .with_timeout(PATIENCE);
    Ok(otlp.build()?)
}

/// Blocks: spans are sent from a thread of their own.
#[derive(Debug)]
struct Client {
    agent: ureq::Agent,
    headers: Headers,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (mut parts, body) = request.into_parts();
        for (name, value) in &self.headers.0 {
            parts.headers.insert(name, value.clone());
        }
        let request = Request::from_parts(parts, body.to_vec());
        let (parts, mut body) = self.agent.run(request)?.into_parts();
        let body = body.with_config().limit(MAX_ANSWER_BYTES).read_to_vec()?;
        Ok(Response::from_parts(parts, body.into()))
    }
}
