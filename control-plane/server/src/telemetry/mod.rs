//! Spans of requests, sent in OTLP.
//!
//! A span says which route answered, and how; never who asked, for which tenant,
//! or what. It is written to a queue of a fixed length by whoever serves the
//! request, and sent by a thread of its own: what does not fit is lost, and
//! nobody waits.

mod config;
mod export;
mod request;

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanExporter,
};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::dynamic_filter_fn;
use tracing_subscriber::registry::LookupSpan;

pub use config::{InvalidHeaders, Protocol, TelemetryConfig};
pub use export::CannotExport;
use export::Exporter;
use request::ROOTS;
pub(crate) use request::{ProxyCall, TraceLabel, exemplar, of_api, of_proxies};

/// Spans that wait to be sent, at most.
const QUEUE: usize = 2048;
/// How long they wait, at most.
const DELAY: Duration = Duration::from_secs(1);
/// How long the last ones are waited for at the end.
const FLUSH: Duration = Duration::from_secs(3);
/// Most attributes of a span.
const MAX_ATTRIBUTES: u32 = 32;

/// What makes spans, and sends them; nothing, where no endpoint is given.
#[derive(Clone, Debug)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

impl Telemetry {
    /// Begins to send. Within a runtime, which has to last as long.
    ///
    /// # Errors
    /// [`CannotExport`], if the configuration cannot be used. A collector that
    /// does not answer is no error.
    pub fn start(config: &TelemetryConfig) -> Result<Self, CannotExport> {
        let Some(endpoint) = &config.endpoint else {
            return Ok(Self { provider: None });
        };
        let exporter = Exporter::new(endpoint, config)?;
        Ok(Self::with_exporter(config, exporter))
    }

    fn with_exporter(config: &TelemetryConfig, exporter: impl SpanExporter + 'static) -> Self {
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(QUEUE)
            .with_max_export_batch_size(QUEUE / 4)
            .with_scheduled_delay(DELAY)
            .build();
        let batches = BatchSpanProcessor::builder(exporter).with_batch_config(batches);
        let resource = config.resource.iter();
        let resource = resource.map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let resource = Resource::builder()
            .with_service_name(config.service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .with_attributes(resource)
            .build();
        let roots = Sampler::TraceIdRatioBased(config.sampling_ratio);
        let provider = SdkTracerProvider::builder()
            .with_span_processor(batches.build())
            .with_sampler(Sampler::ParentBased(Box::new(roots)))
            .with_max_attributes_per_span(MAX_ATTRIBUTES)
            .with_resource(resource)
            .build();
        Self {
            provider: Some(provider),
        }
    }

    /// What makes spans of `tracing` those that are sent: spans of the control
    /// plane only, and no log lines, which may say what no span should.
    pub fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: tracing::Subscriber + for<'a> LookupSpan<'a>,
    {
        let tracer = self.provider.as_ref()?.tracer(env!("CARGO_PKG_NAME"));
        let layer: OpenTelemetryLayer<S, SdkTracer> = OpenTelemetryLayer::new(tracer);
        let layer = layer
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_target(false);
        let is_ours = dynamic_filter_fn(|metadata, context| {
            let is_ours = metadata.target().starts_with(env!("CARGO_CRATE_NAME"));
            // What is done for nobody's request is no trace.
            let is_of_request =
                ROOTS.contains(&metadata.name()) || context.lookup_current().is_some();
            metadata.is_span() && is_ours && is_of_request
        });
        Some(layer.with_filter(is_ours))
    }

    /// Sends what waits, for three seconds at most, and ends.
    pub async fn stop(self) {
        let Some(provider) = self.provider else {
            return;
        };
        // It waits for a thread.
        let stop = move || provider.shutdown_with_timeout(FLUSH);
        let stopped = tokio::time::timeout(FLUSH * 2, tokio::task::spawn_blocking(stop)).await;
        if let Ok(Ok(Err(error))) = stopped {
            tracing::warn!(%error, "the last spans are lost");
        }
    }
}

#[cfg(test)]
mod tests;
