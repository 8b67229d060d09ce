//! One trace from the client to the upstream and to the control plane; and what
//! Envoy makes of what the module counts.

mod collector;
mod counters;

use std::time::Duration;

use collector::{Collector, Span};
use ig_e2e::{ControlPlaneProcess, TokenClaims, fill, http1, module};
use ig_envoy::{Address, Endpoints, GlobalLimits, Guard, Tracing};
use serde_json::{Value, json};

use crate::control_plane::{by_id, until_status};
use crate::gateway::{Gateway, request_with_token};
use crate::skip;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CLIENT: &str = "b7ad6b7169203331";
const USER: &str = "traced-person@alpha.io";
const CALL: &str = "POST";

/// A control plane that sends spans, and has one analyst.
fn control_plane(folder: &std::path::Path, telemetry: &str) -> ControlPlaneProcess {
    let config = folder.join("control-plane.toml");
    std::fs::write(&config, format!("version = 1\n[telemetry]\n{telemetry}")).unwrap();
    let database = format!("sqlite:{}", folder.join("test.db").display());
    let module = module("ig_guard").unwrap();
    ControlPlaneProcess::configured(&database, module, None, Some(config)).unwrap()
}

fn expect(control: &ControlPlaneProcess, method: &str, path: &str, body: &Value) -> Value {
    let (status, answer) = control.call(method, path, body.to_string());
    assert!((200..300).contains(&status), "{path}: {status} {answer}");
    answer
}

/// The demo's graph with a directory, a limit of the fleet, and a user.
fn furnish(control: &ControlPlaneProcess) {
    fill(|method, path, body| control.call(method, path, body)).unwrap();
    let tenant = json!({
        "region": "eu-west-1", "purposes": ["investigation"],
        "purposesByGroup": {"analyst": ["investigation"]},
        "issuers": {"https://issuer.test": {"attribute": "externalId"}},
    });
    expect(control, "PUT", "/tenants/alpha", &tenant);
    let mut graph = expect(control, "GET", "/graphs/demo", &Value::Null);
    let settings = graph["settings"].as_str().unwrap();
    let directory = "[directory]\ncluster = \"control-plane\"\nauthority = \"ig\"\n";
    let limit = "[rate-limit.classes.query]\nfleet = [{ cost = 5000, burst = 10000 }]\n";
    graph["settings"] = json!(format!("{settings}{directory}{limit}"));
    expect(control, "PUT", "/graphs/demo", &graph);
    let token = json!({
        "name": "scim", "role": "provisioner", "tenant": "alpha", "mayConfer": true,
    });
    let token = expect(control, CALL, "/tokens", &token);
    let bearer = format!("Bearer {}", token["token"].as_str().unwrap());
    let provision = |path: &str, body: Value| {
        let url = format!("http://{}", control.http);
        let headers = [("authorization", bearer.as_str())];
        let body = body.to_string();
        let (status, answer) = ig_e2e::call(&url, &headers, CALL, path, body.as_bytes()).unwrap();
        assert_eq!(status, 201, "{path}: {answer}");
        answer["id"].as_str().unwrap().to_owned()
    };
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": USER, "externalId": USER,
    });
    let user = provision("/scim/v2/Users", user);
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "analyst", "members": [{"value": user}],
    });
    provision("/scim/v2/Groups", group);
    expect(control, CALL, "/snapshots/demo", &Value::Null);
}

async fn gateway(
    control: &ControlPlaneProcess,
    collector: &Collector,
    percent: f64,
    limits: Option<GlobalLimits>,
) -> Gateway {
    let traces = collector.grpc.port();
    let mut tracing = Tracing::new(Endpoints::plain([Address::new("127.0.0.1", traces)]));
    tracing.sampling_percent = percent;
    traced_by(control, Some(tracing), limits).await
}

async fn traced_by(
    control: &ControlPlaneProcess,
    tracing: Option<Tracing>,
    limits: Option<GlobalLimits>,
) -> Gateway {
    let grpc = control.grpc.port();
    let edit = move |options: &mut ig_envoy::StaticOptions| {
        let module = options.guards[0].module.clone();
        let local = |port| Endpoints::plain([Address::new("127.0.0.1", port)]);
        options.guards = vec![Guard::of_graph(module, "demo")];
        options.control_plane = Some(ig_envoy::ControlPlane {
            endpoints: local(grpc),
            node: "edge-1".into(),
        });
        options.global_limits = limits;
        options.tracing = tracing.clone();
    };
    Gateway::with_options(ig_e2e::demo().await.unwrap(), edit).await
}

fn of<'a>(spans: &'a [Span], service: &str, kind: i32) -> Vec<&'a Span> {
    let all = spans.iter();
    all.filter(|span| span.service == service && span.kind == kind)
        .collect()
}

const SERVES: i32 = 2;
const ASKS: i32 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn one_trace_from_the_client_to_everybody_who_is_asked() {
    if !skip::ready() {
        return;
    }
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    // Of the control plane's own accord, none.
    let telemetry = format!(
        "endpoint = \"http://{}\"\nsampling-ratio = 0.0\n",
        collector.grpc
    );
    let control = control_plane(folder.path(), &telemetry);
    furnish(&control);
    let gateway = gateway(&control, &collector, 100.0, None).await;
    // The snapshot is there: whom the directory does not know is refused.
    until_status(&gateway, "{}", 403).await;

    let (cases, _) = by_id("Cases");
    let claims = TokenClaims::alpha().with("sub", USER.into());
    let token = gateway.fixture.issuer.token(&claims);
    let mut request = request_with_token(&token, &cases);
    let parent = format!("00-{TRACE}-{CLIENT}-01");
    request
        .headers
        .push(("traceparent".into(), parent.into_bytes()));
    request
        .headers
        .push(("user-agent".into(), b"agent-of-somebody".to_vec()));
    // What a client says of the gateway's span counts for nothing.
    let forged = format!("{}-{}", "1".repeat(32), "2".repeat(16));
    request
        .headers
        .push(("x-ig-trace".into(), forged.into_bytes()));
    request.target = "/graphql?secret-of-the-url=7".into();
    request.headers.push(("x-case".into(), b"traced".to_vec()));
    let response = http1(gateway.envoy.gateway, &request).await.unwrap();
    assert_eq!(
        response.status,
        200,
        "{:?} {}",
        response.extension("code"),
        gateway.envoy.log()
    );

    // The gateway serves and asks; the control plane serves, and looks.
    let spans = collector
        .trace(
            TRACE,
            &[
                ("ig-gateway", SERVES, "", 1),
                ("ig-gateway", ASKS, "", 1),
                ("ig-control-plane", SERVES, "facts", 1),
            ],
        )
        .await;
    let [served] = of(&spans, "ig-gateway", SERVES)[..] else {
        panic!("{spans:#?}")
    };
    let [asked] = of(&spans, "ig-gateway", ASKS)[..] else {
        panic!("{spans:#?}")
    };
    // Asked again where a change overtakes the answer, as the first poll does.
    let facts = of(&spans, "ig-control-plane", SERVES);
    assert!((1..=2).contains(&facts.len()), "{spans:#?}");
    assert_eq!(served.parent, CLIENT);
    assert_eq!(asked.parent, served.id);
    for one in &facts {
        assert_eq!((one.name.as_str(), &one.parent), ("facts", &served.id));
        // A span that is over was told of with all that is part of it.
        let is_its_read = |span: &Span| span.name == "directory.read" && span.parent == one.id;
        assert!(spans.iter().any(is_its_read), "{spans:#?}");
    }

    // The upstream goes on with the gateway's span that asks it.
    let seen = gateway.fixture.recorder.take("traced");
    let told = format!("00-{TRACE}-{}-01", asked.id);
    assert_eq!(seen[0].header("traceparent"), [told]);
    assert!(seen[0].header("x-ig-trace").is_empty());

    assert_eq!(served.attribute("ig.outcome"), Some("allow"));
    assert_eq!(served.attribute("ig.graph"), Some("demo"));
    assert_eq!(served.attribute("ig.revision").unwrap().len(), 64);
    nothing_is_told(&spans, &token, &cases);
}

/// Who asked, for whom and what is in no span.
fn nothing_is_told(spans: &[Span], token: &str, body: &str) {
    let body: Value = serde_json::from_str(body).unwrap();
    let id = body["documentId"]
        .as_str()
        .unwrap()
        .trim_start_matches("sha256:");
    let secrets = [
        USER,
        "alpha",
        "analyst",
        "investigation",
        token,
        id,
        "Cases",
        "agent-of-somebody",
        "secret-of-the-url",
        "issuer.test",
        "/graphql",
    ];
    for span in spans {
        for secret in secrets {
            assert!(!span.debug.contains(secret), "{secret}: {}", span.debug);
        }
        let of_somebody = ["peer.address", "user_agent", "http.url"];
        for name in of_somebody {
            let told = span.attribute(name).unwrap_or("-");
            let of_upstream = span.kind == ASKS && name == "peer.address";
            assert!(told == "-" || of_upstream, "{name}: {told}");
        }
    }
}

/// What Envoy asks by itself is of the same trace.
#[tokio::test(flavor = "multi_thread")]
async fn limits_of_the_fleet_are_part_of_it() {
    if !skip::ready() {
        return;
    }
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let telemetry = format!("endpoint = \"http://{}\"\n", collector.grpc);
    let control = control_plane(folder.path(), &telemetry);
    furnish(&control);
    let limits = GlobalLimits {
        // A busy machine is no reason to skip them.
        timeout: Duration::from_secs(5),
    };
    let gateway = gateway(&control, &collector, 100.0, Some(limits)).await;
    until_status(&gateway, "{}", 403).await;
    let (cases, _) = by_id("Cases");
    let token = TokenClaims::alpha().with("sub", USER.into());
    let token = gateway.fixture.issuer.token(&token);
    let mut request = request_with_token(&token, &cases);
    let parent = format!("00-{TRACE}-{CLIENT}-01");
    request
        .headers
        .push(("traceparent".into(), parent.into_bytes()));
    assert_eq!(gateway.send(request).await.response.status, 200);
    // Two of the gateway beside its own: the question, and the service's.
    let counts = [
        ("ig-gateway", SERVES, "", 1),
        ("ig-gateway", ASKS, "", 2),
        ("ig-control-plane", SERVES, "limits", 1),
    ];
    let spans = collector.trace(TRACE, &counts).await;
    let limits = spans.iter().find(|span| span.name == "limits").unwrap();
    let asked = of(&spans, "ig-gateway", ASKS);
    let asked = asked.iter().find(|span| span.id == limits.parent).unwrap();
    let served = of(&spans, "ig-gateway", SERVES);
    assert_eq!(asked.parent, served[0].id);
    nothing_is_told(&spans, &token, &cases);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_gateway_does_not_keep_nobody_keeps() {
    if !skip::ready() {
        return;
    }
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    // Of its own accord the control plane would keep all.
    let telemetry = format!(
        "endpoint = \"http://{}\"\nsampling-ratio = 1.0\n",
        collector.grpc
    );
    let mut control = control_plane(folder.path(), &telemetry);
    furnish(&control);
    let gateway = gateway(&control, &collector, 0.0, None).await;
    until_status(&gateway, "{}", 403).await;
    let (cases, _) = by_id("Cases");
    let token = TokenClaims::alpha().with("sub", USER.into());
    let token = gateway.fixture.issuer.token(&token);
    // A client cannot have itself traced.
    let mut request = request_with_token(&token, &cases);
    let parent = format!("00-{TRACE}-{CLIENT}-01");
    request
        .headers
        .push(("traceparent".into(), parent.into_bytes()));
    request
        .headers
        .push(("x-client-trace-id".into(), b"1".to_vec()));
    let outcome = gateway.send(request).await;
    assert_eq!(outcome.response.status, 200);
    let told = &outcome.seen[0].header("traceparent")[0];
    assert!(
        told.starts_with(&format!("00-{TRACE}-")) && told.ends_with("-00"),
        "{told}"
    );
    // What waits is sent before the end.
    control.stop().unwrap();
    let spans = collector.spans();
    assert!(!spans.is_empty());
    for span in spans {
        assert_ne!(span.trace, TRACE, "{span:#?}");
        assert_ne!(span.service, "ig-gateway", "{span:#?}");
        assert_ne!(span.name, "facts", "{span:#?}");
    }
}

/// Where the gateway does not trace, nothing overwrites what a client sends.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_names_no_trace_where_the_gateway_has_none() {
    if !skip::ready() {
        return;
    }
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let telemetry = format!(
        "endpoint = \"http://{}\"\nsampling-ratio = 0.0\n",
        collector.grpc
    );
    let mut control = control_plane(folder.path(), &telemetry);
    furnish(&control);
    let gateway = traced_by(&control, None, None).await;
    until_status(&gateway, "{}", 403).await;
    let (cases, _) = by_id("Cases");
    let token = TokenClaims::alpha().with("sub", USER.into());
    let token = gateway.fixture.issuer.token(&token);
    let mut request = request_with_token(&token, &cases);
    for (name, value) in [
        ("x-ig-trace", format!("{TRACE}-{CLIENT}")),
        // As of a request that is traced.
        (
            "x-request-id",
            "87480383-79aa-903c-891f-c14cf0945647".into(),
        ),
    ] {
        request.headers.push((name.into(), value.into_bytes()));
    }
    let outcome = gateway.send(request).await;
    assert_eq!(outcome.response.status, 200);
    assert!(outcome.seen[0].header("x-ig-trace").is_empty());
    // The control plane was asked, and keeps nothing that nobody asked it to keep.
    control.stop().unwrap();
    let spans = collector.spans();
    assert!(spans.iter().all(|span| span.trace != TRACE), "{spans:#?}");
    assert!(spans.iter().all(|span| span.name != "facts"), "{spans:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn spans_go_over_http_with_their_headers() {
    if !skip::ready() {
        return;
    }
    let collector = Collector::start().await;
    let folder = tempfile::tempdir().unwrap();
    let headers = folder.path().join("headers");
    std::fs::write(&headers, "Authorization: Bearer of-the-collector\n").unwrap();
    let telemetry = format!(
        "endpoint = \"http://{}/v1/traces\"\nprotocol = \"http\"\nsampling-ratio = 0.0\n\
         headers-file = \"{}\"\nservice-name = \"api\"\n",
        collector.http,
        headers.display()
    );
    let mut control = control_plane(folder.path(), &telemetry);
    let parent = format!("00-{TRACE}-{CLIENT}-01");
    let url = format!("http://{}", control.http);
    let bearer = format!("Bearer {}", control.token);
    let headers = [
        ("authorization", bearer.as_str()),
        ("traceparent", parent.as_str()),
    ];
    let call = |method: &str, path: &str| ig_e2e::call(&url, &headers, method, path, b"").unwrap();
    assert_eq!(call("GET", "/tenants/somebody").0, 404);
    // A measurement leads to its trace.
    let (_, metrics) = call("GET", "/metrics");
    let metrics = metrics.as_str().unwrap();
    let line = metrics.lines().find(|line| {
        line.starts_with("ig_api_duration_seconds_bucket{")
            && line.contains("/tenants/{tenant}")
            && line.contains(" # ")
    });
    assert!(line.is_some_and(|line| line.contains(TRACE)), "{metrics}");
    tokio::task::spawn_blocking(move || control.stop().unwrap())
        .await
        .unwrap();
    let spans = collector.trace(TRACE, &[("api", SERVES, "", 1)]).await;
    let span = spans
        .iter()
        .find(|span| span.name == "GET /tenants/{tenant}")
        .unwrap();
    assert_eq!(
        (span.service.as_str(), span.parent.as_str()),
        ("api", CLIENT)
    );
    assert!(
        spans.iter().all(|span| !span.debug.contains("somebody")),
        "{spans:#?}"
    );
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    let said = collector.authorisations();
    assert!(
        said.iter().all(|one| one == "Bearer of-the-collector"),
        "{said:?}"
    );
}

/// A collector that is away costs spans, and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_collector_everything_goes_on() {
    if !skip::ready() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let nowhere = ig_e2e::free_address().unwrap();
    let telemetry = format!("endpoint = \"http://{nowhere}\"\nsampling-ratio = 1.0\n");
    let mut control = control_plane(folder.path(), &telemetry);
    // More than the queue holds.
    for _ in 0..2_500 {
        assert_eq!(control.call("GET", "/healthz", "").0, 200);
    }
    let ended = tokio::task::spawn_blocking(move || control.stop());
    tokio::time::timeout(Duration::from_secs(30), ended)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}
