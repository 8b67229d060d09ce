//! Modules and snapshots of different releases. The module of the release
//! before is a build that reads what that release read.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ig_contract::Snapshot;
use ig_contract::snapshot::Formats;
use ig_e2e::{ControlPlane, Envoy, Fixture, demo, module};
use ig_envoy::{Address, ControlPlane as Fed, Endpoints, Guard};
use serde_json::{Value, json};

use crate::control_plane::{by_id, publish, start, until, until_status};
use crate::gateway::{ALLOWED, Gateway, denied, filters};
use crate::identity::eventually;
use crate::skip;

fn ready() -> bool {
    skip::ready() && skip::require(module("ig_guard_previous").map(drop))
}

/// A proxy as `ig envoy render` configures it, with what `edit` changes.
async fn proxy(module: &Path, grpc: u16, edit: impl Fn(&mut Value)) -> Gateway {
    let fixture: Fixture = demo().await.unwrap();
    let envoy = Envoy::start(1, |listen, admin| {
        let mut options = fixture.options(listen, admin)?;
        options.guards = vec![Guard::of_graph(module, "demo")];
        options.control_plane = Some(Fed {
            endpoints: Endpoints::plain([Address::new("127.0.0.1", grpc)]),
            node: "edge-1".into(),
        });
        let mut bootstrap = ig_envoy::render(&options);
        edit(&mut bootstrap);
        Ok(bootstrap)
    });
    Gateway {
        envoy: envoy.await.unwrap(),
        fixture,
    }
}

fn guard(bootstrap: &mut Value) -> &mut Value {
    let mut all = filters(bootstrap).iter_mut();
    all.find(|one| one["name"] == "ig.guard.demo").unwrap()
}

/// What a control plane would send, in a file that Envoy watches: whatever is in
/// it, without a control plane that would know better.
struct File {
    folder: tempfile::TempDir,
    module: PathBuf,
}

impl File {
    fn path(&self) -> PathBuf {
        self.folder.path().join("ecds.json")
    }

    fn publish(&self, snapshot: &[u8]) {
        let response = json!({
            "version_info": ig_contract::TextHash::of(snapshot).to_string(),
            "resources": [{
                "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
                "name": "ig.guard.demo",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
                    "config": {
                        "name": "ig.guard.demo",
                        "failure_policy": "FAIL_RELOAD",
                        "allow_on_headers_stop_iteration": true,
                        "vm_config": {
                            "vm_id": "ig.guard",
                            "runtime": "envoy.wasm.runtime.v8",
                            "code": {"local": {"filename": self.module}},
                        },
                        "configuration": {
                            "@type": "type.googleapis.com/google.protobuf.BytesValue",
                            "value": STANDARD.encode(snapshot),
                        },
                    },
                },
            }],
        });
        let new = self.folder.path().join("new.json");
        std::fs::write(&new, response.to_string()).unwrap();
        std::fs::rename(new, self.path()).unwrap();
    }

    async fn proxy(&self) -> Gateway {
        let edit = |bootstrap: &mut Value| {
            let source = json!({"path_config_source": {"path": self.path()}});
            guard(bootstrap)["config_discovery"]["config_source"] = source;
        };
        proxy(&self.module, 1, edit).await
    }
}

/// A snapshot of a format; of one that does not exist yet, by its number only.
fn in_format(fixture: &Fixture, format: u16) -> Vec<u8> {
    let mut bytes = fixture.snapshot().unwrap();
    let own = Snapshot::decode(bytes.clone()).unwrap();
    match own.for_formats(Formats::only(format)).unwrap() {
        Some(bytes) => bytes,
        None => {
            bytes[6..8].copy_from_slice(&format.to_le_bytes());
            bytes
        }
    }
}

/// (module, what it reads, the formats that it reads of 1, 2 and 3)
const MODULES: [(&str, &str, [bool; 3]); 2] = [
    ("ig_guard", "1-2", [true, true, false]),
    ("ig_guard_previous", "1-1", [true, false, false]),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_a_module_does_not_read_changes_nothing() {
    if !ready() {
        return;
    }
    let mut fixture = demo().await.unwrap();
    let mut less = fixture.clone();
    less.retire("Cases");
    fixture.head.rate_limit = None;
    for (name, reads, formats) in MODULES {
        for (format, is_read) in (1..).zip(formats) {
            let what = format!("{name}, format {format}");
            let file = File {
                folder: tempfile::tempdir().unwrap(),
                module: module(name).unwrap(),
            };
            let refusal = format!("format version {format}, but this build reads {reads}");

            // From the start.
            file.publish(&in_format(&fixture, format));
            let gateway = file.proxy().await;
            if is_read {
                eventually(async || gateway.send_id("Cases").await.verdict() == ALLOWED).await;
                assert!(!gateway.envoy.log().contains("format version"), "{what}");
                continue;
            }
            eventually(async || gateway.envoy.log().contains(&refusal)).await;
            let outcome = gateway.send_id("Cases").await;
            assert_eq!(
                outcome.verdict(),
                denied(503, "GUARD_UNAVAILABLE"),
                "{what}"
            );
            assert_eq!(outcome.rule().as_deref(), Some("no-snapshot"), "{what}");
            let body = String::from_utf8_lossy(&outcome.response.body).into_owned();
            assert!(
                body.contains("none in a format that it reads"),
                "{what}: {body}"
            );
            assert!(outcome.seen.is_empty(), "{what}");

            // After one that it reads: that goes on.
            file.publish(&in_format(&fixture, 1));
            eventually(async || gateway.send_id("Cases").await.verdict() == ALLOWED).await;
            file.publish(&in_format(&less, format));
            eventually(async || gateway.envoy.log().matches(&refusal).count() > 1).await;
            let outcome = gateway.send_id("Cases").await;
            assert_eq!(outcome.verdict(), ALLOWED, "{what}");
        }
    }
}

/// A proxy of the control plane whose configuration says what its module reads.
async fn fed(control: &ControlPlane, module: &Path, formats: Option<&str>) -> Gateway {
    proxy(module, control.grpc.port(), |bootstrap| {
        let discovery = &mut guard(bootstrap)["config_discovery"];
        let services = "/config_source/api_config_source/grpc_services/0/initial_metadata";
        let said = discovery.pointer_mut(services).unwrap();
        assert_eq!(said[0]["value"], Formats::READABLE.to_string());
        *said = match formats {
            Some(formats) => json!([{"key": "x-ig-snapshot-formats", "value": formats}]),
            None => json!([]),
        };
    })
    .await
}

fn change(control: &ControlPlane, settings: &str) -> Value {
    let (_, mut graph) = control.call("GET", "/graphs/demo", "");
    graph["settings"] = json!(settings);
    assert_eq!(
        control.call("PUT", "/graphs/demo", graph.to_string()).0,
        204
    );
    publish(control)
}

fn proxies(control: &ControlPlane) -> Vec<Value> {
    let (_, proxies) = control.call("GET", "/proxies", "");
    proxies.as_array().unwrap().clone()
}

fn skewed(control: &ControlPlane) -> String {
    let (_, metrics) = control.call("GET", "/metrics", "");
    let metrics = metrics.as_str().unwrap();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("ig_xds_skew "));
    line.unwrap().to_owned()
}

const PLAIN: &str = "endpoint = \"/graphql\"\n";
/// Costs grow with variables, which format 1 cannot say.
const LIMITED: &str = "endpoint = \"/graphql\"\n[rate-limit.classes.query]\n\
     tenant = [{ cost = 100000 }]\n";

/// The upgrade in the order of docs/upgrading.md, with the module's file replaced
/// in its place, and back.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_is_sent_the_newest_format_it_reads() {
    if !ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let guard = folder.path().join("ig_guard.wasm");
    std::fs::copy(module("ig_guard_previous").unwrap(), &guard).unwrap();
    let control = start(&folder, guard.clone());
    let first = publish(&control);
    let (cases, _) = by_id("Cases");

    // The control plane is upgraded first: proxies go on, in their format.
    let before = fed(&control, &guard, Some("1-1")).await;
    until_status(&before, &cases, 200).await;
    let proxy = until("accepted", || {
        let proxy = proxies(&control).first().cloned()?;
        (proxy["accepted"] == first["revision"]).then_some(proxy)
    })
    .await;
    assert_eq!(
        (&proxy["formats"], &proxy["held"]),
        (&json!("1-1"), &json!(false))
    );
    assert_eq!(proxy["older"]["format"], 1);
    // Decisions bear the revision of what the proxy has.
    let outcome = before.send(before.request(&cases)).await;
    let id = outcome.response.header("x-ig-decision-id").unwrap();
    let decision = until("the decision", || {
        let (_, page) = control.call("GET", &format!("/decisions?decisionId={id}"), "");
        page["items"].as_array()?.first().cloned()
    })
    .await;
    assert_eq!(decision["record"]["revision"], proxy["older"]["revision"]);
    assert_eq!(skewed(&control), "ig_xds_skew 0");

    // What has no older form is held back, and said.
    let second = change(&control, LIMITED);
    let proxy = until("held", || {
        let proxy = proxies(&control).first().cloned()?;
        (proxy["held"] == true).then_some(proxy)
    })
    .await;
    assert_eq!(proxy["wanted"], second["revision"]);
    assert_eq!(proxy["accepted"], first["revision"]);
    let reason = proxy["lastRefusal"]["reason"].as_str().unwrap();
    for part in ["format 2", "reads 1-1", "upgrade the module"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(skewed(&control), "ig_xds_skew 1");
    until_status(&before, &cases, 200).await;
    let text = before.send_text("{ secret }").await;
    assert_eq!(text.response.status, 400, "the last one goes on");

    // Nor is anything sent to a new one, which denies everything.
    let late = fed(&control, &guard, Some("1-1")).await;
    until("held", || {
        (proxies(&control).len() == 2 && skewed(&control) == "ig_xds_skew 2").then_some(())
    })
    .await;
    until_status(&late, &cases, 503).await;
    drop(late);

    // Back to what has an older form: nothing is held any more.
    assert_eq!(change(&control, PLAIN)["revision"], first["revision"]);
    until("sent again", || {
        (skewed(&control) == "ig_xds_skew 0").then_some(())
    })
    .await;
    change(&control, LIMITED);
    until("held again", || {
        (skewed(&control) == "ig_xds_skew 1").then_some(())
    })
    .await;

    // Then the module, with its configuration.
    drop(before);
    std::fs::remove_file(&guard).unwrap();
    std::fs::copy(module("ig_guard").unwrap(), &guard).unwrap();
    let after = fed(&control, &guard, Some("1-2")).await;
    until_status(&after, &cases, 200).await;
    until("the newest", || {
        let all = proxies(&control);
        let [proxy] = &all[..] else { return None };
        (proxy["accepted"] == second["revision"] && proxy["older"].is_null()).then_some(())
    })
    .await;
    assert_eq!(skewed(&control), "ig_xds_skew 0");
    control.stop().unwrap();
}

/// Who does not say what it reads is sent what is published, and says itself
/// that it cannot read it.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_says_nothing_refuses_for_itself() {
    if !ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let previous = module("ig_guard_previous").unwrap();
    let control = start(&folder, previous.clone());
    publish(&control);
    for formats in [None, Some("nonsense")] {
        let gateway = fed(&control, &previous, formats).await;
        let proxy = until("a refusal", || {
            let all = proxies(&control);
            let [proxy] = &all[..] else { return None };
            proxy["lastRefusal"].is_object().then(|| proxy.clone())
        })
        .await;
        assert_eq!(
            (&proxy["formats"], &proxy["held"]),
            (&Value::Null, &json!(false))
        );
        until_status(&gateway, &by_id("Cases").0, 503).await;
        let refusal = "format version 2, but this build reads 1-1; upgrade the module";
        assert!(
            gateway.envoy.log().contains(refusal),
            "{}",
            gateway.envoy.log()
        );
        drop(gateway);
        until("gone", || proxies(&control).is_empty().then_some(())).await;
    }
    control.stop().unwrap();
}
