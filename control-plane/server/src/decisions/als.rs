//! Envoy's access-log service: decisions arrive in the filter state that the
//! guard leaves behind.

use std::borrow::Cow;

use envoy_types::pb::envoy::data::accesslog::v3::HttpAccessLogEntry;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_server::AccessLogService;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::LogEntries;
use envoy_types::pb::envoy::service::accesslog::v3::{
    StreamAccessLogsMessage, StreamAccessLogsResponse,
};
use envoy_types::pb::google::protobuf::{BytesValue, StringValue};
use ig_contract::DenyCode;
use ig_contract::decision::{DecisionRecord, FILTER_STATE_KEY, Mode, Outcome};
use ig_rate_limit::FLEET_RULE;
use prost::Message as _;
use serde_json::value::RawValue;
use tokio_stream::StreamExt as _;
use tonic::{Request, Response, Status, Streaming};

use super::Entry;
use crate::app::App;
use crate::cost::{Gateway, Served};
use crate::store::now;
use crate::{tls, xds};

/// The access-log service.
pub(crate) struct AccessLog {
    app: App,
}

impl AccessLog {
    pub(crate) fn new(app: App) -> Self {
        Self { app }
    }
}

/// Longest name of a proxy or graph that is kept.
const MAX_NAME_CHARS: usize = 200;
/// Longest record that is kept: several times what the guard's limits on
/// headers allow.
const MAX_RECORD_BYTES: usize = 64 * 1024;

#[tonic::async_trait]
impl AccessLogService for AccessLog {
    async fn stream_access_logs(
        &self,
        request: Request<Streaming<StreamAccessLogsMessage>>,
    ) -> Result<Response<StreamAccessLogsResponse>, Status> {
        let identity = tls::peer(&request);
        let mut messages = request.into_inner();
        let mut closing = self.app.closing.subscribe();
        let (mut node, mut region, mut graph) = (String::new(), String::new(), String::new());
        loop {
            let message = tokio::select! {
                message = messages.next() => message,
                _ = closing.wait_for(|closing| *closing) => break,
            };
            // Broken streams come again; what is lost with them is lost.
            let Some(Ok(message)) = message else { break };
            if let Some(identifier) = message.identifier {
                let from = identifier.node.unwrap_or_default();
                let locality = from.locality.unwrap_or_default();
                region = locality.region.chars().take(MAX_NAME_CHARS).collect();
                node = from.id.chars().take(MAX_NAME_CHARS).collect();
                let log = xds::graph(&identifier.log_name).unwrap_or(&identifier.log_name);
                graph = log.chars().take(MAX_NAME_CHARS).collect();
            }
            let published = self.app.published.watch();
            let publication = published.borrow().get(&xds::name(&graph)).cloned();
            // Names that proxies make up must not become time series.
            let label = match &publication {
                None => "unknown",
                Some(one) if one.is_for(identity.as_deref()) => graph.as_str(),
                // Who may not have a graph's snapshots decides nothing for it,
                // however it spells the log's name.
                Some(_) => return Err(Status::permission_denied("another graph's log")),
            };
            let Some(LogEntries::HttpLogs(logs)) = message.log_entries else {
                continue;
            };
            let gateway = Gateway {
                node: &node,
                region: &region,
                graph: publication.as_ref().map(|_| graph.as_str()),
            };
            for entry in &logs.log_entry {
                let mut served = Served::new(entry, gateway, now());
                self.take(entry, &node, &graph, label, &mut served);
                if let Some(served) = served {
                    self.app.cost.count(served, &self.app.metrics.cost);
                }
            }
        }
        Ok(Response::new(StreamAccessLogsResponse {}))
    }
}

impl AccessLog {
    fn take(
        &self,
        entry: &HttpAccessLogEntry,
        node: &str,
        graph: &str,
        label: &str,
        served: &mut Option<Served>,
    ) {
        let Some(text) = records(entry) else { return };
        // Between brackets, as access logs in files have them.
        let records: Result<Vec<Box<RawValue>>, _> = serde_json::from_str(&format!("[{text}]"));
        let is_limited = is_limited(entry);
        for record in records.unwrap_or_else(|_| self.unreadable()) {
            match serde_json::from_str::<DecisionRecord<'_>>(record.get()) {
                Ok(mut decision) if record.get().len() <= MAX_RECORD_BYTES => {
                    let mut text = Cow::Borrowed(record.get());
                    if is_limited && limit(&mut decision) {
                        text = serde_json::to_string(&decision).map_or(text, Cow::Owned);
                    }
                    self.app.metrics.decision(label, &decision);
                    if let Some(served) = served {
                        served.decided(&decision);
                    }
                    let entry = Entry::new(now(), node, graph, &decision, &text);
                    self.app.decisions.push(entry);
                }
                _ => drop(self.unreadable::<()>()),
            }
        }
    }

    fn unreadable<T>(&self) -> Vec<T> {
        self.app.metrics.decisions_unreadable.inc();
        Vec::new()
    }
}

/// Whether a limit of the fleet refused the request, after the guard.
fn is_limited(entry: &HttpAccessLogEntry) -> bool {
    let flags = entry.common_properties.as_ref();
    let flags = flags.and_then(|common| common.response_flags.as_ref());
    flags.is_some_and(|flags| flags.rate_limited)
}

/// Turns what the guard let go on into what became of it. Answers whether it did.
fn limit(decision: &mut DecisionRecord<'_>) -> bool {
    if decision.outcome == Outcome::Deny {
        return false;
    }
    decision.outcome = Outcome::Deny;
    decision.code = Some(DenyCode::RateLimited);
    decision.rule = FLEET_RULE.into();
    // In shadow it would have passed.
    decision.mode = Mode::Enforce;
    true
}

/// What the guard left in the filter state: bytes or a string, by how Envoy's
/// Wasm extension serialises it.
fn records(entry: &HttpAccessLogEntry) -> Option<String> {
    let objects = &entry.common_properties.as_ref()?.filter_state_objects;
    let any = objects.get(&format!("wasm.{FILTER_STATE_KEY}"))?;
    let bytes = match any.type_url.rsplit('/').next()? {
        "google.protobuf.BytesValue" => BytesValue::decode(any.value.as_slice()).ok()?.value,
        "google.protobuf.StringValue" => {
            return Some(StringValue::decode(any.value.as_slice()).ok()?.value);
        }
        _ => return None,
    };
    String::from_utf8(bytes).ok()
}
