//! `ig envoy probe` against the real Envoy: what it says yes to, and what not.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use ig_e2e::{Issuer, TokenClaims, built, demo, free_address, module};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::control_plane::{publish, start};
use crate::gateway::{Gateway, filters};
use crate::modes::SHADOW;
use crate::reload::Discovery;
use crate::skip;

pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) result: Value,
    pub(crate) said: String,
}

/// The binary, built once.
fn ig() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| built("ig").unwrap().canonicalize().unwrap())
}

/// Probes an address as the demo's analyst, with a second's patience for each
/// answer.
pub(crate) async fn probe(gateway: SocketAddr, more: &[&str]) -> Ran {
    probe_as(gateway, more, &[]).await
}

/// The file of a token that the demo's issuer gave.
fn token() -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    let token = Issuer::new(7).unwrap().token(&TokenClaims::alpha());
    std::fs::write(file.path(), token).unwrap();
    file
}

async fn probe_as(gateway: SocketAddr, more: &[&str], variables: &[(&str, String)]) -> Ran {
    let token = token();
    let mut ig = Command::new(ig());
    ig.arg("envoy")
        .arg("probe")
        .arg("--token-file")
        .arg(token.path());
    run(&mut ig, gateway, more, variables).await
}

async fn run(
    ig: &mut Command,
    gateway: SocketAddr,
    more: &[&str],
    variables: &[(&str, String)],
) -> Ran {
    let url = format!("http://{gateway}/graphql");
    let output = ig
        .args([&url, "--json", "--timeout", "1s"])
        .args(more)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ran {
        code: output.status.code(),
        result: serde_json::from_str(&text).unwrap_or(Value::String(text)),
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn guard(bootstrap: &mut Value) -> &mut Value {
    let mut all = filters(bootstrap).iter_mut();
    all.find(|one| one["name"] == "ig.guard").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_guard_that_enforces_passes() {
    if !skip::ready() {
        return;
    }
    // Batches are on, then off.
    for max_batch in [4, 0] {
        let mut fixture = demo().await.unwrap();
        fixture.head.limits.max_batch = max_batch;
        let gateway = Gateway::start(fixture, |_| ()).await;
        let ran = probe(gateway.envoy.gateway, &[]).await;
        assert_eq!(ran.code, Some(0), "{} {}", ran.result, ran.said);
        assert_eq!(ran.result["enforced"], true);
        let requests = ran.result["requests"].as_array().unwrap();
        let names: Vec<_> = requests.iter().map(|one| &one["request"]).collect();
        assert_eq!(names, ["get", "post", "batch", "media-type", "pieces"]);
        assert!(requests.iter().all(|one| one["outcome"] == "denied"));
        assert_eq!(gateway.fixture.recorder.total(), 0, "nothing came through");

        // Who has no token is denied for that.
        let address = gateway.envoy.gateway;
        let ran = run(
            Command::new(ig()).args(["envoy", "probe"]),
            address,
            &[],
            &[],
        )
        .await;
        assert_eq!(ran.code, Some(2), "{}", ran.result);
        assert!(ran.said.contains("--token-file"), "{}", ran.said);
    }

    // (what is wrong, exit code, what it says)
    type Edit = fn(&mut Value);
    let cases: [(&str, Edit, i32, &str); 3] = [
        (
            "no filter",
            |bootstrap| filters(bootstrap).retain(|one| one["name"] != "ig.guard"),
            1,
            "no guard has seen it",
        ),
        (
            "no flag",
            |bootstrap| {
                let config = &mut guard(bootstrap)["typed_config"]["config"];
                let config = config.as_object_mut().unwrap();
                config.remove("allow_on_headers_stop_iteration");
            },
            2,
            "allow_on_headers_stop_iteration: true",
        ),
        (
            "no snapshot",
            |bootstrap| {
                guard(bootstrap)["typed_config"]["config"]["configuration"]["value"] = json!("");
            },
            2,
            "has it a snapshot?",
        ),
    ];
    for (what, edit, code, said) in cases {
        let gateway = Gateway::start(demo().await.unwrap(), edit).await;
        let ran = probe(gateway.envoy.gateway, &[]).await;
        assert_eq!(ran.code, Some(code), "{what}: {} {}", ran.result, ran.said);
        assert!(ran.said.contains(said), "{what}: {}", ran.said);
    }

    let mut fixture = demo().await.unwrap();
    fixture.head.modes = SHADOW;
    let gateway = Gateway::start(fixture, |_| ()).await;
    let ran = probe(gateway.envoy.gateway, &[]).await;
    assert_eq!(
        (ran.code, &ran.result["enforced"]),
        (Some(1), &json!(false))
    );
    assert!(ran.said.contains("`shadow`"), "{}", ran.said);

    // No guard, and nobody behind it: who knows.
    let gateway = Gateway::start(demo().await.unwrap(), |bootstrap| {
        filters(bootstrap).retain(|one| one["name"] != "ig.guard");
        let clusters = bootstrap["static_resources"]["clusters"].as_array_mut();
        for cluster in clusters
            .unwrap()
            .iter_mut()
            .filter(|one| one["name"] == "upstream")
        {
            cluster["load_assignment"]["endpoints"] = json!([]);
        }
    })
    .await;
    let ran = probe(gateway.envoy.gateway, &[]).await;
    assert_eq!(
        (ran.code, &ran.result["enforced"]),
        (Some(2), &Value::Null),
        "{}",
        ran.said
    );

    let nobody = free_address().unwrap();
    let ran = probe(nobody, &[]).await;
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.result["requests"].as_array().unwrap().len(), 1);
}

/// A Job of an installation starts before everything is there.
#[tokio::test(flavor = "multi_thread")]
async fn it_waits_until_it_is_enforced() {
    if !skip::ready() {
        return;
    }
    let fixture = demo().await.unwrap();
    let discovery = Discovery::new(&fixture);
    let snapshot = fixture.snapshot().unwrap();
    let mut shadow = fixture.clone();
    shadow.head.modes = SHADOW;
    discovery.publish(&shadow.snapshot().unwrap());
    let gateway = Gateway::start(fixture, |bootstrap| discovery.edit(bootstrap)).await;
    let (ran, ()) = tokio::join!(probe(gateway.envoy.gateway, &["--wait", "30s"]), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        discovery.publish(&snapshot);
    });
    assert_eq!(ran.code, Some(0), "{} {}", ran.result, ran.said);
}

/// While gateways are replaced, one of before may be the first to answer.
#[tokio::test(flavor = "multi_thread")]
async fn one_good_round_is_not_enough_where_it_has_to_hold() {
    if !skip::ready() {
        return;
    }
    let fixture = demo().await.unwrap();
    let discovery = Discovery::new(&fixture);
    let mut shadow = fixture.clone();
    shadow.head.modes = SHADOW;
    let shadow = shadow.snapshot().unwrap();
    discovery.publish(&fixture.snapshot().unwrap());
    let gateway = Gateway::start(fixture, |bootstrap| discovery.edit(bootstrap)).await;
    let address = gateway.envoy.gateway;
    let ran = probe(address, &["--hold", "2s"]).await;
    assert_eq!(ran.code, Some(0), "{} {}", ran.result, ran.said);
    let (ran, ()) = tokio::join!(probe(address, &["--hold", "60s"]), async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        discovery.publish(&shadow);
    });
    assert_eq!(ran.code, Some(1), "{} {}", ran.result, ran.said);
}

/// The guard is the graph's, says the control plane; and every example runs.
#[tokio::test(flavor = "multi_thread")]
async fn the_control_plane_says_whose_guard_it_is() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let control = start(&folder, module("ig_guard").unwrap());
    publish(&control);
    let gateway = crate::control_plane::gateway(control.grpc, None).await;
    let variables = [
        ("IG_CONTROL_URL", format!("http://{}", control.http)),
        ("IG_ADMIN_TOKEN", control.token.clone().unwrap()),
    ];
    let address = gateway.envoy.gateway;
    let graph = |name: &'static str| ["--wait", "20s", "--graph", name];
    let ran = probe_as(address, &graph("demo"), &variables).await;
    assert_eq!(ran.code, Some(0), "{} {}", ran.result, ran.said);
    let ran = probe_as(address, &["--graph", "other"], &variables).await;
    assert_eq!(ran.code, Some(1), "{} {}", ran.result, ran.said);
    assert!(ran.said.contains("of the graph `demo`"), "{}", ran.said);

    let help = Command::new(ig())
        .args(["envoy", "probe", "--help"])
        .output()
        .await
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let examples: Vec<_> = help
        .lines()
        .filter_map(|line| line.strip_prefix("  ig envoy probe "))
        .collect();
    assert_eq!(examples.len(), 3, "{help}");
    let held = token();
    std::fs::copy(held.path(), folder.path().join("token")).unwrap();
    for example in examples {
        let example = example.replace("127.0.0.1:10000", &address.to_string());
        let ran = Command::new("sh")
            .args(["-c", &format!("{} envoy probe {example}", ig().display())])
            .current_dir(folder.path())
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .output()
            .await
            .unwrap();
        assert!(ran.status.success(), "{example}: {ran:?}");
    }
    control.stop().unwrap();
}
