//! A module that is not there, or is none, when the object comes: what a proxy that runs does.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ig_e2e::{ControlPlane, Envoy, demo, module};
use ig_envoy::{Chosen, ControlPlane as Fed, Endpoints, Guard, StaticOptions, Workload};

use super::{Served, bootstrap, istiod, labels, object};
use crate::control_plane::{by_id, publish, start, until_status};
use crate::gateway::{ALLOWED, Gateway, denied};
use crate::{probe, skip};

/// What the proxy is served with the guard, its module at a path.
fn guarded(gateway: &Gateway, control: &ControlPlane, module: &Path) -> Served {
    let (listen, admin) = (gateway.envoy.gateway, gateway.envoy.admin);
    let mut options: StaticOptions = gateway.fixture.options(listen, admin).unwrap();
    options.guards = vec![Guard::of_graph(module, "demo")];
    options.control_plane = Some(Fed {
        endpoints: Endpoints::plain([ig_envoy::Address::new("127.0.0.1", control.grpc.port())]),
        node: "unused".into(),
    });
    let object = object(Workload::Gateway(Chosen::Labels(labels())), None);
    let rendered = ig_envoy::istio(&options, &object).unwrap();
    let upstream = gateway.fixture.recorder.address;
    istiod::apply(&rendered, "GATEWAY", istiod::gateway(listen, upstream))
}

/// A proxy that serves without a guard, as before the object is applied.
async fn unguarded(files: &tempfile::TempDir) -> Gateway {
    let fixture = demo().await.unwrap();
    let upstream = fixture.recorder.address;
    let make = |listen: SocketAddr, admin: SocketAddr| {
        Ok(bootstrap(admin, &istiod::gateway(listen, upstream), files))
    };
    let envoy = Envoy::start(1, make).await.unwrap();
    Gateway { envoy, fixture }
}

async fn counted(gateway: &Gateway, name: &str) -> u64 {
    let answer = gateway
        .envoy
        .get_admin(&format!("/stats?filter={name}"))
        .await
        .unwrap();
    let lines = answer
        .lines()
        .filter_map(|line| line.split_once(&format!("{name}: ")));
    lines
        .filter_map(|(_, count)| count.parse::<u64>().ok())
        .sum()
}

async fn until_counted(gateway: &Gateway, name: &str, least: u64) {
    for _ in 0..200 {
        if counted(gateway, name).await >= least {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{name} stays below {least}: {}", gateway.envoy.log());
}

/// The listener is refused and the one before goes on, which has no guard. So the module comes
/// first, and a probe after. `docs/istio.md` says so.
#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_runs_stays_unguarded_without_its_module() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let guard = module("ig_guard").unwrap();
    let control = start(&folder, guard.clone());
    publish(&control);
    let broken = folder.path().join("broken.wasm");
    std::fs::write(&broken, b"\0asm and no more").unwrap();
    let missing: PathBuf = folder.path().join("missing.wasm");
    let text = "{ secret }";
    for module in [missing, broken] {
        let files = tempfile::tempdir().unwrap();
        let gateway = unguarded(&files).await;
        assert_eq!(gateway.send_text(text).await.verdict(), ALLOWED);

        let served = guarded(&gateway, &control, &module);
        bootstrap(gateway.envoy.admin, &served, &files);
        until_counted(&gateway, "listener_manager.lds.update_rejected", 1).await;
        let outcome = gateway.send_text(text).await;
        assert_eq!(outcome.verdict(), ALLOWED, "{}", module.display());
        assert_eq!(outcome.seen.len(), 1, "it is at the service");
        // How to see it: the state that the documentation names, and the probe.
        let dump = gateway
            .envoy
            .get_admin("/config_dump?resource=dynamic_listeners")
            .await
            .unwrap();
        assert!(dump.contains("error_state"), "{dump}");
        let ran = probe::probe(gateway.envoy.gateway, &[]).await;
        assert_eq!(ran.code, Some(1), "{} {}", ran.result, ran.said);

        // With the module the same object guards, without a restart.
        let served = guarded(&gateway, &control, &guard);
        bootstrap(gateway.envoy.admin, &served, &files);
        until_status(&gateway, &by_id("Cases").0, 200).await;
        for _ in 0..200 {
            if gateway.send_text(text).await.response.status == 400 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let verdict = gateway.send_text(text).await.verdict();
        assert_eq!(verdict, denied(400, "PERSISTED_QUERY_ID_REQUIRED"));
    }
    control.stop().unwrap();
}
