//! An export from end to end: gateway, upstream, export service, ledger.

use ig_demo_upstream::{ExportService, Options};
use ig_e2e::{Fixture, demo, http1};
use ig_envoy::{Address, Guard, Upstream};
use ig_signing::{Bundle, PublicKey, Sha256, Signature};
use serde_json::{Value, json};

use super::{Bench, Person, export};
use crate::gateway::Gateway;
use crate::skip;

/// A gateway in front of the demo's own upstream.
async fn gateway(bench: &Bench, token: &str) -> Gateway {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = listener.local_addr().unwrap();
    let service = ExportService::new(&format!("http://{}", bench.control.http), token);
    let with = Options {
        exports: Some(service),
        ..Options::default()
    };
    tokio::spawn(ig_demo_upstream::serve(listener, with));
    let grpc = bench.control.grpc;
    let fixture: Fixture = demo().await.unwrap();
    Gateway::with_options(fixture, move |options| {
        let module = options.guards[0].module.clone();
        options.guards = vec![Guard::of_graph(module, "demo")];
        options.upstream = Upstream::plain([Address::new("127.0.0.1", upstream.port())]);
        options.control_plane = Some(ig_envoy::ControlPlane {
            endpoints: ig_envoy::Endpoints::plain([Address::new("127.0.0.1", grpc.port())]),
            node: "edge-3".into(),
        });
    })
    .await
}

async fn ask(gateway: &Gateway, person: &Person, token: Option<&str>, asset: &str) -> (u16, Value) {
    let request = export(person, token, asset);
    let answer = http1(gateway.envoy.gateway, &request).await.unwrap();
    let body = serde_json::from_slice(&answer.body).unwrap_or_default();
    (answer.status, body)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_goes_from_the_gateway_to_the_ledger() {
    if !skip::ready() {
        return;
    }
    let bench = Bench::start().await;
    let of = json!({"tenants": ["alpha"]});
    let service = bench.control.make_token("exporter", &of).unwrap();
    let gateway = gateway(&bench, &service).await;
    let mut ada = bench.person("ada", 3);
    bench.until_ready(&ada).await;
    let mut denied = (0, Value::Null);
    for _ in 0..200 {
        denied = ask(&gateway, &ada, None, "asset-1").await;
        if denied.0 == 401 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let extensions = &denied.1["errors"][0]["extensions"];
    assert_eq!(extensions["code"], "STEP_UP_REQUIRED", "{denied:?}");
    let challenge = bench.challenge(&ada).await;

    let token = bench.prove(&mut ada, &challenge, false);
    let (status, answer) = ask(&gateway, &ada, Some(&token), "asset-1").await;
    assert_eq!(status, 200, "{answer}");
    let made = &answer["data"]["exportAssets"];
    assert!(made["sig"].is_string(), "{answer}");
    let path = "/exports?tenant=alpha";
    let (_, listed) = bench.control.call("GET", path, "");
    let [one] = listed["items"].as_array().unwrap().as_slice() else {
        panic!("{listed}");
    };
    assert_eq!(one["manifestSha"], made["manifestSha"]);
    assert_eq!(one["createdBy"], "user:alpha:ada");
    verify(&bench, one, made);
    // The licence that the asset has is not what the caller says.
    let token = bench.prove(&mut ada, &challenge, false);
    let (status, answer) = ask(&gateway, &ada, Some(&token), "asset-2").await;
    assert_eq!(
        (status, answer["data"].clone()),
        (200, Value::Null),
        "{answer}"
    );
    // Whoever has the service's token makes no export of their own.
    let header = format!("Bearer {service}");
    let headers = [
        ("authorization", header.as_str()),
        ("idempotency-key", "mine"),
        ("x-ig-tenant", "alpha"),
        ("x-ig-actor", "ada"),
        ("x-ig-purpose", "export"),
        ("x-ig-decision-id", "01a2125f-9b6f-74dd-9869-58ad0d024b3c"),
    ];
    let body = json!({"action": "export:assets", "items": [{"id": "x", "sha256": "0".repeat(64)}]});
    let stolen = bench
        .control
        .call_with(&headers, "POST", "/exports", body.to_string());
    assert_eq!(
        (stolen.0, &stolen.1["code"]),
        (401, &json!("STEP_UP_REQUIRED"))
    );
    // Nor one more for a decision that has made one.
    let again = headers.map(|(name, value)| match name {
        "x-ig-decision-id" => (name, one["decisionId"].as_str().unwrap()),
        _ => (name, value),
    });
    let again = bench
        .control
        .call_with(&again, "POST", "/exports", body.to_string());
    assert_eq!(again.0, 409, "{again:?}");
    let (_, listed) = bench.control.call("GET", path, "");
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

/// What was answered through the gateway is what the published key has signed.
fn verify(bench: &Bench, listed: &Value, made: &Value) {
    let path = format!("/exports/{}", listed["exportId"].as_str().unwrap());
    let (_, whole) = bench.control.call("GET", &path, "");
    let (_, keys) = bench.control.call_as(None, "GET", "/exports/keys", "");
    let key = PublicKey::from_pem(keys[0]["pem"].as_str().unwrap().as_bytes()).unwrap();
    let digest = Sha256::from_hex(made["manifestSha"].as_str().unwrap()).unwrap();
    let sig = Signature::from_detached(made["sig"].as_str().unwrap().as_bytes()).unwrap();
    key.verify(&digest, &sig).unwrap();
    let bundle = Bundle::parse(whole["bundle"].to_string().as_bytes()).unwrap();
    bundle.verify(&key, &digest).unwrap();
    assert_eq!(bundle.log_entries.len(), 1);
}
