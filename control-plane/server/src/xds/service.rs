//! The streams: one task each, between a proxy and what is published.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse, Resource,
};
use envoy_types::pb::envoy::service::extension::v3::extension_config_discovery_service_server::ExtensionConfigDiscoveryService;
use ig_contract::headers;
use ig_contract::snapshot::Formats;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt as _};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status, Streaming};

use super::delta::{self, Delta, Verdict};
use super::resource::TYPE_URL;
use crate::app::App;
use crate::proxies::{OlderForm, Peer};
use crate::snapshots::{Form, Publication};
use crate::tls;

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

/// Longest name of a proxy that is kept.
const MAX_NODE_CHARS: usize = 200;
/// Most names a stream may ask for: each is kept.
const MAX_NAMES: usize = 1000;

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
            peer: Peer {
                stream: self.next_stream.fetch_add(1, Ordering::Relaxed),
                node: String::new(),
                identity: tls::peer(&request),
                formats: formats(request.metadata()),
            },
            delta: Delta::default(),
            held: BTreeMap::new(),
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

/// What the configuration of a proxy says that its module reads. What cannot be
/// read says nothing: the proxy refuses what is not for it.
fn formats(metadata: &MetadataMap) -> Option<Formats> {
    let said = metadata.get(headers::SNAPSHOT_FORMATS)?.to_str().ok()?;
    said.parse().ok()
}

/// How long a new stream waits for what the database has, and after which it tries again.
const READ_FIRST: std::time::Duration = std::time::Duration::from_secs(1);

/// One stream.
struct Conversation {
    app: App,
    peer: Peer,
    delta: Delta,
    /// Revisions that the proxy's module cannot read, by name.
    held: BTreeMap<String, String>,
    sender: Sender,
}

impl Conversation {
    async fn run(mut self, mut requests: Streaming<DeltaDiscoveryRequest>) {
        let mut published = self.app.published.watch();
        let mut closing = self.app.closing.subscribe();
        self.app.metrics.streams.inc();
        let mut is_read = self.read().await;
        loop {
            let mut is_due = false;
            let said = tokio::select! {
                request = requests.next() => match request {
                    Some(Ok(request)) => Some(request),
                    // Closed or broken: Envoy comes back.
                    Some(Err(_)) | None => break,
                },
                changed = published.changed() => match changed {
                    // It may be of a read that began before this stream did.
                    Ok(()) => {
                        is_due = !is_read;
                        None
                    }
                    Err(_) => break,
                },
                () = tokio::time::sleep(READ_FIRST), if !is_read => {
                    is_due = true;
                    None
                }
                _ = closing.wait_for(|closing| *closing) => break,
            };
            if is_due {
                is_read = self.read().await;
            }
            if let Some(request) = said {
                self.hear(request);
                if self.delta.subscribed().count() > MAX_NAMES {
                    break;
                }
            }
            let current = published.borrow_and_update().clone();
            if self.answer(&current, is_read).await.is_err() {
                break;
            }
        }
        self.app.proxies.gone(self.peer.stream);
        self.app.metrics.streams.dec();
    }

    /// Reads what is published; whether that could be read. The proxy may come from a
    /// replica that has read a newer publication.
    async fn read(&self) -> bool {
        let read = self.app.published.follow(&self.app.store);
        matches!(tokio::time::timeout(READ_FIRST, read).await, Ok(Ok(())))
    }

    fn hear(&mut self, request: DeltaDiscoveryRequest) {
        // Said in the first message only.
        if let Some(node) = request.node {
            self.peer.node = node.id.chars().take(MAX_NODE_CHARS).collect();
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
                    proxies.accepted(&self.peer, &name, &version);
                }
                Verdict::Refused {
                    name,
                    version,
                    reason,
                } => {
                    tracing::warn!(node = self.peer.node, name, version, reason, "refused");
                    self.app.metrics.refusals.inc();
                    proxies.refused(&self.peer, &name, &version, &reason);
                }
            }
        }
    }

    /// Leaves the proxy what it has, and says so once.
    fn hold(&mut self, name: String, publication: &Publication) {
        let revision = &publication.revision;
        if self.held.get(&name) == Some(revision) {
            return;
        }
        let reads = self.peer.formats.map(|formats| formats.to_string());
        let why = format!(
            "the snapshot has format {}, and the proxy's module reads {}: upgrade the module, and \
             render its configuration again",
            publication.format(),
            reads.unwrap_or_default(),
        );
        tracing::warn!(node = self.peer.node, name, revision, why, "held");
        self.app.proxies.held(&self.peer, &name, revision, &why);
        self.held.insert(name, revision.clone());
    }

    /// Sends what the proxy has not. Where the database was not read, what it has may be
    /// newer than what is known here: it stays, unless the graph is known to be for others.
    async fn answer(
        &mut self,
        current: &BTreeMap<String, Publication>,
        is_read: bool,
    ) -> Result<(), ()> {
        let mut versions = BTreeMap::new();
        let names: Vec<_> = self.delta.subscribed().map(ToOwned::to_owned).collect();
        self.held.retain(|name, _| names.contains(name));
        self.app.proxies.keep(self.peer.stream, &names);
        let mut unnamed = BTreeSet::new();
        for name in names {
            let Some(publication) = current.get(&name) else {
                self.app.proxies.nothing(&self.peer, &name);
                self.held.remove(&name);
                continue;
            };
            let revision = &publication.revision;
            if !publication.is_for(self.peer.identity.as_deref()) {
                let why = "the graph's `proxies` do not name this proxy";
                self.app.proxies.unnamed(&self.peer, &name, revision, why);
                self.held.remove(&name);
                unnamed.insert(name);
                continue;
            }
            let older = match publication.form(&name, self.peer.formats) {
                Form::Own => None,
                Form::Older(older) => Some(OlderForm {
                    format: older.format,
                    revision: older.revision.clone(),
                }),
                Form::Unreadable => {
                    self.hold(name, publication);
                    continue;
                }
            };
            self.app.proxies.wants(&self.peer, &name, revision, older);
            self.held.remove(&name);
            versions.insert(name, revision.clone());
        }
        let mut held: BTreeSet<_> = self.held.keys().cloned().collect();
        if !is_read {
            let had = self.delta.subscribed().filter(|name| self.delta.has(name));
            let stays = had.filter(|name| !unnamed.contains(*name));
            held.extend(stays.map(ToOwned::to_owned));
        }
        let Some(next) = self.delta.next(&versions, &held) else {
            return Ok(());
        };
        let resources = next.resources.into_iter().filter_map(|(name, version)| {
            let publication = current.get(&name)?;
            let resource = publication.resource_for(&name, self.peer.formats)?;
            Some(Resource {
                resource: Some(resource.as_ref().clone()),
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
