//! GraphQL over HTTP as clients and proxies see it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests may panic"
)]

use std::time::{Duration, Instant};

use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use ig_demo_upstream::Options;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const GRAPHQL: &str = "application/graphql-response+json";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn content_type(&self) -> &str {
        self.headers[header::CONTENT_TYPE].to_str().unwrap()
    }
}

async fn send(request: Request<Body>) -> Answer {
    let response = ig_demo_upstream::router(Options::default())
        .oneshot(request)
        .await
        .unwrap();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.unwrap();
    Answer {
        status: parts.status,
        headers: parts.headers,
        text: String::from_utf8(bytes.to_vec()).unwrap(),
    }
}

async fn post(tenant: &str, accept: &str, body: Value) -> Answer {
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("accept", accept)
        .header("x-ig-tenant", tenant)
        .body(Body::from(body.to_string()))
        .unwrap();
    send(request).await
}

async fn query(tenant: &str, query: &str) -> Value {
    post(tenant, GRAPHQL, json!({ "query": query }))
        .await
        .json()
}

#[tokio::test]
async fn answers_are_scoped_to_the_tenant() {
    let alpha = query("alpha", "{ tenant { region } cases { id } }").await;
    assert_eq!(alpha["data"]["tenant"]["region"], "eu-west-1");
    assert_eq!(
        alpha["data"]["cases"],
        json!([{"id": "case-1"}, {"id": "case-2"}])
    );

    let bravo = query(
        "bravo",
        r#"{ cases { id assets(first: 1) { id } } case(id: "case-1") { id } asset(id: "asset-1") { id } }"#,
    )
    .await;
    assert_eq!(
        bravo["data"],
        json!({"cases": [{"id": "case-101", "assets": [{"id": "asset-101"}]}], "case": null, "asset": null})
    );
}

#[tokio::test]
async fn without_one_known_tenant_nothing_is_answered() {
    for tenants in [vec![], vec!["charlie"], vec![""], vec!["alpha", "alpha"]] {
        let mut request = Request::post("/graphql").header("content-type", "application/json");
        for tenant in &tenants {
            request = request.header("x-ig-tenant", *tenant);
        }
        let body = json!({"query": "{ cases { id } }"}).to_string();
        let answer = send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.json()["data"], Value::Null, "{tenants:?}");
        assert!(
            answer.json()["errors"][0]["message"].is_string(),
            "{tenants:?}"
        );
    }
}

#[tokio::test]
async fn the_search_crosses_tenants() {
    let found = query("alpha", r#"{ searchAllTenants(term: "HARBOUR") { id } }"#).await;
    assert_eq!(
        found["data"]["searchAllTenants"],
        json!([{"id": "asset-1"}, {"id": "asset-2"}, {"id": "asset-101"}])
    );
}

#[tokio::test]
async fn an_export_states_the_true_licence_of_its_own_tenants_assets() {
    for (tenant, arguments, ok) in [
        (
            "alpha",
            r#"ids: ["asset-1"], licenseClass: "cc-by", destination: {tos: "public"}"#,
            true,
        ),
        ("alpha", r#"ids: ["asset-2"]"#, true),
        ("alpha", r#"ids: ["asset-2"], licenseClass: "cc-by""#, false),
        ("bravo", r#"ids: ["asset-1"]"#, false),
    ] {
        let document =
            format!("mutation {{ exportAssets({arguments}) {{ manifestSha items {{ id }} }} }}");
        let answer = query(tenant, &document).await;
        assert_eq!(answer.get("errors").is_none(), ok, "{arguments}: {answer}");
    }
}

#[tokio::test]
async fn a_foreign_case_takes_no_asset_and_a_batch_is_all_or_nothing() {
    let app = ig_demo_upstream::router(Options::default());
    let run = async |document: &str| {
        let request = Request::post("/graphql")
            .header("content-type", "application/json")
            .header("x-ig-tenant", "alpha")
            .body(Body::from(json!({ "query": document }).to_string()))
            .unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()
    };
    let refused = run(
        r#"mutation { createAssets(inputs: [{caseId: "case-2", label: "a"}, {caseId: "case-101", label: "b"}]) { id } }"#,
    )
    .await;
    assert_eq!(refused["data"], Value::Null);
    let before = run(r#"{ case(id: "case-2") { assets { id } } }"#).await;
    assert_eq!(before["data"]["case"]["assets"], json!([{"id": "asset-3"}]));

    let created =
        run(r#"mutation { createAsset(input: {caseId: "case-2", label: "a"}) { id kind } }"#).await;
    assert_eq!(created["data"]["createAsset"]["kind"], "document");
    let id = created["data"]["createAsset"]["id"].as_str().unwrap();
    let after = run(&format!(r#"{{ asset(id: "{id}") {{ label }} }}"#)).await;
    assert_eq!(after["data"]["asset"]["label"], "a");
}

#[tokio::test]
async fn request_headers_are_shown_and_credentials_are_not() {
    let request = Request::post("/graphql")
        .header("content-type", "application/json")
        .header("authorization", "Bearer secret")
        .header("x-ig-actor", "a")
        .header("x_ig_region", "eu-west-1")
        .body(Body::from(
            json!({"query": "{ requestHeaders { name value } }"}).to_string(),
        ))
        .unwrap();
    let headers = send(request).await.json()["data"]["requestHeaders"].clone();
    assert_eq!(
        headers,
        json!([
            {"name": "authorization", "value": "***"},
            {"name": "content-type", "value": "application/json"},
            {"name": "x-ig-actor", "value": "a"},
            {"name": "x_ig_region", "value": "eu-west-1"},
        ])
    );
}

#[tokio::test]
async fn request_errors_are_400_only_in_the_graphql_media_type() {
    for body in [
        json!({"query": "{"}),
        json!({"query": "{ nothing }"}),
        json!({"query": "query Q($id: ID!) { case(id: $id) { id } }", "variables": {"id": null}}),
        json!({"query": "query A { __typename } query B { __typename }"}),
        json!({"query": "subscription { caseEvents(caseId: \"case-1\") { kind } }"}),
    ] {
        let new = post("alpha", GRAPHQL, body.clone()).await;
        assert_eq!(new.status, StatusCode::BAD_REQUEST, "{body}");
        assert_eq!(
            new.content_type(),
            format!("{GRAPHQL}; charset=utf-8"),
            "{body}"
        );
        assert_eq!(new.json().get("data"), None, "{body}");
        let old = post("alpha", "application/json", body.clone()).await;
        assert_eq!(old.status, StatusCode::OK, "{body}");
        assert_eq!(
            old.content_type(),
            "application/json; charset=utf-8",
            "{body}"
        );
    }
    // An error of execution is a result.
    let answer = post("charlie", GRAPHQL, json!({"query": "{ cases { id } }"})).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json().get("data"), Some(&Value::Null));
}

#[tokio::test]
async fn what_is_not_a_graphql_request_is_4xx() {
    for (method, uri, content_type, accept, body, status, allow) in [
        (
            Method::POST,
            "/graphql",
            "application/json",
            "*/*",
            "{\"query\"",
            400,
            None,
        ),
        (
            Method::POST,
            "/graphql",
            "application/json",
            "*/*",
            "[]",
            400,
            None,
        ),
        (
            Method::POST,
            "/graphql",
            "application/json",
            "*/*",
            "",
            400,
            None,
        ),
        (
            Method::POST,
            "/graphql",
            "text/plain",
            "*/*",
            "{\"query\":\"{__typename}\"}",
            415,
            None,
        ),
        (
            Method::POST,
            "/graphql",
            "application/json",
            "text/html",
            "{}",
            406,
            None,
        ),
        (Method::GET, "/graphql", "", "*/*", "", 400, None),
        (
            Method::GET,
            "/graphql?query=mutation%7B__typename%7D",
            "",
            "*/*",
            "",
            405,
            Some("POST"),
        ),
        (
            Method::GET,
            "/graphql?query=mutation%20M%7B__typename%7D",
            "",
            "*/*",
            "",
            405,
            Some("POST"),
        ),
        (
            Method::GET,
            "/?query=mutation%7B__typename%7D",
            "",
            "text/event-stream",
            "",
            405,
            Some("POST"),
        ),
        (
            Method::PUT,
            "/graphql",
            "application/json",
            "*/*",
            "{}",
            405,
            Some("GET, POST"),
        ),
        (Method::GET, "/elsewhere", "", "*/*", "", 404, None),
    ] {
        let request = Request::builder()
            .method(&method)
            .uri(uri)
            .header("content-type", content_type)
            .header("accept", accept)
            .body(Body::from(body))
            .unwrap();
        let answer = send(request).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {uri} {body}");
        let got = answer
            .headers
            .get(header::ALLOW)
            .map(|value| value.to_str().unwrap());
        assert_eq!(got, allow, "{method} {uri}");
    }
}

#[tokio::test]
async fn a_get_is_answered() {
    let uri = "/graphql?query=query%20Q(%24id%3AID!)%7Bcase(id%3A%24id)%7Btitle%7D%7D&variables=%7B%22id%22%3A%22case-1%22%7D";
    let request = Request::get(uri)
        .header("x-ig-tenant", "alpha")
        .body(Body::empty())
        .unwrap();
    assert_eq!(
        send(request).await.json(),
        json!({"data": {"case": {"title": "Harbour shipments"}}})
    );
    let health = send(Request::get("/healthz").body(Body::empty()).unwrap()).await;
    assert_eq!((health.status, &*health.text), (StatusCode::OK, "ok\n"));
}

#[tokio::test]
async fn subscriptions_stream_events_and_complete() {
    let document = r#"subscription { caseEvents(caseId: "case-1", count: 3) { sequence } }"#;
    let started = Instant::now();
    let answer = post("alpha", "text/event-stream", json!({ "query": document })).await;
    assert_eq!(answer.content_type(), "text/event-stream; charset=utf-8");
    assert_eq!(
        answer.text,
        ":\n\n\
         event: next\ndata: {\"data\":{\"caseEvents\":{\"sequence\":1}}}\n\n\
         event: next\ndata: {\"data\":{\"caseEvents\":{\"sequence\":2}}}\n\n\
         event: next\ndata: {\"data\":{\"caseEvents\":{\"sequence\":3}}}\n\n\
         event: complete\ndata: \n\n"
    );
    assert!(
        started.elapsed() >= Duration::from_millis(200),
        "events are spread over time"
    );
}

#[tokio::test]
async fn a_stream_by_get_and_a_stream_of_errors() {
    let uri =
        "/graphql?query=subscription%7BcaseEvents(caseId%3A%22case-1%22%2Ccount%3A1)%7Bkind%7D%7D";
    let request = |tenant| {
        Request::get(uri)
            .header("accept", "text/event-stream")
            .header("x-ig-tenant", tenant)
            .body(Body::empty())
            .unwrap()
    };
    assert!(
        send(request("alpha"))
            .await
            .text
            .contains(r#"{"data":{"caseEvents":{"kind":"opened"}}}"#)
    );
    let foreign = send(request("bravo")).await.text;
    assert!(
        foreign.contains("no case case-1 in this tenant"),
        "{foreign}"
    );
    assert!(
        foreign.ends_with("event: complete\ndata: \n\n"),
        "{foreign}"
    );
}

#[tokio::test]
async fn serves_over_tcp() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(ig_demo_upstream::serve(listener, Options::default()));
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200"), "{text}");
    server.abort();
}
