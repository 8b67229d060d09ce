//! What documentation tells readers to run, run as it stands.

use std::net::TcpListener;
use std::process::Command;

use ig_e2e::{as_from_a_shell, envoy_binary, workspace};

use crate::skip;

/// Pages in the order in which a reader meets them: later ones use the files
/// of earlier ones.
const PAGES: [&str; 6] = [
    "README.md",
    "docs/operating.md",
    "docs/telemetry.md",
    "docs/istio.md",
    "docs/envoy-gateway.md",
    "docs/upgrading.md",
];

#[test]
fn every_documented_command_works() {
    if !skip::ready() {
        return;
    }
    let root = workspace();
    let mut script = String::from("set -euxo pipefail\n");
    for page in PAGES {
        let text = std::fs::read_to_string(root.join(page)).unwrap();
        let blocks: Vec<_> = text.split("```sh\n").skip(1).collect();
        assert!(!blocks.is_empty(), "{page} has no command");
        for block in blocks {
            script.push_str(block.split("```").next().unwrap());
        }
    }
    let mut bash = Command::new("bash");
    bash.args(["-c", &script]).current_dir(&root);
    as_from_a_shell(&mut bash);
    let ports = [
        "IG_GATEWAY_PORT",
        "IG_ADMIN_PORT",
        "IG_UPSTREAM_PORT",
        "IG_CONTROL_PORT",
        "IG_GRPC_PORT",
    ];
    // All at once, so that they differ; the last two are of the control plane
    // that the reader starts by hand.
    let held: Vec<_> = (0..ports.len() + 2)
        .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
        .collect();
    let mut free = held.iter().map(|listener| listener.local_addr().unwrap());
    for (name, address) in ports.into_iter().zip(&mut free) {
        bash.env(name, address.port().to_string());
    }
    let (http, grpc) = (free.next().unwrap(), free.next().unwrap());
    bash.env("IG_LISTEN", http.to_string())
        .env("IG_GRPC_LISTEN", grpc.to_string())
        .env_remove("IG_CONTROL_URL")
        .env_remove("IG_ADMIN_TOKEN");
    drop(held);
    let ran = bash.output().unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    if !ran.status.success() {
        let _ = Command::new("cargo")
            .args(["xtask", "down"])
            .current_dir(&root)
            .status();
    }
    assert!(ran.status.success(), "{said}");
    let out = String::from_utf8_lossy(&ran.stdout);
    assert!(out.contains("\"data\""), "the request of the tour: {out}");
    let config = root.join("target/envoy.json");
    let checked = Command::new(envoy_binary().unwrap())
        .args(["--mode", "validate", "--config-path"])
        .arg(config)
        .current_dir(&root)
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
}
