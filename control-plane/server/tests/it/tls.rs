//! mTLS: who gets in, who a proxy is, and certificates that change.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::data::accesslog::v3::{AccessLogCommon, HttpAccessLogEntry};
use envoy_types::pb::envoy::service::accesslog::v3::StreamAccessLogsMessage;
use envoy_types::pb::envoy::service::accesslog::v3::access_log_service_client::AccessLogServiceClient;
use envoy_types::pb::envoy::service::accesslog::v3::stream_access_logs_message::{
    HttpAccessLogEntries, Identifier, LogEntries,
};
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
};
use envoy_types::pb::envoy::service::extension::v3::extension_config_discovery_service_client::ExtensionConfigDiscoveryServiceClient;
use envoy_types::pb::google::protobuf::{Any, BytesValue};
use ig_control_plane::TlsFiles;
use ig_e2e::{Authority, ControlPlane, Pair, fill};
use prost::Message as _;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use crate::databases::Database;

struct Bench {
    authority: Authority,
    control: ControlPlane,
    folder: tempfile::TempDir,
    _database: Database,
}

fn write(folder: &Path, pair: &Pair) {
    std::fs::write(folder.join("server.pem"), &pair.0).unwrap();
    std::fs::write(folder.join("server.key"), &pair.1).unwrap();
}

impl Bench {
    fn start() -> Self {
        let database = Database::sqlite();
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::new("mesh").unwrap();
        write(folder.path(), &authority.server().unwrap());
        std::fs::write(folder.path().join("ca.pem"), &authority.pem).unwrap();
        let mut config = database.config();
        config.grpc_tls = Some(TlsFiles {
            certificate: folder.path().join("server.pem"),
            key: folder.path().join("server.key"),
            client_ca: Some(folder.path().join("ca.pem")),
        });
        Self {
            authority,
            control: ControlPlane::start(config).unwrap(),
            folder,
            _database: database,
        }
    }

    async fn connect(&self, trusted: &Authority, own: Option<&Pair>) -> Option<Stream> {
        Stream::open(self.channel(trusted, own).await?).await
    }

    async fn channel(&self, trusted: &Authority, own: Option<&Pair>) -> Option<Channel> {
        let mut tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificate(Certificate::from_pem(&trusted.pem));
        if let Some(Pair(certificate, key)) = own {
            tls = tls.identity(Identity::from_pem(certificate, key));
        }
        let channel = Channel::from_shared(format!("https://{}", self.control.grpc)).unwrap();
        channel.tls_config(tls).unwrap().connect().await.ok()
    }

    /// The control plane is called from a thread of its own: its client blocks.
    fn proxies(&self) -> Vec<Value> {
        self.control
            .call("GET", "/proxies", "")
            .1
            .as_array()
            .unwrap()
            .clone()
    }
}

pub(crate) struct Stream {
    send: mpsc::Sender<DeltaDiscoveryRequest>,
    receive: Streaming<DeltaDiscoveryResponse>,
}

impl Stream {
    async fn open(channel: Channel) -> Option<Self> {
        Self::open_with(channel, None).await
    }

    /// Of a proxy that brings along what it runs.
    pub(crate) async fn open_with(channel: Channel, revision: Option<&str>) -> Option<Self> {
        let (send, requests) = mpsc::channel(8);
        let name = "ig.guard.demo".to_owned();
        let first = DeltaDiscoveryRequest {
            node: Some(Node {
                id: "edge-1".into(),
                ..Node::default()
            }),
            initial_resource_versions: revision
                .map(|revision| (name.clone(), revision.to_owned()))
                .into_iter()
                .collect(),
            resource_names_subscribe: vec![name],
            ..DeltaDiscoveryRequest::default()
        };
        send.send(first).await.unwrap();
        let mut client = ExtensionConfigDiscoveryServiceClient::new(channel);
        let answer = client
            .delta_extension_configs(ReceiverStream::new(requests))
            .await;
        let receive = answer.ok()?.into_inner();
        Some(Self { send, receive })
    }

    /// The next revision, if one comes soon.
    pub(crate) async fn next(&mut self) -> Option<String> {
        let wait = tokio::time::timeout(Duration::from_secs(2), self.receive.message()).await;
        let response = wait.ok()?.ok()??;
        let answer = DeltaDiscoveryRequest {
            response_nonce: response.nonce,
            ..DeltaDiscoveryRequest::default()
        };
        self.send.send(answer).await.unwrap();
        response.resources.into_iter().next().map(|one| one.version)
    }

    /// What the next message takes away.
    pub(crate) async fn removed(&mut self) -> Vec<String> {
        let wait = tokio::time::timeout(Duration::from_secs(5), self.receive.message()).await;
        wait.unwrap().unwrap().unwrap().removed_resources
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_proxies_with_a_certificate_get_in_and_only_to_their_graph() {
    let bench = Bench::start();
    let control = &bench.control;
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    assert_eq!(control.call("POST", "/snapshots/demo", "").0, 200);
    let gateway = bench
        .authority
        .proxy("spiffe://mesh/ns/edge/sa/gateway")
        .unwrap();
    let stranger = Authority::new("elsewhere")
        .unwrap()
        .proxy("spiffe://mesh/ns/edge/sa/gateway")
        .unwrap();

    assert!(
        bench.connect(&bench.authority, None).await.is_none(),
        "no certificate"
    );
    assert!(
        bench
            .connect(&bench.authority, Some(&stranger))
            .await
            .is_none(),
        "a stranger's"
    );
    let mut stream = bench
        .connect(&bench.authority, Some(&gateway))
        .await
        .unwrap();
    assert!(stream.next().await.is_some());
    let proxies = bench.proxies();
    assert_eq!(proxies[0]["identity"], "spiffe://mesh/ns/edge/sa/gateway");

    // For other proxies only: it is taken away, and is not given to it again.
    let (_, mut graph) = control.call("GET", "/graphs/demo", "");
    graph["proxies"] = json!(["spiffe://mesh/ns/other/*"]);
    assert_eq!(
        control.call("PUT", "/graphs/demo", graph.to_string()).0,
        204
    );
    assert_eq!(stream.removed().await, ["ig.guard.demo"]);
    let mut again = bench
        .connect(&bench.authority, Some(&gateway))
        .await
        .unwrap();
    assert_eq!(again.next().await, None);
    let other = bench
        .authority
        .proxy("spiffe://mesh/ns/other/sa/gateway")
        .unwrap();
    let mut other = bench.connect(&bench.authority, Some(&other)).await.unwrap();
    assert!(other.next().await.is_some());
    let by_identity: BTreeMap<_, _> = bench
        .proxies()
        .into_iter()
        .map(|one| (one["identity"].to_string(), one["accepted"].is_string()))
        .collect();
    assert_eq!(by_identity.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_are_exchanged_without_a_restart() {
    let bench = Bench::start();
    let control = &bench.control;
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    assert_eq!(control.call("POST", "/snapshots/demo", "").0, 200);
    let gateway = bench.authority.proxy("spiffe://mesh/gateway").unwrap();
    let mut old = bench
        .connect(&bench.authority, Some(&gateway))
        .await
        .unwrap();
    assert!(old.next().await.is_some());

    // Half of an exchange: the key is not the certificate's, so all stays.
    let next = Authority::new("next").unwrap();
    let Pair(certificate, key) = next.server().unwrap();
    std::fs::write(bench.folder.path().join("server.pem"), &certificate).unwrap();
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert!(
        bench
            .connect(&bench.authority, Some(&gateway))
            .await
            .is_some()
    );
    write(bench.folder.path(), &Pair(certificate, key));
    let started = Instant::now();
    while bench.connect(&next, Some(&gateway)).await.is_none() {
        assert!(started.elapsed() < Duration::from_secs(20));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(
        bench
            .connect(&bench.authority, Some(&gateway))
            .await
            .is_none()
    );

    // Streams from before go on.
    let tenant = json!({"purposes": ["audit"]}).to_string();
    assert_eq!(control.call("PUT", "/tenants/bravo", tenant).0, 204);
    assert_eq!(control.call("POST", "/snapshots/demo", "").0, 200);
    assert!(old.next().await.is_some());
}

/// A log of one message that has one decision.
fn log(name: &str) -> StreamAccessLogsMessage {
    let record = json!({
        "decisionId": "d", "tenantId": "alpha", "actor": null, "purpose": null,
        "authority": null, "operation": null, "document": null, "outcome": "allow",
        "code": null, "rule": "made-up", "mode": "enforce", "region": null, "revision": null,
    });
    let record = BytesValue {
        value: record.to_string().into_bytes(),
    };
    let state = Any {
        type_url: "type.googleapis.com/google.protobuf.BytesValue".into(),
        value: record.encode_to_vec(),
    };
    let entry = HttpAccessLogEntry {
        common_properties: Some(AccessLogCommon {
            filter_state_objects: [("wasm.ig.decision".to_owned(), state)].into(),
            ..AccessLogCommon::default()
        }),
        ..HttpAccessLogEntry::default()
    };
    StreamAccessLogsMessage {
        identifier: Some(Identifier {
            node: None,
            log_name: name.into(),
        }),
        log_entries: Some(LogEntries::HttpLogs(HttpAccessLogEntries {
            log_entry: vec![entry],
        })),
    }
}

/// Whoever may not have a graph's snapshots says nothing about it, however the
/// log's name is spelt.
#[tokio::test(flavor = "multi_thread")]
async fn decisions_come_from_a_graphs_own_proxies() {
    let bench = Bench::start();
    let control = &bench.control;
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    let (_, mut graph) = control.call("GET", "/graphs/demo", "");
    graph["proxies"] = json!(["spiffe://mesh/own"]);
    assert_eq!(
        control.call("PUT", "/graphs/demo", graph.to_string()).0,
        204
    );
    assert_eq!(control.call("POST", "/snapshots/demo", "").0, 200);
    let send = async |identity: &str, name: &str| {
        let pair = bench.authority.proxy(identity).unwrap();
        let channel = bench.channel(&bench.authority, Some(&pair)).await.unwrap();
        let messages = tokio_stream::iter([log(name)]);
        let answer = AccessLogServiceClient::new(channel)
            .stream_access_logs(messages)
            .await;
        answer.map(drop).map_err(|status| status.code())
    };
    for name in ["ig.guard.demo", "demo"] {
        let refused = send("spiffe://mesh/other", name).await;
        assert_eq!(refused, Err(tonic::Code::PermissionDenied), "{name}");
    }
    assert_eq!(send("spiffe://mesh/own", "ig.guard.demo").await, Ok(()));
    let started = Instant::now();
    let count = || {
        control.call("GET", "/decisions", "").1["items"]
            .as_array()
            .unwrap()
            .len()
    };
    while count() == 0 {
        assert!(started.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(count(), 1);
}
