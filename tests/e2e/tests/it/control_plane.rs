//! From the API to the edge: what is published over ECDS is enforced.

use std::path::Path;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use ig_control_plane::{Config, Server};
use ig_e2e::{Fixture, RawRequest, demo, http1, module, workspace};
use serde_json::{Value, json};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::gateway::{Gateway, filters};
use crate::skip;

/// A control plane on free ports, and its first token.
struct ControlPlane {
    http: std::net::SocketAddr,
    grpc: std::net::SocketAddr,
    token: String,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl ControlPlane {
    async fn start(folder: &Path) -> Self {
        let local = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let config = Config {
            listen: local,
            grpc_listen: local,
            database: format!("sqlite:{}", folder.join("test.db").display()),
            module: module("ig_guard").unwrap(),
        };
        let mut server = Server::bind(&config).await.unwrap();
        let token = server.bootstrap_token.take().unwrap();
        let (http, grpc) = server.addresses().unwrap();
        let (stop, stopped) = oneshot::channel();
        let serving =
            tokio::spawn(async { server.serve(async { drop(stopped.await) }).await.unwrap() });
        Self {
            http,
            grpc,
            token,
            stop,
            serving,
        }
    }

    /// Ends as on SIGTERM, also while proxies hold streams.
    async fn stop(self) {
        self.stop.send(()).unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(10), self.serving).await;
        ended.expect("streams are ended").unwrap();
    }

    /// Status and body of a call.
    async fn call(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> (u16, Value) {
        let request = RawRequest {
            method: method.into(),
            target: path.into(),
            headers: vec![
                (
                    "authorization".into(),
                    format!("Bearer {}", self.token).into(),
                ),
                ("content-type".into(), kind.into()),
            ],
            chunks: vec![body.to_vec()],
            ..RawRequest::default()
        };
        let response = http1(self.http, &request).await.unwrap();
        let body = serde_json::from_slice(&response.body).unwrap_or_default();
        (response.status, body)
    }

    async fn json(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = body.to_string();
        self.call(method, path, "application/json", body.as_bytes())
            .await
    }

    async fn publish(&self) -> Value {
        let (status, answer) = self.json("POST", "/snapshots/demo", &json!({})).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }
}

/// The repository's own policies, packed as `opa build` does.
fn bundle() -> Vec<u8> {
    let gzip = GzEncoder::new(Vec::new(), Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    tar.append_dir_all(".", workspace().join("policies"))
        .unwrap();
    tar.into_inner().unwrap().finish().unwrap()
}

async fn fill(control: &ControlPlane) {
    let read = |path: &str| std::fs::read(workspace().join(path)).unwrap();
    let sdl = read("persisted-queries/schema.graphql");
    let (status, answer) = control
        .call("PUT", "/schemas/demo/dev", "text/plain", &sdl)
        .await;
    assert_eq!(status, 201, "{answer}");
    let manifest = read("persisted-queries/manifest.json");
    let (status, answer) = control
        .call("POST", "/catalogue/demo?tag=dev", "text/plain", &manifest)
        .await;
    assert_eq!(status, 200, "{answer}");
    let (status, answer) = control
        .call("POST", "/policies/bundles", "application/gzip", &bundle())
        .await;
    assert_eq!(status, 201, "{answer}");
    let revision = answer["revision"].clone();
    let tenant = json!({"region": "eu-west-1", "purposes": ["investigation"]});
    let (status, answer) = control.json("PUT", "/tenants/alpha", &tenant).await;
    assert_eq!(status, 204, "{answer}");
    let graph = json!({
        "settings": "endpoint = \"/graphql\"\n", "schemaTag": "dev", "bundle": revision,
    });
    let (status, answer) = control.json("PUT", "/graphs/demo", &graph).await;
    assert_eq!(status, 204, "{answer}");
}

/// Takes the guard of the bootstrap from the control plane.
fn discover(bootstrap: &mut Value, grpc: std::net::SocketAddr) {
    for filter in filters(bootstrap) {
        if filter["name"] == "ig.guard" {
            let mut default = filter["typed_config"].take();
            default["config"]
                .as_object_mut()
                .unwrap()
                .remove("configuration");
            *filter = json!({
                "name": "ig.guard.demo",
                "config_discovery": {
                    "config_source": {
                        "resource_api_version": "V3",
                        "api_config_source": {
                            "api_type": "DELTA_GRPC",
                            "transport_api_version": "V3",
                            "grpc_services": [{"envoy_grpc": {"cluster_name": "control-plane"}}],
                        },
                    },
                    // Denies everything, until there is a snapshot.
                    "default_config": default,
                    "apply_default_config_without_warming": true,
                    "type_urls": ["type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm"],
                },
            });
        }
    }
    bootstrap["node"] = json!({"id": "edge-1", "cluster": "edge"});
    let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
    clusters.unwrap().push(json!({
        "name": "control-plane",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            },
        },
        "load_assignment": {
            "cluster_name": "control-plane",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"socket_address": {
                "address": "127.0.0.1", "port_value": grpc.port(),
            }}}}]}],
        },
    }));
}

async fn until_status(gateway: &Gateway, body: &str, status: u16) {
    let mut last = 0;
    for _ in 0..200 {
        last = gateway.send(gateway.request(body)).await.response.status;
        if last == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{last} and never {status}: {}", gateway.envoy.log());
}

async fn start() -> (ControlPlane, Gateway, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let control = ControlPlane::start(folder.path()).await;
    fill(&control).await;
    let fixture: Fixture = demo().await.unwrap();
    let grpc = control.grpc;
    let gateway = Gateway::start(fixture, move |bootstrap| discover(bootstrap, grpc)).await;
    (control, gateway, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_enforced() {
    if !skip::ready() {
        return;
    }
    let (control, gateway, _folder) = start().await;
    let manifest = std::fs::read(workspace().join("persisted-queries/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let operations = manifest["operations"].as_array().unwrap();
    let cases = operations
        .iter()
        .find(|one| one["name"] == "Cases")
        .unwrap();
    let by_id = json!({"documentId": cases["id"]}).to_string();

    until_status(&gateway, &by_id, 503).await;
    let first = control.publish().await;
    until_status(&gateway, &by_id, 200).await;
    let text = gateway.send_text("{ secret }").await;
    assert_eq!(text.response.status, 400);

    // The same again is no change.
    assert_eq!(control.publish().await["changed"], false);
    let retire = format!("/catalogue/demo/{}", cases["id"].as_str().unwrap());
    assert_eq!(control.json("DELETE", &retire, &json!({})).await.0, 204);
    let second = control.publish().await;
    assert_ne!(second["revision"], first["revision"]);
    until_status(&gateway, &by_id, 404).await;

    let (_, proxies) = control.json("GET", "/proxies", &json!({})).await;
    assert_eq!(proxies[0]["node"], "edge-1");
    assert_eq!(proxies[0]["resource"], "ig.guard.demo");
    assert_eq!(proxies[0]["wanted"], second["revision"]);
    assert_eq!(proxies[0]["accepted"], second["revision"]);
    let (_, audit) = control.json("GET", "/audit", &json!({})).await;
    assert_eq!(audit[0]["action"], "snapshot.publish");
    assert_eq!(audit[0]["actor"], "bootstrap");

    control.stop().await;
    let text = gateway.send_text("{ secret }").await;
    assert_eq!(text.response.status, 400, "the last snapshot goes on");
    until_status(&gateway, &by_id, 404).await;
}
