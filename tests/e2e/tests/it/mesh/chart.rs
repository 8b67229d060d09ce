//! The chart's manifests, as recorded: their patches in the real Envoy, with TLS to the real
//! control plane, by certificates where the manifest looks for them. What stands in the
//! manifests for places of a cluster (addresses, folders, an issuer) stands for this test's.

use std::net::SocketAddr;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ig_control_plane::{Config, TlsFiles};
use ig_e2e::{Authority, ControlPlane, Envoy, Fixture, demo, envoy_binary, fill, free_address};
use ig_e2e::{module, workspace};
use ig_envoy::Jwks;
use serde_json::{Value, json};

use super::{Served, bootstrap, envoy_gateway, istiod};
use crate::control_plane::{by_id, publish, until_status};
use crate::gateway::{ALLOWED, Gateway};
use crate::{probe, skip};

/// A manifest, how its mesh applies it, and what its values say of the graph.
struct Case {
    golden: &'static str,
    /// Folder of certificates, `mesh.certificates`.
    certificates: &'static str,
    control_plane: &'static str,
    /// The graph's settings, `guard.settings`.
    settings: &'static str,
    /// Bytes of a body that the proxy has to hold.
    body: usize,
    apply: fn(&[Value], SocketAddr, SocketAddr) -> Served,
}

const OF_THE_RELEASE: &str = "guard-ig-guard-control-plane.ig.svc.cluster.local";
const SETTINGS: &str = "endpoint = \"/graphql\"\n";

const CASES: [Case; 4] = [
    Case {
        golden: "istio",
        certificates: "/etc/ig/proxy",
        control_plane: OF_THE_RELEASE,
        settings: SETTINGS,
        body: 60_000,
        apply: |objects, listen, upstream| {
            istiod::apply(objects, "GATEWAY", istiod::gateway(listen, upstream))
        },
    },
    Case {
        golden: "istio-sidecar",
        certificates: "/etc/ig/proxy",
        control_plane: "ig.platform.example",
        settings: "endpoint = \"/graphql\"\n[limits]\nmax-body-bytes = 4_194_304\n[identity]\nmetadata-key = \"verified\"\n",
        body: 2_000_000,
        apply: |objects, listen, upstream| {
            istiod::apply(
                objects,
                "SIDECAR_INBOUND",
                istiod::sidecar(listen, upstream),
            )
        },
    },
    Case {
        golden: "istio-waypoint",
        certificates: "/etc/waypoint",
        control_plane: OF_THE_RELEASE,
        settings: SETTINGS,
        body: 60_000,
        apply: |objects, listen, upstream| {
            istiod::apply(objects, "WAYPOINT", istiod::gateway(listen, upstream))
        },
    },
    Case {
        golden: "envoy-gateway",
        certificates: "/etc/ig/proxy",
        control_plane: OF_THE_RELEASE,
        settings: SETTINGS,
        body: 60_000,
        apply: |objects, listen, upstream| {
            let mut served = envoy_gateway::served("ig/edge/http", listen, upstream);
            let other =
                envoy_gateway::served("ig/edge/internal", free_address().unwrap(), upstream);
            served.listeners.extend(other.listeners);
            envoy_gateway::apply(objects, served)
        },
    },
];

/// The object of a mesh in a manifest, and the files by which certificates are read again, which
/// are put where the proxy looks for them.
fn manifest(case: &Case, pod: &Path) -> Value {
    let path = format!("charts/ig-guard/testdata/golden/{}.yaml", case.golden);
    let text = std::fs::read_to_string(workspace().join(path)).unwrap();
    let guard = module("ig_guard").unwrap().canonicalize().unwrap();
    let here = pod.display().to_string();
    let text = text
        .replace(case.certificates, &here)
        .replace("/etc/envoy/ig_guard.wasm", &guard.display().to_string())
        .replace(
            "/etc/ssl/certs/ca-certificates.crt",
            &format!("{here}/ca.crt"),
        );
    let documents = text.split("\n---\n");
    let objects: Vec<Value> = documents
        .map(|document| yaml_serde::from_str(document).unwrap())
        .collect();
    let of = |kinds: &[&str], end: &str| {
        let is_it = |object: &&Value| {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            kinds.iter().any(|kind| object["kind"] == **kind) && name.ends_with(end)
        };
        objects.iter().find(is_it).unwrap().clone()
    };
    let files = of(&["ConfigMap"], "-sds");
    for (name, text) in files["data"].as_object().unwrap() {
        std::fs::write(pod.join(name), text.as_str().unwrap()).unwrap();
    }
    of(&["EnvoyFilter", "EnvoyPatchPolicy"], "")
}

/// Every object within a value.
fn each(value: &mut Value, change: &mut impl FnMut(&mut serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            change(members);
            members.values_mut().for_each(|inner| each(inner, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|inner| each(inner, change)),
        _ => {}
    }
}

/// Addresses of this test in place of a cluster's, and its issuer in place of another.
fn brought_here(object: &mut Value, listen: SocketAddr, grpc: SocketAddr, fixture: &Fixture) {
    let options = fixture.options(listen, listen).unwrap();
    let issuer = &options.jwt_providers[0];
    let Jwks::Inline(keys) = &issuer.jwks else {
        panic!("the fixture's keys are inline")
    };
    each(object, &mut |members| {
        // Names of a cluster's services are none here. Nobody answers for keys and texts.
        if let (Some(name), true) = (
            members.get("name").cloned(),
            members.contains_key("load_assignment"),
        ) {
            let port = if name == "control-plane" {
                grpc.port()
            } else {
                1
            };
            let at = json!({"socket_address": {"address": "127.0.0.1", "port_value": port}});
            let at = json!([{"lb_endpoints": [{"endpoint": {"address": at}}]}]);
            let hosts = json!({"cluster_name": name, "endpoints": at});
            members.insert("load_assignment".into(), hosts);
            members.insert("type".into(), json!("STATIC"));
            members.remove("dns_lookup_family");
        }
        if let Some(port) = members.get_mut("portNumber") {
            *port = json!(listen.port());
        }
        let Some(Value::Object(providers)) = members.get_mut("providers") else {
            return;
        };
        for (name, provider) in providers
            .iter_mut()
            .map(|(name, one)| (name, one.as_object_mut().unwrap()))
        {
            provider.remove("remote_jwks");
            provider.remove("audiences");
            provider.insert("local_jwks".into(), json!({"inline_string": keys}));
            let own = match name.as_str() {
                "issuer" => issuer.issuer.clone(),
                other => format!("https://{other}.example"),
            };
            provider.insert("issuer".into(), json!(own));
        }
    });
}

/// A control plane with TLS, known by the name that the manifest has.
fn control_plane(case: &Case, folder: &Path, pod: &Path) -> ControlPlane {
    let mesh = Authority::new("mesh").unwrap();
    let server = mesh.server_of(case.control_plane).unwrap();
    let identity = "spiffe://cluster.local/ns/ig/sa/guard-ig-guard-gateway";
    let proxy = mesh.proxy(identity).unwrap();
    let write = |path: std::path::PathBuf, text: &str| {
        std::fs::write(&path, text).unwrap();
        path
    };
    for (name, text) in [
        ("ca.crt", &mesh.pem),
        ("tls.crt", &proxy.0),
        ("tls.key", &proxy.1),
    ] {
        write(pod.join(name), text);
    }
    let guard = module("ig_guard").unwrap().canonicalize().unwrap();
    let database = format!("sqlite:{}", folder.join("test.db").display());
    let mut config = Config::local(database, guard);
    config.grpc_tls = Some(TlsFiles {
        certificate: write(folder.join("server.crt"), &server.0),
        key: write(folder.join("server.key"), &server.1),
        client_ca: Some(pod.join("ca.crt")),
    });
    let control = ControlPlane::start(config).unwrap();
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    let (_, mut graph) = control.call("GET", "/graphs/demo", "");
    graph["proxies"] = json!([identity]);
    graph["settings"] = json!(case.settings);
    let (status, answer) = control.call("PUT", "/graphs/demo", graph.to_string());
    assert_eq!(status, 204, "{answer}");
    publish(&control);
    control
}

fn patches(object: &mut Value) -> &mut Vec<Value> {
    let member = match object["kind"] == "EnvoyFilter" {
        true => "configPatches",
        false => "jsonPatches",
    };
    object["spec"][member].as_array_mut().unwrap()
}

/// The filter that a patch adds, if it adds one of this name.
fn is_of_filter(patch: &Value, name: &str) -> bool {
    let value = match patch["patch"].is_object() {
        true => &patch["patch"]["value"],
        false => &patch["operation"]["value"],
    };
    value["name"] == name
}

fn without_guard(object: &mut Value) {
    let patches = patches(object);
    let count = patches.len();
    patches.retain(|patch| !is_of_filter(patch, "ig.guard.demo"));
    assert!(patches.len() < count);
}

fn without_listener(object: &mut Value) {
    let patches = patches(object);
    let count = patches.len();
    patches.retain(|patch| patch["applyTo"] != "LISTENER");
    assert_eq!(patches.len() + 1, count);
}

/// The guard with a snapshot in place, as it is where nobody discovers one: what the
/// manifest says of the module is all there is.
fn in_place(object: &mut Value, snapshot: &[u8], has_flag: bool) {
    each(object, &mut |members| {
        if members.get("name") != Some(&json!("ig.guard.demo"))
            || !members.contains_key("config_discovery")
        {
            return;
        }
        let discovery = members.remove("config_discovery").unwrap();
        let mut config = discovery["default_config"].clone();
        let inner = config["config"].as_object_mut().unwrap();
        inner.insert(
            "configuration".into(),
            json!({
                "@type": "type.googleapis.com/google.protobuf.BytesValue",
                "value": STANDARD.encode(snapshot),
            }),
        );
        let flag = "allow_on_headers_stop_iteration";
        assert_eq!(inner.get(flag), Some(&json!(true)));
        if !has_flag {
            inner.remove(flag);
        }
        members.insert("typed_config".into(), config);
    });
}

/// A proxy that is served what the mesh makes of the object.
async fn proxy(case: &Case, object: &Value, grpc: SocketAddr) -> (Gateway, tempfile::TempDir) {
    let files = tempfile::tempdir().unwrap();
    let fixture: Fixture = demo().await.unwrap();
    let upstream = fixture.recorder.address;
    let envoy = Envoy::start(1, |listen, admin| {
        let mut object = object.clone();
        brought_here(&mut object, listen, grpc, &fixture);
        let served = (case.apply)(&[object], listen, upstream);
        validate(&served, admin, &files);
        Ok(bootstrap(admin, &served, &files))
    });
    let envoy = envoy.await.unwrap();
    (Gateway { envoy, fixture }, files)
}

/// `--mode validate`, which asks no discovery: the same resources, as they are.
fn validate(served: &Served, admin: SocketAddr, files: &tempfile::TempDir) {
    let mut bootstrap = bootstrap(admin, served, files);
    let file = tempfile::NamedTempFile::with_suffix(".json").unwrap();
    bootstrap
        .as_object_mut()
        .unwrap()
        .remove("dynamic_resources");
    bootstrap["static_resources"] =
        json!({"listeners": served.listeners, "clusters": served.clusters});
    std::fs::write(file.path(), bootstrap.to_string()).unwrap();
    let said = std::process::Command::new(envoy_binary().unwrap())
        .args(["--mode", "validate", "--config-path"])
        .arg(file.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "{text}");
}

/// A catalogued operation in a body of so many bytes.
async fn padded(gateway: &Gateway, body: &str, bytes: usize) -> (u16, Option<String>) {
    let mut body: Value = serde_json::from_str(body).unwrap();
    body["extensions"] = json!({"padding": "x".repeat(bytes)});
    gateway
        .send(gateway.request(&body.to_string()))
        .await
        .verdict()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_chart_gives_a_mesh_is_enforced() {
    if !skip::ready() {
        return;
    }
    let (cases, _) = by_id("Cases");
    for case in &CASES {
        eprintln!("{}", case.golden);
        let folder = tempfile::tempdir().unwrap();
        let pod = folder.path().join("pod");
        std::fs::create_dir(&pod).unwrap();
        let control = control_plane(case, folder.path(), &pod);
        let object = manifest(case, &pod);

        let (gateway, _files) = proxy(case, &object, control.grpc).await;
        until_status(&gateway, &cases, 200).await;
        assert_eq!(
            padded(&gateway, &cases, case.body).await,
            ALLOWED,
            "{}",
            case.golden
        );
        let ran = probe::probe(gateway.envoy.gateway, &["--wait", "20s"]).await;
        assert_eq!(
            ran.code,
            Some(0),
            "{}: {} {}",
            case.golden,
            ran.result,
            ran.said
        );

        let mut bare = object.clone();
        without_guard(&mut bare);
        let (gateway, _files) = proxy(case, &bare, control.grpc).await;
        let ran = probe::probe(gateway.envoy.gateway, &[]).await;
        assert_eq!(
            ran.code,
            Some(1),
            "{}: {} {}",
            case.golden,
            ran.result,
            ran.said
        );

        // What an older Envoy or istiod makes of it; and that nothing else is missing then.
        let mut fixture = demo().await.unwrap();
        if case.settings.contains("metadata-key") {
            fixture.head.identity.metadata_key = "verified".into();
        }
        let snapshot = fixture.snapshot().unwrap();
        for (has_flag, code, says) in [
            (true, 0, ""),
            (false, 2, "allow_on_headers_stop_iteration: true"),
        ] {
            let mut object = object.clone();
            in_place(&mut object, &snapshot, has_flag);
            let (gateway, _files) = proxy(case, &object, control.grpc).await;
            let ran = probe::probe(gateway.envoy.gateway, &["--wait", "5s"]).await;
            let said = format!("{} {has_flag}: {} {}", case.golden, ran.result, ran.said);
            assert_eq!(ran.code, Some(code), "{said}");
            assert!(ran.said.contains(says), "{said}");
        }
        control.stop().unwrap();
    }
}

/// Bodies of more than Envoy holds by itself need the listener's patch.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_listeners_patch_large_bodies_are_refused() {
    if !skip::ready() {
        return;
    }
    let [_, sidecar, ..] = &CASES;
    let folder = tempfile::tempdir().unwrap();
    let pod = folder.path().join("pod");
    std::fs::create_dir(&pod).unwrap();
    let control = control_plane(sidecar, folder.path(), &pod);
    let mut object = manifest(sidecar, &pod);
    without_listener(&mut object);
    let (gateway, _files) = proxy(sidecar, &object, control.grpc).await;
    let (cases, _) = by_id("Cases");
    until_status(&gateway, &cases, 200).await;
    assert_eq!(padded(&gateway, &cases, 60_000).await, ALLOWED);
    assert_ne!(padded(&gateway, &cases, sidecar.body).await, ALLOWED);
    control.stop().unwrap();
}
