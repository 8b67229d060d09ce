//! Many proxies at once: opens delta streams to a running control plane, has a
//! snapshot published, and says how long it took to reach all of them.
//!
//! `cargo run -p ig-control-plane --example streams -- --streams 1000` with
//! `IG_ADMIN_TOKEN` set; `cargo xtask bench --control-plane` runs it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use envoy_types::pb::envoy::config::core::v3::Node;
use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse,
};
use envoy_types::pb::envoy::service::extension::v3::extension_config_discovery_service_client::ExtensionConfigDiscoveryServiceClient;
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;
use tonic::transport::Endpoint;

/// Opens delta streams and measures how long a snapshot takes to reach them.
#[derive(Parser)]
struct Args {
    /// The API.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    api: String,
    /// gRPC.
    #[arg(long, default_value = "http://127.0.0.1:18000")]
    grpc: String,
    /// The graph, which must be published.
    #[arg(long, default_value = "demo")]
    graph: String,
    /// How many streams, each a connection of its own.
    #[arg(long, default_value_t = 1000)]
    streams: usize,
    /// How many publications.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

/// One proxy: a connection and its stream.
struct Proxy {
    send: mpsc::Sender<DeltaDiscoveryRequest>,
    receive: Streaming<DeltaDiscoveryResponse>,
}

impl Proxy {
    async fn connect(args: &Args, number: usize) -> Result<Self> {
        let channel = Endpoint::from_shared(args.grpc.clone())?.connect().await?;
        let (send, requests) = mpsc::channel(4);
        let first = DeltaDiscoveryRequest {
            node: Some(Node {
                id: format!("proxy-{number}"),
                ..Node::default()
            }),
            resource_names_subscribe: vec![format!("ig.guard.{}", args.graph)],
            ..DeltaDiscoveryRequest::default()
        };
        send.send(first).await?;
        let mut client = ExtensionConfigDiscoveryServiceClient::new(channel);
        let answer = client.delta_extension_configs(ReceiverStream::new(requests));
        let receive = answer.await?.into_inner();
        Ok(Self { send, receive })
    }

    /// The next revision, accepted.
    async fn next(&mut self) -> Result<String> {
        let response = self.receive.message().await?.context("the stream ended")?;
        let answer = DeltaDiscoveryRequest {
            response_nonce: response.nonce,
            ..DeltaDiscoveryRequest::default()
        };
        self.send.send(answer).await?;
        let resource = response.resources.into_iter().next();
        Ok(resource.context("nothing was sent")?.version)
    }
}

/// Publishes something new; the revision.
fn publish(args: &Args, round: usize) -> Result<String> {
    let token = std::env::var("IG_ADMIN_TOKEN").context("IG_ADMIN_TOKEN")?;
    let call = |method: &str, path: String, body: Value| -> Result<Value> {
        let agent = ureq::Agent::config_builder()
            .proxy(None)
            .build()
            .new_agent();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", args.api))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .body(body.to_string())?;
        let mut answer = agent.run(request)?;
        let text = answer.body_mut().read_to_string()?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    };
    let purposes = json!({"purposes": [format!("round-{round}")]});
    call("PUT", "/tenants/streams".into(), purposes)?;
    let answer = call("POST", format!("/snapshots/{}", args.graph), json!({}))?;
    let revision = answer["revision"].as_str().context("no revision")?;
    Ok(revision.to_owned())
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Arc::new(Args::parse());
    let mut proxies = JoinSet::new();
    let started = Instant::now();
    let (arrived, mut arrivals) = mpsc::channel::<(String, Instant)>(args.streams);
    let (done, over) = watch::channel(false);
    for number in 0..args.streams {
        let (args, arrived, mut over) = (args.clone(), arrived.clone(), over.clone());
        proxies.spawn(async move {
            let mut proxy = Proxy::connect(&args, number).await?;
            loop {
                tokio::select! {
                    revision = proxy.next() => arrived.send((revision?, Instant::now())).await?,
                    _ = over.changed() => return anyhow::Ok(()),
                }
            }
        });
    }
    let timeout = Duration::from_secs(60);
    for _ in 0..args.streams {
        tokio::time::timeout(timeout, arrivals.recv())
            .await
            .context("not every stream got the first snapshot")?;
    }
    let opened = started.elapsed();
    let mut rounds = Vec::new();
    for round in 0..args.rounds {
        let publisher = args.clone();
        let asked = Instant::now();
        let publishing = tokio::task::spawn_blocking(move || {
            publish(&publisher, round).map(|revision| (revision, Instant::now()))
        });
        let mut last = asked;
        let mut revisions = Vec::new();
        for _ in 0..args.streams {
            let arrival = tokio::time::timeout(timeout, arrivals.recv()).await;
            let (revision, at) = arrival.ok().flatten().context("not every stream got it")?;
            revisions.push(revision);
            last = last.max(at);
        }
        let (revision, answered) = publishing.await??;
        ensure!(
            revisions.iter().all(|one| *one == revision),
            "another revision"
        );
        rounds.push(json!({
            "publishMillis": (answered - asked).as_secs_f64() * 1e3,
            "reachedAllMillis": last.saturating_duration_since(answered).as_secs_f64() * 1e3,
        }));
    }
    done.send_replace(true);
    println!(
        "{}",
        json!({"streams": args.streams, "openedMillis": opened.as_secs_f64() * 1e3, "rounds": rounds})
    );
    while let Some(ended) = proxies.join_next().await {
        ended??;
    }
    Ok(())
}
