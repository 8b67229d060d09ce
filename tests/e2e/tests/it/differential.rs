//! The core and the module agree: the same requests through the native guard
//! and through Envoy, made at random from the seed that is printed.

use std::rc::Rc;

use ig_e2e::{RawRequest, TokenClaims, demo};
use ig_guard::{Exchange, Guard, Guards, RequestHead, Step, VerifiedToken};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::skip;

/// Requests of one run; `IG_DIFFERENTIAL_REQUESTS` for a longer one.
const REQUESTS: usize = 600;

/// What both sides have in common.
#[derive(PartialEq, Eq, Debug)]
enum Verdict {
    Forwarded {
        target: String,
        body: Vec<u8>,
        operation: String,
    },
    Denied {
        status: u16,
        body: Value,
    },
}

fn strategy(hashes: Vec<(String, String)>) -> impl Strategy<Value = RawRequest> {
    let known = prop::sample::select(hashes);
    let id = prop_oneof![
        6 => known.clone().prop_map(|(_, hash)| hash),
        1 => known.clone().prop_map(|(_, hash)| format!("sha256:{hash}")),
        1 => Just("0".repeat(64)),
        1 => "[a-z0-9:./~ ]{0,12}",
    ];
    let variables = prop_oneof![
        3 => Just(None),
        2 => Just(Some(json!({"first": 1, "undeclared": {"a": [1, 2]}}))),
        2 => Just(Some(json!({"input": {"label": "x", "retention": "short-30d"}}))),
        1 => Just(Some(json!({"input": {"label": "x", "retention": "forever"}}))),
        1 => Just(Some(json!({"inputs": [{"label": "x", "retention": "legal-hold"}, {"label": "\u{e9}\u{1f600}"}]}))),
        1 => Just(Some(json!([]))),
        1 => Just(Some(json!({"id": "\u{0}\"\\"}))),
    ];
    let name = prop_oneof![
        8 => Just(None),
        1 => known.prop_map(|(name, _)| Some(name)),
        1 => prop::sample::select(vec!["One", "Two", "Three", ""]).prop_map(|name| Some(name.to_owned())),
    ];
    let carrier = prop::sample::select(vec![
        "documentId",
        "id",
        "id",
        "doc_id",
        "extensions",
        "extensions",
        "query",
    ]);
    let item = (id, carrier, variables, name).prop_map(|(id, carrier, variables, name)| {
        let mut item = match carrier {
            "extensions" => {
                json!({"extensions": {"persistedQuery": {"version": 1, "sha256Hash": id}}})
            }
            carrier => json!({carrier: id}),
        };
        if let Some(variables) = variables {
            item["variables"] = variables;
        }
        if let Some(name) = name {
            item["operationName"] = json!(name);
        }
        item
    });
    let body = prop_oneof![
        6 => item.clone().prop_map(|item| item.to_string()),
        2 => prop::collection::vec(item.clone(), 0..6).prop_map(|items| json!(items).to_string()),
        1 => (item.clone(), any::<prop::sample::Index>()).prop_map(|(item, at)| {
            let mut text = item.to_string();
            let at = at.index(text.len());
            if text.is_char_boundary(at) {
                text.truncate(at);
            }
            text
        }),
        1 => (item, any::<prop::sample::Index>(), "[\"{}:,\\[\\]0a\\\\]").prop_map(|(item, at, piece)| {
            let mut text = item.to_string();
            let at = at.index(text.len());
            if text.is_char_boundary(at) {
                text.insert_str(at, &piece);
            }
            text
        }),
    ];
    let target = prop_oneof![
        16 => Just("/graphql".to_owned()),
        1 => Just("/graphql?x=1&operationName=Two".to_owned()),
        1 => Just("/graphql?variables=%7B%22first%22:2%7D".to_owned()),
        1 => Just("/other".to_owned()),
    ];
    let method = prop_oneof![16 => Just("POST"), 1 => Just("GET"), 1 => Just("PUT")];
    let purpose = prop_oneof![
        8 => Just("investigation"),
        1 => prop::sample::select(vec!["audit", "export", "marketing", "", "a b"]),
    ];
    let media = prop_oneof![16 => Just("application/json"), 1 => Just("text/plain"), 1 => Just("application/json;charset=utf-8")];
    (body, target, method, purpose, media, any::<bool>()).prop_map(
        |(body, target, method, purpose, media, is_get_form)| {
            let headers = [("x-ig-purpose", purpose), ("content-type", media)];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
            // A GET mostly has its request in the URL.
            let (target, chunks) = match method == "GET" && is_get_form {
                true => {
                    let item: Value = serde_json::from_str(&body).unwrap_or_default();
                    let id = item["id"].as_str().unwrap_or("none").replace(' ', "+");
                    (format!("/graphql?id={id}&variables={{}}"), vec![])
                }
                false => (target, vec![body.into_bytes()]),
            };
            RawRequest {
                method: method.into(),
                target,
                headers: headers.into(),
                chunks: chunks
                    .into_iter()
                    .filter(|chunk| !chunk.is_empty())
                    .collect(),
                ..RawRequest::default()
            }
        },
    )
}

fn native(
    guard: &Rc<Guard>,
    request: &RawRequest,
    payload: &str,
    texts: &[(String, String)],
) -> Verdict {
    let mut headers: Vec<(Vec<u8>, Vec<u8>)> = vec![
        (b":method".into(), request.method.clone().into_bytes()),
        (b":path".into(), request.target.clone().into_bytes()),
        (b"x-ig-jwt-payload".into(), payload.as_bytes().to_vec()),
    ];
    headers.extend(
        request
            .headers
            .iter()
            .map(|(name, value)| (name.clone().into_bytes(), value.clone())),
    );
    let head = RequestHead::read(headers.iter().map(|(name, value)| (&name[..], &value[..])));
    let mut exchange = Exchange::new(Some(guard.clone()), "id".into(), head);
    exchange.identify(|| {
        let subject = b"a@alpha.io".to_vec();
        Some(VerifiedToken {
            issuer: b"https://issuer.test".to_vec(),
            subject,
        })
    });
    let body = request.chunks.concat();
    // As Envoy: a POST with content-length 0 ends with its head.
    let mut step = exchange.on_head(body.is_empty());
    if step == Step::AwaitBody {
        step = exchange.on_body(body.clone());
    }
    if let Step::FetchTexts(hashes) = &step {
        let mut next = None;
        for hash in hashes.clone() {
            let text = texts.iter().find(|(known, _)| *known == hash.to_string());
            next = exchange.on_text(hash, text.map(|(_, text)| text.clone().into_bytes()));
        }
        step = next.unwrap();
    }
    match step {
        Step::Forward(forward) => {
            let set = |name: &str| {
                forward
                    .set
                    .iter()
                    .find(|(other, _)| *other == name)
                    .map(|(_, value)| value.clone())
            };
            Verdict::Forwarded {
                target: set(":path").unwrap_or_else(|| request.target.clone()),
                body: forward.body.clone().unwrap_or(body),
                operation: set("x-ig-operation").unwrap_or_default(),
            }
        }
        Step::Reply(reply) => Verdict::Denied {
            status: reply.status,
            body: without_ids(serde_json::from_slice(&reply.body).unwrap()),
        },
        other => panic!("{other:?}"),
    }
}

/// Decision ids differ by nature.
fn without_ids(mut body: Value) -> Value {
    let single = std::slice::from_mut(&mut body);
    let items = match single {
        [Value::Array(items)] => items.as_mut_slice(),
        single => single,
    };
    for item in items {
        item["errors"][0]["extensions"]["decisionId"] = Value::Null;
    }
    body
}

#[tokio::test(flavor = "multi_thread")]
async fn the_core_and_the_module_agree() {
    if !skip::ready() {
        return;
    }
    let seed: u64 = match std::env::var("IG_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => std::process::id().into(),
    };
    let requests = std::env::var("IG_DIFFERENTIAL_REQUESTS")
        .ok()
        .and_then(|count| count.parse().ok());
    let requests = requests.unwrap_or(REQUESTS);
    println!("IG_SEED={seed}");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);

    let fixture = demo().await.unwrap();
    let texts: Vec<_> = fixture
        .texts
        .iter()
        .map(|(name, text)| (fixture.hash(name).to_string(), text.clone()))
        .collect();
    let hashes = fixture
        .texts
        .keys()
        .map(|name| (name.clone(), fixture.hash(name).to_string()));
    let strategy = strategy(hashes.collect());
    let all: Vec<_> = (0..requests)
        .map(|_| strategy.new_tree(&mut runner).unwrap().current())
        .collect();
    let token = fixture.issuer.token(&TokenClaims::alpha());
    let payload = token.split('.').nth(1).unwrap().to_owned();
    let expected: Vec<_> = {
        let guards = Guards {
            persisted_query: true,
            policy: true,
        };
        let guard = Rc::new(Guard::new(fixture.snapshot().unwrap(), guards).unwrap());
        all.iter()
            .map(|request| native(&guard, request, &payload, &texts))
            .collect()
    };
    let gateway = Gateway::start(fixture, |_| ()).await;
    let mut counts = (0, 0);
    for (mut request, expected) in all.into_iter().zip(expected) {
        let shown = format!(
            "seed {seed}: {} {} {:?} {:?}",
            request.method,
            request.target,
            request.headers,
            String::from_utf8_lossy(&request.chunks.concat())
        );
        request.headers.push((
            "authorization".into(),
            format!("Bearer {token}").into_bytes(),
        ));
        let outcome = gateway.send(request).await;
        let through_envoy = match outcome.seen.as_slice() {
            [seen] => Verdict::Forwarded {
                target: seen.target.clone(),
                body: seen.body.clone(),
                operation: seen.header("x-ig-operation").concat(),
            },
            _ => Verdict::Denied {
                status: outcome.response.status,
                body: without_ids(serde_json::from_slice(&outcome.response.body).unwrap()),
            },
        };
        match through_envoy {
            Verdict::Forwarded { .. } => counts.0 += 1,
            Verdict::Denied { .. } => counts.1 += 1,
        }
        assert_eq!(through_envoy, expected, "{shown}");
    }
    println!("{} forwarded, {} denied, no difference", counts.0, counts.1);
    assert!(
        counts.0 > requests / 10,
        "too few requests pass to mean anything"
    );
}
