//! A snapshot that changes under load, by Envoy's extension discovery.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use ig_contract::TextHash;
use ig_e2e::{Fixture, demo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gateway::{ALLOWED, Gateway, denied, filters};
use crate::identity::eventually;
use crate::skip;

/// A file that Envoy watches.
pub(crate) struct Discovery {
    folder: tempfile::TempDir,
    filter: Value,
}

impl Discovery {
    const WASM: &str = "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm";

    pub(crate) fn new(fixture: &Fixture) -> Self {
        let address = "127.0.0.1:1".parse().unwrap();
        let mut bootstrap = ig_envoy::render(&fixture.options(address, address).unwrap());
        let filter = filters(&mut bootstrap)
            .iter()
            .find(|one| one["name"] == "ig.guard")
            .cloned();
        Self {
            folder: tempfile::tempdir().unwrap(),
            filter: filter.unwrap(),
        }
    }

    /// Writes a configuration as Envoy wants it: moved into place.
    pub(crate) fn publish(&self, snapshot: &[u8]) {
        use base64::Engine as _;
        let mut config = self.filter["typed_config"].clone();
        config["config"]["configuration"]["value"] =
            json!(base64::engine::general_purpose::STANDARD.encode(snapshot));
        let response = json!({
            "version_info": TextHash::of(snapshot).to_string(),
            "resources": [{
                "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                "name": "ig.guard",
                "typed_config": config,
            }],
        });
        let new = self.folder.path().join("new.json");
        std::fs::write(&new, response.to_string()).unwrap();
        std::fs::rename(new, self.folder.path().join("ecds.json")).unwrap();
    }

    pub(crate) fn edit(&self, bootstrap: &mut Value) {
        let path = self.folder.path().join("ecds.json");
        bootstrap["node"] = json!({"id": "test", "cluster": "test"});
        let filters = filters(bootstrap);
        let filter = filters
            .iter_mut()
            .find(|one| one["name"] == "ig.guard")
            .unwrap();
        *filter = json!({
            "name": "ig.guard",
            "config_discovery": {
                "config_source": {"path_config_source": {"path": path}},
                "type_urls": [Self::WASM],
            },
        });
    }
}

/// A fixture without an operation.
fn without(fixture: &Fixture, name: &str) -> Vec<u8> {
    let mut fixture = fixture.clone();
    fixture.retire(name);
    fixture.snapshot().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_loses_no_request_and_a_bad_one_changes_nothing() {
    if !skip::ready() {
        return;
    }
    let fixture = demo().await.unwrap();
    let discovery = Discovery::new(&fixture);
    let (full, less) = (fixture.snapshot().unwrap(), without(&fixture, "Anonymous"));
    discovery.publish(&full);
    let gateway = Gateway::with_workers(2, fixture, |bootstrap| discovery.edit(bootstrap)).await;
    let (stop, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let client = async || {
        while !stop.load(Ordering::Relaxed) {
            assert_eq!(gateway.send_id("Cases").await.verdict(), ALLOWED);
            let other = gateway.send_id("Anonymous").await.verdict();
            assert!(
                other == ALLOWED || other == denied(404, "PERSISTED_QUERY_NOT_IN_LIST"),
                "{other:?}"
            );
            sent.fetch_add(2, Ordering::Relaxed);
        }
    };
    let publisher = async {
        for turn in 0..20 {
            discovery.publish(if turn % 2 == 0 { &less } else { &full });
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        stop.store(true, Ordering::Relaxed);
    };
    tokio::join!(publisher, client(), client(), client(), client());
    assert!(
        sent.load(Ordering::Relaxed) > 100,
        "too little load to mean anything"
    );
    // A truncated snapshot is refused; the last good one goes on.
    discovery.publish(&less[..less.len() - 1]);
    eventually(async || gateway.envoy.log().contains("configuration refused")).await;
    assert_eq!(gateway.send_id("Cases").await.verdict(), ALLOWED);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_in_flight_is_decided_by_the_revision_it_met() {
    if !skip::ready() {
        return;
    }
    let fixture = demo().await.unwrap();
    let discovery = Discovery::new(&fixture);
    let less = without(&fixture, "Cases");
    discovery.publish(&fixture.snapshot().unwrap());
    let gateway = Gateway::start(fixture, |bootstrap| discovery.edit(bootstrap)).await;
    let request = gateway.request(&gateway.id("Cases"));
    let body = request.chunks.concat();
    let (first, second) = body.split_at(20);
    let mut stream = TcpStream::connect(gateway.envoy.gateway).await.unwrap();
    let mut head = b"POST /graphql HTTP/1.1\r\nhost: x\r\nx-case: in-flight\r\n".to_vec();
    for (name, value) in &request.headers {
        head.extend([name.as_bytes(), b": ", value, b"\r\n"].concat());
    }
    head.extend(format!("content-length: {}\r\n\r\n", body.len()).bytes());
    stream.write_all(&[&head, first].concat()).await.unwrap();
    // Once the head has certainly met the old revision, it is replaced.
    eventually(async || gateway.send_id("Cases").await.verdict() == ALLOWED).await;
    discovery.publish(&less);
    let gone = denied(404, "PERSISTED_QUERY_NOT_IN_LIST");
    eventually(async || gateway.send_id("Cases").await.verdict() == gone).await;
    stream.write_all(second).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200");
    assert_eq!(gateway.fixture.recorder.take("in-flight").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_snapshot_everything_is_denied() {
    if !skip::ready() {
        return;
    }
    let gateway = Gateway::start(demo().await.unwrap(), |bootstrap| {
        for filter in filters(bootstrap) {
            if filter["name"] == "ig.guard" {
                filter["typed_config"]["config"]["configuration"]["value"] = json!("");
            }
        }
    })
    .await;
    let outcome = gateway.send_id("Cases").await;
    assert_eq!(outcome.verdict(), denied(503, "GUARD_UNAVAILABLE"));
    assert_eq!(outcome.rule().as_deref(), Some("no-snapshot"));
    assert!(outcome.seen.is_empty());
    assert_eq!(gateway.decisions(1).await[0][0]["revision"], Value::Null);
}
