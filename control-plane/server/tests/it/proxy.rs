//! A proxy that asks for the graph `demo`, and takes or refuses what it is sent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
};
use envoy_types::pb::envoy::service::extension::v3::extension_config_discovery_service_client::ExtensionConfigDiscoveryServiceClient;
use envoy_types::pb::google::rpc::Status;
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// What it does with what it is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Accepts,
    Refuses,
    /// It says nothing.
    Hangs,
}

/// Connected until it is dropped, on a thread of its own.
pub(crate) struct Proxy {
    refuses: Arc<AtomicBool>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Proxy {
    pub(crate) fn connect(grpc: SocketAddr, node: &str, answer: Answer) -> Self {
        let refuses = Arc::new(AtomicBool::new(answer == Answer::Refuses));
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn({
            let (node, refuses) = (node.to_owned(), Arc::clone(&refuses));
            move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let hangs = answer == Answer::Hangs;
                    tokio::select! {
                        _ = stopped => {}
                        () = talk(grpc, node, &refuses, hangs) => {}
                    }
                });
            }
        });
        Self {
            refuses,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// It takes what it is sent from now on.
    pub(crate) fn mend(&self) {
        self.refuses.store(false, Ordering::Relaxed);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn talk(grpc: SocketAddr, node: String, refuses: &AtomicBool, hangs: bool) {
    let channel = Channel::from_shared(format!("http://{grpc}")).unwrap();
    let mut client = ExtensionConfigDiscoveryServiceClient::new(channel.connect().await.unwrap());
    let (send, requests) = mpsc::channel(8);
    let first = DeltaDiscoveryRequest {
        node: Some(Node {
            id: node,
            ..Node::default()
        }),
        resource_names_subscribe: vec!["ig.guard.demo".into()],
        ..DeltaDiscoveryRequest::default()
    };
    send.send(first).await.unwrap();
    let answered = client.delta_extension_configs(ReceiverStream::new(requests));
    let mut responses = answered.await.unwrap().into_inner();
    while let Ok(Some(DeltaDiscoveryResponse { nonce, .. })) = responses.message().await {
        if hangs {
            continue;
        }
        let refusal = refuses.load(Ordering::Relaxed).then(|| Status {
            code: 3,
            message: "no".into(),
            ..Status::default()
        });
        let answer = DeltaDiscoveryRequest {
            response_nonce: nonce,
            error_detail: refusal,
            ..DeltaDiscoveryRequest::default()
        };
        if send.send(answer).await.is_err() {
            break;
        }
    }
}
