//! The guard in proxies that a mesh configures: what is rendered for Istio and
//! Envoy Gateway, applied as they apply it, to listeners as they write them, in
//! the real Envoy with the real control plane.

mod chart;
mod envoy_gateway;
mod istiod;
mod unloaded;

use std::net::SocketAddr;

use ig_e2e::{ControlPlane, Envoy, Fixture, demo, http2, module};
use ig_envoy::{
    Backend, Chosen, ControlPlane as Fed, Endpoints, EnvoyGateway, GlobalLimits, Guard, Istio,
    Naming, StaticOptions, Workload,
};
use serde_json::{Value, json};

use crate::control_plane::{by_id, publish, start, until, until_status};
use crate::gateway::{ALLOWED, Gateway, denied};
use crate::skip;

/// What a control plane of Envoys serves: listeners and clusters by discovery.
pub(crate) struct Served {
    pub(crate) listeners: Vec<Value>,
    pub(crate) clusters: Vec<Value>,
}

/// A mesh whose proxies listen at an address, in front of an upstream.
type Mesh = fn(&StaticOptions, listen: SocketAddr, upstream: SocketAddr) -> Served;

const MESHES: [(&str, Mesh); 5] = [
    ("a gateway of Istio", istio_gateway),
    ("a sidecar of Istio", istio_sidecar),
    ("a waypoint of Istio", istio_waypoint),
    ("Envoy Gateway", gateway_of_envoy),
    ("Envoy Gateway 1.10", gateway_of_envoy_by_port),
];

fn object(workload: Workload, port: Option<u16>) -> Istio {
    Istio {
        name: "ig-guard-demo".into(),
        namespace: Some("edge".into()),
        workload,
        port,
    }
}

fn labels() -> std::collections::BTreeMap<String, String> {
    [("app".to_owned(), "graph".to_owned())].into()
}

fn istio_gateway(options: &StaticOptions, listen: SocketAddr, upstream: SocketAddr) -> Served {
    let object = object(Workload::Gateway(Chosen::Labels(labels())), None);
    let rendered = ig_envoy::istio(options, &object).unwrap();
    istiod::apply(&rendered, "GATEWAY", istiod::gateway(listen, upstream))
}

fn istio_sidecar(options: &StaticOptions, listen: SocketAddr, upstream: SocketAddr) -> Served {
    let object = object(Workload::Sidecar(labels()), Some(listen.port()));
    let rendered = ig_envoy::istio(options, &object).unwrap();
    let served = istiod::sidecar(listen, upstream);
    istiod::apply(&rendered, "SIDECAR_INBOUND", served)
}

fn istio_waypoint(options: &StaticOptions, listen: SocketAddr, upstream: SocketAddr) -> Served {
    let object = object(Workload::Waypoint(Chosen::Service("graph".into())), None);
    let rendered = ig_envoy::istio(options, &object).unwrap();
    istiod::apply(&rendered, "WAYPOINT", istiod::gateway(listen, upstream))
}

fn gateway_of_envoy(options: &StaticOptions, listen: SocketAddr, upstream: SocketAddr) -> Served {
    let served = envoy_gateway::served("edge/graph/http", listen, upstream);
    patched(options, Naming::ByName, served)
}

fn gateway_of_envoy_by_port(
    options: &StaticOptions,
    listen: SocketAddr,
    upstream: SocketAddr,
) -> Served {
    let served = envoy_gateway::served("tcp-80", listen, upstream);
    patched(options, Naming::ByPort(vec![80]), served)
}

fn patched(options: &StaticOptions, naming: Naming, served: Served) -> Served {
    let object = EnvoyGateway {
        name: "ig-guard-demo".into(),
        namespace: "edge".into(),
        gateway: "graph".into(),
        listeners: vec!["http".into()],
        naming,
        backend: Some(Backend {
            class: "eg".into(),
            port: 80,
            service: "graph".into(),
            service_port: 4000,
        }),
    };
    let rendered = ig_envoy::envoy_gateway(options, &object).unwrap();
    envoy_gateway::apply(&rendered, served)
}

/// What a file says that Envoy watches.
fn discovery(folder: &tempfile::TempDir, name: &str, kind: &str, resources: &[Value]) -> Value {
    let typed = |resource: &Value| {
        let mut resource = resource.clone();
        resource["@type"] = json!(format!("type.googleapis.com/envoy.config.{kind}"));
        resource
    };
    let resources: Vec<_> = resources.iter().map(typed).collect();
    let path = folder.path().join(name);
    // Envoy sees what is moved into place.
    let new = folder.path().join("new.json");
    std::fs::write(&new, json!({"resources": resources}).to_string()).unwrap();
    std::fs::rename(new, &path).unwrap();
    json!({"resource_api_version": "V3", "path_config_source": {"path": path}})
}

/// A proxy with its node, which takes listeners and clusters by discovery, from files.
fn bootstrap(admin: SocketAddr, served: &Served, folder: &tempfile::TempDir) -> Value {
    let clusters = discovery(folder, "cds.json", "cluster.v3.Cluster", &served.clusters);
    let listeners = discovery(
        folder,
        "lds.json",
        "listener.v3.Listener",
        &served.listeners,
    );
    json!({
        "node": {"id": "sidecar~10.0.0.1~graph-0.edge~edge.svc", "cluster": "graph.edge"},
        "admin": {"address": {"socket_address": {
            "address": admin.ip().to_string(), "port_value": admin.port(),
        }}},
        "dynamic_resources": {"lds_config": listeners, "cds_config": clusters},
    })
}

/// A proxy of a mesh that takes its snapshot from the control plane.
async fn proxy(control: &ControlPlane, mesh: Mesh, folder: &tempfile::TempDir) -> Gateway {
    let fixture: Fixture = demo().await.unwrap();
    let upstream = fixture.recorder.address;
    let grpc = control.grpc;
    let envoy = Envoy::start(1, |listen, admin| {
        let mut options = fixture.options(listen, admin)?;
        let module = options.guards[0].module.clone();
        options.guards = vec![Guard::of_graph(module, "demo")];
        options.global_limits = Some(GlobalLimits::default());
        options.control_plane = Some(Fed {
            endpoints: Endpoints::plain([ig_envoy::Address::new("127.0.0.1", grpc.port())]),
            node: "unused".into(),
        });
        let served = mesh(&options, listen, upstream);
        Ok(bootstrap(admin, &served, folder))
    });
    Gateway {
        envoy: envoy.await.unwrap(),
        fixture,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_mesh_is_given_is_enforced() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder, module("ig_guard").unwrap());
    publish(&control);
    let (cases, _) = by_id("Cases");
    for (name, mesh) in MESHES {
        eprintln!("{name}");
        let files = tempfile::tempdir().unwrap();
        let gateway = proxy(&control, mesh, &files).await;
        until_status(&gateway, &cases, 200).await;

        // What a client says in the guard's place is gone, and so is what no
        // upstream may see.
        let mut request = gateway.request(&cases);
        for header in [
            "x-ig-actor",
            "x-ig-tenant",
            "x-ig-jwt-payload",
            "x-ig-step-up",
        ] {
            request.headers.push((header.into(), b"forged".into()));
        }
        let outcome = gateway.send(request).await;
        assert_eq!(outcome.verdict(), ALLOWED, "{name}");
        let [seen] = &outcome.seen[..] else {
            panic!("{name}: {:?}", outcome.seen)
        };
        let header = |name: &str| seen.headers.iter().find(|(other, _)| other == name);
        assert_eq!(header("x-ig-actor").unwrap().1, b"a@alpha.io", "{name}");
        assert_eq!(header("x-ig-tenant").unwrap().1, b"alpha", "{name}");
        assert_eq!(header("x-ig-jwt-payload"), None, "{name}");
        assert_eq!(header("x-ig-step-up"), None, "{name}");
        let body = String::from_utf8_lossy(&seen.body);
        assert!(body.contains("query Cases"), "{name}: {body}");

        // A text is denied, whole and in pieces: the guard reads bodies.
        let text = json!({"query": "{ secret }"}).to_string();
        let mut pieces = gateway.request(&text);
        pieces.chunks = text.bytes().map(|byte| vec![byte]).collect();
        pieces.chunked = true;
        for request in [gateway.request(&text), pieces.clone()] {
            let outcome = gateway.send(request).await;
            let expected = denied(400, "PERSISTED_QUERY_ID_REQUIRED");
            assert_eq!(outcome.verdict(), expected, "{name}");
            assert!(outcome.seen.is_empty(), "{name}");
        }
        let response = http2(gateway.envoy.gateway, &pieces).await.unwrap();
        assert_eq!(response.status, 400, "{name}");

        // Names that servers take for others.
        let mut request = gateway.request(&cases);
        request
            .headers
            .push(("x_ig_actor".into(), b"forged".into()));
        assert_eq!(gateway.send(request).await.response.status, 400, "{name}");

        // The largest body that the guard takes is not too large for the proxy.
        let mut body: Value = serde_json::from_str(&cases).unwrap();
        body["extensions"] = json!({"padding": "x".repeat(60_000)});
        let outcome = gateway.send(gateway.request(&body.to_string())).await;
        assert_eq!(outcome.verdict(), ALLOWED, "{name}");

        // Decisions arrive, under the name that the mesh gives the proxy.
        let id = outcome.response.header("x-ig-decision-id").unwrap();
        let found = until("the decision", || {
            let (_, page) = control.call("GET", &format!("/decisions?decisionId={id}"), "");
            page["items"].as_array()?.first().cloned()
        })
        .await;
        assert_eq!(found["node"], "sidecar~10.0.0.1~graph-0.edge~edge.svc");
    }
    control.stop().unwrap();
}
