//! The streams: one task each, between a proxy and what is published.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Resource,
};
use envoy_types::pb::envoy::service::extension::v3::extension_config_discovery_service_server::ExtensionConfigDiscoveryService;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

use super::delta::{self, Delta, Verdict};
use super::resource::{TYPE_URL, name, resource};
use crate::app::App;
use crate::snapshots::Publication;

/// The extension config discovery service.
pub(crate) struct Ecds {
    app: App,
    next_stream: AtomicU64,
}

impl Ecds {
    pub(crate) fn new(app: App) -> Self {
        Self {
            app,
            next_stream: AtomicU64::new(1),
        }
    }
}

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;
type Sender = mpsc::Sender<Result<DeltaDiscoveryResponse, Status>>;

#[tonic::async_trait]
impl ExtensionConfigDiscoveryService for Ecds {
    type StreamExtensionConfigsStream = Boxed<DiscoveryResponse>;
    type DeltaExtensionConfigsStream = Boxed<DeltaDiscoveryResponse>;

    async fn stream_extension_configs(
        &self,
        _: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamExtensionConfigsStream>, Status> {
        Err(Status::unimplemented("use api_type DELTA_GRPC"))
    }

    async fn delta_extension_configs(
        &self,
        request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaExtensionConfigsStream>, Status> {
        let (sender, receiver) = mpsc::channel(4);
        let conversation = Conversation {
            app: self.app.clone(),
            number: self.next_stream.fetch_add(1, Ordering::Relaxed),
            node: String::new(),
            delta: Delta::default(),
            sender,
        };
        tokio::spawn(conversation.run(request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn fetch_extension_configs(
        &self,
        _: Request<DiscoveryRequest>,
    ) -> Result<Response<DiscoveryResponse>, Status> {
        Err(Status::unimplemented("use api_type DELTA_GRPC"))
    }
}

/// One stream.
struct Conversation {
    app: App,
    number: u64,
    /// Said in the first message only.
    node: String,
    delta: Delta,
    sender: Sender,
}

impl Conversation {
    async fn run(mut self, mut requests: Streaming<DeltaDiscoveryRequest>) {
        let mut published = self.app.published.watch();
        let mut closing = self.app.closing.subscribe();
        loop {
            let said = tokio::select! {
                request = requests.next() => match request {
                    Some(Ok(request)) => Some(request),
                    // Closed or broken: Envoy comes back.
                    Some(Err(_)) | None => break,
                },
                changed = published.changed() => match changed {
                    Ok(()) => None,
                    Err(_) => break,
                },
                _ = closing.wait_for(|closing| *closing) => break,
            };
            if let Some(request) = said {
                self.hear(request);
            }
            let current = published.borrow_and_update().clone();
            if self.answer(&current).await.is_err() {
                break;
            }
        }
        self.app.proxies.gone(self.number);
    }

    fn hear(&mut self, request: DeltaDiscoveryRequest) {
        if let Some(node) = request.node {
            self.node = node.id;
        }
        let verdicts = self.delta.on_request(delta::Request {
            subscribe: request.resource_names_subscribe,
            unsubscribe: request.resource_names_unsubscribe,
            initial: request.initial_resource_versions.into_iter().collect(),
            nonce: request.response_nonce,
            refusal: request.error_detail.map(|status| status.message),
        });
        let proxies = &self.app.proxies;
        for verdict in verdicts {
            match verdict {
                Verdict::Accepted { name, version } => {
                    proxies.accepted(self.number, &self.node, &name, &version);
                }
                Verdict::Refused {
                    name,
                    version,
                    reason,
                } => {
                    tracing::warn!(node = self.node, name, version, reason, "refused");
                    proxies.refused(self.number, &self.node, &name, &version, &reason);
                }
            }
        }
    }

    async fn answer(&mut self, current: &BTreeMap<String, Publication>) -> Result<(), ()> {
        let versions: BTreeMap<_, _> = current
            .iter()
            .map(|(graph, publication)| (name(graph), publication.revision.clone()))
            .collect();
        for name in self.delta.subscribed() {
            if let Some(version) = versions.get(name) {
                self.app
                    .proxies
                    .wants(self.number, &self.node, name, version);
            }
        }
        let Some(next) = self.delta.next(&versions) else {
            return Ok(());
        };
        let by_name: BTreeMap<_, _> = current
            .iter()
            .map(|(graph, publication)| (name(graph), publication))
            .collect();
        let resources = next.resources.into_iter().filter_map(|(name, version)| {
            let publication = by_name.get(&name)?;
            let module = &self.app.module;
            Some(Resource {
                resource: Some(resource(&name, module, &publication.bytes)),
                name,
                version,
                ..Resource::default()
            })
        });
        let response = DeltaDiscoveryResponse {
            type_url: TYPE_URL.into(),
            nonce: next.nonce,
            resources: resources.collect(),
            removed_resources: next.removed,
            ..DeltaDiscoveryResponse::default()
        };
        self.sender.send(Ok(response)).await.map_err(drop)
    }
}
