//! A proxy says that it is ready when its guard has a snapshot, and not before.

use ig_e2e::{RawRequest, demo, free_address, http1, module};
use ig_envoy::{Address, ControlPlane as Fed, Endpoints, Guard};

use crate::control_plane::{publish, start};
use crate::gateway::Gateway;
use crate::modes::SHADOW;
use crate::skip;

async fn status(address: std::net::SocketAddr, target: &str) -> u16 {
    let request = RawRequest {
        method: "GET".into(),
        target: target.into(),
        headers: Vec::new(),
        chunks: Vec::new(),
        chunked: false,
        trailers: Vec::new(),
    };
    http1(address, &request).await.unwrap().status
}

async fn until_ready(address: std::net::SocketAddr) {
    for _ in 0..400 {
        if status(address, "/graphql").await == 200 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("never ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_ready_with_its_snapshot() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder, module("ig_guard").unwrap());
    let ready = free_address().unwrap();
    let grpc = control.grpc;
    let gateway = Gateway::with_options(demo().await.unwrap(), |options| {
        let module = options.guards[0].module.clone();
        options.guards = vec![Guard::of_graph(module, "demo")];
        options.control_plane = Some(Fed {
            endpoints: Endpoints::plain([Address::new("127.0.0.1", grpc.port())]),
            node: "edge-1".into(),
        });
        options.readiness = Some(Address::new("127.0.0.1", ready.port()));
    })
    .await;
    // Envoy is ready by itself: it denies everybody.
    for target in ["/graphql", "/other"] {
        assert_eq!(status(ready, target).await, 503, "{target}");
    }
    publish(&control);
    until_ready(ready).await;
    // It keeps the snapshot, and so stays ready.
    control.stop().unwrap();
    assert_eq!(status(ready, "/graphql").await, 200);
    assert_eq!(
        gateway.fixture.recorder.total(),
        0,
        "nothing is at the service"
    );
}

/// What lets everybody past has a snapshot too, and leads nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn readiness_is_no_way_to_the_service() {
    if !skip::ready() {
        return;
    }
    let mut fixture = demo().await.unwrap();
    fixture.head.modes = SHADOW;
    let ready = free_address().unwrap();
    let gateway = Gateway::with_options(fixture, |options| {
        options.readiness = Some(Address::new("127.0.0.1", ready.port()));
    })
    .await;
    until_ready(ready).await;
    assert_eq!(gateway.fixture.recorder.total(), 0);
}
