//! Several instances in one chain, slim modules, upgrades.

use ig_e2e::{demo, module};
use serde_json::{Value, json};

use crate::gateway::{ALLOWED, Gateway, connection_manager, denied, filters};
use crate::skip;

/// Splits the guard of a bootstrap into two instances.
fn split(bootstrap: &mut Value, edit: impl Fn(&mut Value, &str)) {
    let filters = filters(bootstrap);
    let at = filters
        .iter()
        .position(|filter| filter["name"] == "ig.guard")
        .unwrap();
    let whole = filters.remove(at);
    for root_id in ["policy", "persisted-query"] {
        let mut instance = whole.clone();
        let name = format!("ig.{root_id}");
        instance["name"] = json!(name);
        let config = &mut instance["typed_config"]["config"];
        config["name"] = json!(name);
        config["root_id"] = json!(root_id);
        edit(config, root_id);
        filters.insert(at, instance);
    }
}

async fn check(gateway: &Gateway) {
    let allowed = gateway.send_id("Cases").await;
    assert_eq!(allowed.verdict(), ALLOWED, "{}", gateway.envoy.log());
    let [seen] = allowed.seen.as_slice() else {
        panic!("{:?}", allowed.seen)
    };
    let body: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(body["query"], json!(gateway.fixture.texts["Cases"]));
    assert_eq!(seen.header("x-ig-actor"), ["a@alpha.io"]);
    // One id for the whole chain.
    let id = allowed.response.header("x-ig-decision-id").unwrap();
    assert_eq!(seen.header("x-ig-decision-id"), [id.as_str()]);
    let decisions = gateway.decisions(1).await;
    assert_eq!(decisions[0][0]["decisionId"], json!(id));
    assert_eq!(decisions[0][0]["tenantId"], "alpha");

    let text = gateway.send_text("{ secret }").await;
    assert_eq!(text.verdict(), denied(400, "PERSISTED_QUERY_ID_REQUIRED"));
    let forever = json!({
        "id": gateway.fixture.hash("CreateAsset").to_string(),
        "variables": {"input": {"label": "x", "retention": "forever"}},
    });
    let refused = gateway.send(gateway.request(&forever.to_string())).await;
    assert_eq!(refused.verdict(), denied(403, "POLICY_DENIED"));
    assert_eq!(refused.rule().as_deref(), Some("retention-too-long"));
    let mut stranger = gateway.request(&gateway.id("Cases"));
    stranger.headers.remove(0);
    assert_eq!(
        gateway.send(stranger).await.verdict(),
        denied(401, "UNAUTHENTICATED")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_instances_share_the_work() {
    if !skip::ready() {
        return;
    }
    let gateway = Gateway::start(demo().await.unwrap(), |bootstrap| {
        split(bootstrap, |_, _| ())
    })
    .await;
    check(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slim_modules_do_the_same() {
    let slim = ["policy", "persisted-query"].map(|guard| {
        (
            guard,
            module(&format!("ig_guard_{}", guard.replace('-', "_"))),
        )
    });
    let found = slim.iter().try_for_each(|(_, path)| path.clone().map(drop));
    if !skip::ready() || !skip::require(found) {
        return;
    }
    let gateway = Gateway::start(demo().await.unwrap(), |bootstrap| {
        split(bootstrap, |config, root_id| {
            let path = slim
                .iter()
                .find(|(guard, _)| *guard == root_id)
                .unwrap()
                .1
                .clone()
                .unwrap();
            config["vm_config"]["vm_id"] = json!(root_id);
            config["vm_config"]["code"]["local"]["filename"] = json!(path);
        });
    })
    .await;
    check(&gateway).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_is_refused_where_envoy_would_allow_it() {
    if !skip::ready() {
        return;
    }
    let gateway = Gateway::start(demo().await.unwrap(), |bootstrap| {
        connection_manager(bootstrap)["upgrade_configs"] = json!([{"upgrade_type": "websocket"}]);
        connection_manager(bootstrap)["http2_protocol_options"]["allow_connect"] = json!(true);
    })
    .await;
    let mut request = gateway.request("");
    request.method = "GET".into();
    request.chunks.clear();
    for (name, value) in [
        ("connection", "Upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-protocol", "graphql-transport-ws"),
    ] {
        request.headers.push((name.into(), value.into()));
    }
    let outcome = gateway.send(request).await;
    assert_eq!(outcome.verdict(), denied(403, "UPGRADE_REFUSED"));
    assert!(outcome.seen.is_empty());
}
