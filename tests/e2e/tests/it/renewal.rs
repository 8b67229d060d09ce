//! Certificates that are renewed while Envoy runs, as the kubelet replaces a Secret's files.

use std::path::Path;

use ig_control_plane::{Config, TlsFiles};
use ig_e2e::{Authority, ControlPlane, demo, fill, free_address, module};
use ig_envoy::{Address, ControlPlane as Fed, Endpoints, Guard, UpstreamTls, sds_files};
use serde_json::json;

use crate::control_plane::{by_id, publish, until, until_status};
use crate::gateway::Gateway;
use crate::skip;

const FILES: [&str; 3] = ["ca.crt", "tls.crt", "tls.key"];

/// Puts the files of a generation into a volume: names lead through `..data`, which is
/// a link that one rename replaces.
fn replace(volume: &Path, generation: &str, texts: [&str; 3]) {
    let own = volume.join(format!("..{generation}"));
    std::fs::create_dir_all(&own).unwrap();
    for (name, text) in FILES.into_iter().zip(texts) {
        std::fs::write(own.join(name), text).unwrap();
        let link = volume.join(name);
        if !link.is_symlink() {
            std::os::unix::fs::symlink(format!("..data/{name}"), link).unwrap();
        }
    }
    let next = volume.join("..data_tmp");
    std::os::unix::fs::symlink(format!("..{generation}"), &next).unwrap();
    std::fs::rename(next, volume.join("..data")).unwrap();
}

/// One authority's certificates: of the control plane, whose configuration is returned, and
/// in the volume that of a proxy with this name.
fn issue(folder: &Path, generation: &str, listen: std::net::SocketAddr) -> Config {
    let mesh = Authority::new(generation).unwrap();
    let server = mesh.server().unwrap();
    let identity = format!("spiffe://mesh/ns/edge/sa/{generation}");
    let proxy = mesh.proxy(&identity).unwrap();
    replace(
        &folder.join("proxy"),
        generation,
        [&mesh.pem, &proxy.0, &proxy.1],
    );
    let own = |name: &str, text: &str| {
        let path = folder.join(format!("{generation}-{name}"));
        std::fs::write(&path, text).unwrap();
        path
    };
    let database = format!("sqlite:{}", folder.join("test.db").display());
    let mut config = Config::local(database, module("ig_guard").unwrap());
    config.grpc_listen = listen;
    config.grpc_tls = Some(TlsFiles {
        certificate: own("server.pem", &server.0),
        key: own("server.key", &server.1),
        client_ca: Some(own("ca.pem", &mesh.pem)),
    });
    config
}

/// An Envoy that reads the volume's files, by files of secret discovery.
async fn gateway(folder: &Path, control_plane: std::net::SocketAddr) -> Gateway {
    let file = |name: &str| folder.join("proxy").join(name);
    let [authority, chain, key] = FILES.map(file);
    let sds = folder.join("sds");
    std::fs::create_dir(&sds).unwrap();
    Gateway::with_options(demo().await.unwrap(), |options| {
        let module = options.guards[0].module.clone();
        options.guards = vec![Guard::of_graph(module, "demo")];
        options.control_plane = Some(Fed {
            endpoints: Endpoints {
                addresses: vec![Address::new("127.0.0.1", control_plane.port())],
                tls: Some(UpstreamTls {
                    server_name: "localhost".into(),
                    trusted_ca: authority.clone(),
                    identity: Some((chain.clone(), key.clone())),
                }),
            },
            node: "edge-1".into(),
        });
        options.sds = Some(sds.clone());
        let files = sds_files(options);
        assert_eq!(files.len(), 2);
        for (name, text) in files {
            std::fs::write(sds.join(name), text.to_string()).unwrap();
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn renewed_certificates_are_used_without_a_restart() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let listen = free_address().unwrap();
    let first = ControlPlane::start(issue(folder, "first", listen)).unwrap();
    fill(|method, path, body| first.call(method, path, body)).unwrap();
    let (_, mut graph) = first.call("GET", "/graphs/demo", "");
    graph["proxies"] = json!(["spiffe://mesh/ns/edge/*"]);
    let graph = graph.to_string();
    assert_eq!(first.call("PUT", "/graphs/demo", graph).0, 204);
    publish(&first);
    let gateway = gateway(folder, listen).await;
    until_status(&gateway, &by_id("Cases").0, 200).await;
    let (_, proxies) = first.call("GET", "/proxies", "");
    assert_eq!(proxies[0]["identity"], "spiffe://mesh/ns/edge/sa/first");
    let token = first.token.clone().unwrap();
    first.stop().unwrap();

    // Another authority, for both sides: who knows only the first one reaches nobody.
    let second = ControlPlane::start(issue(folder, "second", listen)).unwrap();
    let token = format!("Bearer {token}");
    until("the renewed certificate", || {
        let (_, proxies) = second.call_as(Some(&token), "GET", "/proxies", "");
        let proxies = proxies.as_array()?.iter();
        let mut identities = proxies.map(|proxy| &proxy["identity"]);
        identities
            .any(|identity| identity == "spiffe://mesh/ns/edge/sa/second")
            .then_some(())
    })
    .await;
    second.stop().unwrap();
}
