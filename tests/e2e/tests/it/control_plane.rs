//! From the API to the edge: what is published over ECDS is enforced.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ig_control_plane::{Config, TlsFiles};
use ig_e2e::{
    Authority, ControlPlane, ControlPlaneProcess, Fixture, Postgres, demo, fill, http1, module,
    postgres_binaries, workspace,
};
use ig_envoy::{Address, Endpoints, Guard, UpstreamTls};
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::skip;

/// An Envoy whose guard takes its snapshot from the control plane.
pub(crate) async fn gateway(grpc: SocketAddr, tls: Option<UpstreamTls>) -> Gateway {
    gateway_of(1, grpc, tls).await
}

/// The same with more workers.
pub(crate) async fn gateway_of(
    workers: u32,
    grpc: SocketAddr,
    tls: Option<UpstreamTls>,
) -> Gateway {
    let fixture: Fixture = demo().await.unwrap();
    let edit = move |options: &mut ig_envoy::StaticOptions| {
        let module = options.guards[0].module.clone();
        options.guards = vec![Guard::of_graph(module, "demo")];
        options.control_plane = Some(ig_envoy::ControlPlane {
            endpoints: Endpoints {
                addresses: vec![Address::new("127.0.0.1", grpc.port())],
                tls: tls.clone(),
            },
            node: "edge-1".into(),
        });
    };
    Gateway::of_workers(workers, fixture, edit).await
}

/// Body of a request for an operation of the demo's catalogue, and its id.
pub(crate) fn by_id(name: &str) -> (String, String) {
    let manifest = std::fs::read(workspace().join("persisted-queries/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let operations = manifest["operations"].as_array().unwrap();
    let found = operations.iter().find(|one| one["name"] == name).unwrap();
    let id = found["id"].as_str().unwrap().to_owned();
    (json!({"documentId": id}).to_string(), id)
}

pub(crate) async fn until_status(gateway: &Gateway, body: &str, status: u16) {
    let mut last = 0;
    for _ in 0..400 {
        last = gateway.send(gateway.request(body)).await.response.status;
        if last == status {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{last} and never {status}: {}", gateway.envoy.log());
}

pub(crate) async fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = ask() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never: {what}");
}

pub(crate) fn start(folder: &tempfile::TempDir, guard: std::path::PathBuf) -> ControlPlane {
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    let control = ControlPlane::start(Config::local(database, guard)).unwrap();
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    control
}

pub(crate) fn publish(control: &ControlPlane) -> Value {
    let (status, answer) = control.call("POST", "/snapshots/demo", "");
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_is_enforced() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder, module("ig_guard").unwrap());
    let gateway = gateway(control.grpc, None).await;
    let (cases, id) = by_id("Cases");

    until_status(&gateway, &cases, 503).await;
    let first = publish(&control);
    until_status(&gateway, &cases, 200).await;
    let text = gateway.send_text("{ secret }").await;
    assert_eq!(text.response.status, 400);

    // The same again is no change.
    assert_eq!(publish(&control)["changed"], false);
    // It is in use, so it does not go by mistake.
    let retire = format!("/catalogue/demo/{id}");
    until("the use is known", || {
        let (_, listed) = control.call("GET", "/catalogue/demo?limit=1000", "");
        let items = listed["items"].as_array().unwrap();
        let own = items
            .iter()
            .find(|one| one["hash"] == id.trim_start_matches("sha256:"));
        own.filter(|one| one["uses"].as_i64() > Some(0)).cloned()
    })
    .await;
    let (status, answer) = control.call("DELETE", &retire, "");
    assert_eq!(status, 409, "{answer}");
    assert_eq!(
        control
            .call("DELETE", &format!("{retire}?force=true"), "")
            .0,
        204
    );
    let second = publish(&control);
    assert_ne!(second["revision"], first["revision"]);
    until_status(&gateway, &cases, 404).await;

    let proxies = until("accepted", || {
        let (_, proxies) = control.call("GET", "/proxies", "");
        (proxies[0]["accepted"] == second["revision"]).then_some(proxies)
    })
    .await;
    assert_eq!(proxies[0]["node"], "edge-1");
    assert_eq!(proxies[0]["resource"], "ig.guard.demo");
    assert_eq!(proxies[0]["wanted"], second["revision"]);
    let (_, audit) = control.call("GET", "/audit", "");
    assert_eq!(audit["items"][0]["action"], "snapshot.publish");
    assert_eq!(audit["items"][0]["actor"], "bootstrap");

    // Back to the first: the operation is let through again, as it was.
    let back = format!("/snapshots/demo/{}", first["revision"].as_str().unwrap());
    assert_eq!(control.call("POST", &back, "").0, 200);
    until_status(&gateway, &cases, 200).await;

    control.stop().unwrap();
    let text = gateway.send_text("{ secret }").await;
    assert_eq!(text.response.status, 400, "the last snapshot goes on");
    until_status(&gateway, &cases, 200).await;
}

/// The same over mTLS, as it is outside of development: the real Envoy shows
/// its certificate, and is known by it.
#[tokio::test(flavor = "multi_thread")]
async fn over_mutual_tls() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let mesh = Authority::new("mesh").unwrap();
    let (server, proxy) = (
        mesh.server().unwrap(),
        mesh.proxy("spiffe://mesh/ns/edge/sa/gateway").unwrap(),
    );
    for (name, text) in [
        ("ca.pem", &mesh.pem),
        ("server.pem", &server.0),
        ("server.key", &server.1),
        ("proxy.pem", &proxy.0),
        ("proxy.key", &proxy.1),
    ] {
        std::fs::write(file(name), text).unwrap();
    }
    let database = format!("sqlite:{}", file("test.db").display());
    let mut config = Config::local(database, module("ig_guard").unwrap());
    config.grpc_tls = Some(TlsFiles {
        certificate: file("server.pem"),
        key: file("server.key"),
        client_ca: Some(file("ca.pem")),
    });
    let control = ControlPlane::start(config).unwrap();
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    let (_, mut graph) = control.call("GET", "/graphs/demo", "");
    graph["proxies"] = json!(["spiffe://mesh/ns/edge/*"]);
    assert_eq!(
        control.call("PUT", "/graphs/demo", graph.to_string()).0,
        204
    );
    publish(&control);
    let tls = UpstreamTls {
        server_name: "localhost".into(),
        trusted_ca: file("ca.pem"),
        identity: Some((file("proxy.pem"), file("proxy.key"))),
    };
    let gateway = gateway(control.grpc, Some(tls)).await;
    let (cases, _) = by_id("Cases");
    until_status(&gateway, &cases, 200).await;
    let (_, proxies) = control.call("GET", "/proxies", "");
    assert_eq!(proxies[0]["identity"], "spiffe://mesh/ns/edge/sa/gateway");
    until("its decisions", || {
        let (_, page) = control.call("GET", "/decisions?outcome=allow", "");
        (!page["items"].as_array()?.is_empty()).then_some(())
    })
    .await;
}

/// Every decision arrives, and is found by what it is asked for with.
#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_kept_and_found() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder, module("ig_guard").unwrap());
    publish(&control);
    let gateway = gateway(control.grpc, None).await;
    let (cases, _) = by_id("Cases");
    until_status(&gateway, &cases, 200).await;
    let allowed = gateway.send(gateway.request(&cases)).await.response;
    let denied = gateway.send_text("{ secret }").await.response;
    let id =
        |response: &ig_e2e::RawResponse| response.header("x-ig-decision-id").unwrap().to_owned();
    let (allowed, denied) = (id(&allowed), id(&denied));

    let ask = |query: &str| {
        let (status, page) = control.call("GET", &format!("/decisions?{query}"), "");
        assert_eq!(status, 200, "{page}");
        page["items"].as_array().unwrap().clone()
    };
    for (decision, outcome) in [(&allowed, "allow"), (&denied, "deny")] {
        let found = until("the decision", || {
            ask(&format!("decisionId={decision}")).into_iter().next()
        })
        .await;
        assert_eq!(found["record"]["outcome"], outcome, "{found}");
        assert_eq!(
            (&found["graph"], &found["node"]),
            (&json!("demo"), &json!("edge-1"))
        );
    }
    let all = ask("").len();
    assert_eq!(ask("rule=id-required").len(), 1);
    assert_eq!(ask("outcome=deny&rule=id-required").len(), 1);
    assert_eq!(ask("outcome=allow&rule=id-required").len(), 0);
    assert!(!ask("tenant=alpha&operation=Cases").is_empty());
    assert_eq!(ask("tenant=bravo").len(), 0);
    assert_eq!(ask("limit=1").len(), 1);
    assert!(all >= 2);

    let (status, text) = control.call("GET", "/metrics", "");
    let text = text.as_str().unwrap().to_owned();
    assert_eq!(status, 200);
    for counted in [
        "ig_decisions_total{graph=\"demo\",outcome=\"allow\",code=\"\"}",
        "ig_decisions_total{graph=\"demo\",outcome=\"deny\",code=\"PERSISTED_QUERY_ID_REQUIRED\"} 1",
        "ig_xds_streams 1",
        "ig_decisions_lost_total 0",
        "ig_decisions_unreadable_total 0",
    ] {
        assert!(text.contains(counted), "{counted}: {text}");
    }
    control.stop().unwrap();
}

/// A proxy that cannot run what it is sent says so, goes on denying, and is not
/// sent it again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_shown_and_not_repeated() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder, "/nowhere/ig_guard.wasm".into());
    publish(&control);
    let gateway = gateway(control.grpc, None).await;
    let refused = until("a refusal", || {
        let (_, proxies) = control.call("GET", "/proxies", "");
        proxies[0]["lastRefusal"]
            .is_object()
            .then(|| proxies[0].clone())
    })
    .await;
    assert!(refused["accepted"].is_null(), "{refused}");
    assert!(
        refused["lastRefusal"]["reason"]
            .as_str()
            .unwrap()
            .contains("nowhere"),
        "{refused}"
    );
    until_status(&gateway, &by_id("Cases").0, 503).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (_, metrics) = control.call("GET", "/metrics", "");
    assert!(
        metrics
            .as_str()
            .unwrap()
            .contains("ig_xds_refusals_total 1\n"),
        "{metrics}"
    );
    control.stop().unwrap();
}

/// Sends requests without a pause; counts those that are answered, and those
/// that are not answered as they must be.
struct Load {
    sent: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    running: tokio::task::JoinHandle<()>,
}

impl Load {
    fn start(gateway: &Gateway, body: &str) -> Self {
        let request = gateway.request(body);
        let address = gateway.envoy.gateway;
        let (sent, failed, stop) = (Arc::default(), Arc::default(), Arc::default());
        let counters: (Arc<AtomicUsize>, Arc<AtomicUsize>, Arc<AtomicBool>) =
            (Arc::clone(&sent), Arc::clone(&failed), Arc::clone(&stop));
        let running = tokio::spawn(async move {
            while !counters.2.load(Ordering::Relaxed) {
                let status = http1(address, &request)
                    .await
                    .map(|response| response.status);
                counters.0.fetch_add(1, Ordering::Relaxed);
                if status.ok() != Some(200) {
                    counters.1.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self {
            sent,
            failed,
            stop,
            running,
        }
    }

    /// How many were sent, and how many failed.
    async fn stop(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        self.running.await.unwrap();
        (
            self.sent.load(Ordering::Relaxed),
            self.failed.load(Ordering::Relaxed),
        )
    }
}

const KILLS: usize = 50;

/// `kill -9` at random moments of changing and publishing: what was answered is
/// there, what is published is whole, and Envoy answers throughout.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("test.db").display());
    let guard = module("ig_guard").unwrap();
    let mut control = ControlPlaneProcess::start(&database, guard, None).unwrap();
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    assert_eq!(control.call("POST", "/snapshots/demo", "").0, 200);
    let gateway = gateway(control.grpc, None).await;
    let (cases, _) = by_id("Cases");
    until_status(&gateway, &cases, 200).await;
    let load = Load::start(&gateway, &cases);

    let mut tenants = Vec::new();
    let mut published = None;
    // Spread over the time that a change and a publication take, by a sequence
    // that is the same in each run.
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..KILLS {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let wait = Duration::from_millis(random % 120);
        std::thread::scope(|scope| {
            let url = format!("http://{}", control.http);
            let token = format!("Bearer {}", control.token);
            let changing = scope.spawn(move || {
                let (mut kept, mut last) = (Vec::new(), None);
                let headers = [("authorization", token.as_str())];
                for change in 0.. {
                    let path = format!("/tenants/t{round}-{change}");
                    let put = ig_e2e::call(&url, &headers, "PUT", &path, b"{}");
                    let Ok((204, _)) = put else { break };
                    kept.push(path);
                    let answer = ig_e2e::call(&url, &headers, "POST", "/snapshots/demo", b"");
                    let Ok((200, answer)) = answer else { break };
                    last = Some((answer["revision"].as_str().unwrap().to_owned(), kept.len()));
                }
                (kept, last)
            });
            std::thread::sleep(wait);
            control.kill();
            let (kept, last) = changing.join().unwrap();
            published = last.map(|last| last.0).or(published.take());
            tenants.extend(kept);
        });
        control.start_again().unwrap();
        let (_, listed) = control.call("GET", "/snapshots/demo?limit=1000", "");
        let listed = listed["items"].as_array().unwrap().clone();
        if let Some(published) = &published {
            let is_there = listed
                .iter()
                .any(|one| one["revision"] == published.as_str());
            assert!(is_there, "{published} was acknowledged");
        }
        // What proxies get is whole: it loads, and has the revision it says.
        let last = listed[0]["revision"].as_str().unwrap();
        let (status, _) = control.call("POST", &format!("/snapshots/demo/{last}"), "");
        assert_eq!(status, 200);
    }
    let (_, there) = control.call("GET", "/tenants", "");
    for path in &tenants {
        let name = path.trim_start_matches("/tenants/");
        assert!(there.get(name).is_some(), "{name} was acknowledged");
    }
    // The proxy is back, and gets what is published now.
    let revision = control.call("POST", "/snapshots/demo", "").1["revision"].clone();
    until("accepted", || {
        let (_, proxies) = control.call("GET", "/proxies", "");
        (proxies[0]["accepted"] == revision).then_some(())
    })
    .await;
    let (sent, failed) = load.stop().await;
    eprintln!(
        "{KILLS} kills, {} changes acknowledged, {sent} requests",
        tenants.len()
    );
    assert!(sent > KILLS);
    assert_eq!(failed, 0, "of {sent}");
}

/// Two replicas on PostgreSQL: what is published on one reaches the proxies of
/// the other; and when the one is killed, nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_follow_each_other() {
    if !skip::ready() || !skip::require(postgres_binaries().map(drop)) {
        return;
    }
    let postgres = Postgres::shared().unwrap();
    let database = postgres.database().unwrap();
    let guard = module("ig_guard").unwrap();
    let mut first = ControlPlaneProcess::start(&database, guard.clone(), None).unwrap();
    let second = ControlPlaneProcess::start(&database, guard, Some(&first.token)).unwrap();
    fill(|method, path, body| first.call(method, path, body)).unwrap();
    let gateway = gateway(second.grpc, None).await;
    let (cases, id) = by_id("Cases");
    until_status(&gateway, &cases, 503).await;
    assert_eq!(first.call("POST", "/snapshots/demo", "").0, 200);
    until_status(&gateway, &cases, 200).await;

    // Decisions and uses are stored there as they are on SQLite.
    until("the use is known", || {
        let (_, listed) = first.call("GET", "/catalogue/demo?limit=1000", "");
        let used = |one: &Value| one["uses"].as_i64() > Some(0);
        listed["items"].as_array()?.iter().any(used).then_some(())
    })
    .await;
    let retire = format!("/catalogue/demo/{id}?force=true");
    assert_eq!(first.call("DELETE", &retire, "").0, 204);
    let (status, published) = first.call("POST", "/snapshots/demo", "");
    assert_eq!(status, 200, "{published}");
    let answered = Instant::now();
    until_status(&gateway, &cases, 404).await;
    eprintln!(
        "a proxy of the other replica followed within {:?}",
        answered.elapsed()
    );
    // One place that shows them all.
    until("the other replica's proxy", || {
        let (_, proxies) = first.call("GET", "/proxies", "");
        (proxies[0]["accepted"] == published["revision"]).then_some(())
    })
    .await;

    // Killed right after its answer: nothing is lost.
    assert_eq!(first.call("PUT", "/tenants/alpha", "{}").0, 204);
    let (status, published) = first.call("POST", "/snapshots/demo", "");
    assert_eq!(status, 200, "{published}");
    first.kill();
    until_status(&gateway, &by_id("CurrentTenant").0, 403).await;
    let (_, listed) = second.call("GET", "/snapshots/demo", "");
    assert_eq!(listed["items"][0]["revision"], published["revision"]);
    // The other one goes on alone.
    assert_eq!(second.call("PUT", "/tenants/bravo", "{}").0, 204);
    let (status, next) = second.call("POST", "/snapshots/demo", "");
    assert_eq!((status, &next["before"]), (200, &published["revision"]));
}
