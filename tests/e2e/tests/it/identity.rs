//! Who is believed: keys, claims, rotation.

use ig_e2e::{Issuer, TokenClaims, demo};
use serde_json::{Value, json};

use crate::gateway::{ALLOWED, Gateway, connection_manager, denied, filters, request_with_token};
use crate::skip;

#[tokio::test(flavor = "multi_thread")]
async fn only_valid_tokens_of_known_keys_and_tenants_are_believed() {
    if !skip::ready() {
        return;
    }
    let second = Issuer::new(8).unwrap();
    let stranger = Issuer::new(9).unwrap();
    let second_jwk = second.jwk();
    let gateway = Gateway::start(demo().await.unwrap(), |bootstrap| {
        add_key(bootstrap, &second_jwk);
    })
    .await;
    let first = &gateway.fixture.issuer;
    let alpha = TokenClaims::alpha;
    let unauthenticated = || denied(401, "UNAUTHENTICATED");
    let inactive = || denied(403, "SUBJECT_INACTIVE");
    let table = [
        ("first key", first.token(&alpha()), ALLOWED),
        ("second key", second.token(&alpha()), ALLOWED),
        ("unknown key", stranger.token(&alpha()), unauthenticated()),
        (
            "expired",
            first.token(&alpha().with("exp", json!(1_000_000))),
            unauthenticated(),
        ),
        (
            "not yet valid",
            first.token(&alpha().with("nbf", json!(4_000_000_000_u64))),
            unauthenticated(),
        ),
        (
            "other issuer",
            first.token(&alpha().with("iss", json!("https://evil.test"))),
            unauthenticated(),
        ),
        (
            "no subject",
            first.token(&alpha().with("sub", Value::Null)),
            unauthenticated(),
        ),
        (
            "numeric subject",
            first.token(&alpha().with("sub", json!(17))),
            unauthenticated(),
        ),
        (
            "no tenant",
            first.token(&alpha().with("tenant", Value::Null)),
            inactive(),
        ),
        (
            "unknown tenant",
            first.token(&alpha().with("tenant", json!("charlie"))),
            inactive(),
        ),
        (
            "tenant of a list",
            first.token(&alpha().with("tenant", json!(["alpha"]))),
            inactive(),
        ),
        (
            "subject breaks headers",
            first.token(&alpha().with("sub", json!("a\r\nx-ig-tenant: bravo"))),
            inactive(),
        ),
        (
            "subject beyond ASCII",
            first.token(&alpha().with("sub", json!("zoë"))),
            inactive(),
        ),
        (
            "no purposes",
            first.token(&alpha().with("purposes", json!([]))),
            denied(403, "PURPOSE_DENIED"),
        ),
        (
            "purposes as text",
            first.token(&alpha().with("purposes", json!("investigation"))),
            denied(403, "PURPOSE_DENIED"),
        ),
        (
            "purposes as object",
            first.token(&alpha().with("purposes", json!({"investigation": true}))),
            denied(403, "PURPOSE_DENIED"),
        ),
        (
            "purpose the tenant lacks",
            first.token(&alpha().with("purposes", json!(["marketing"]))),
            denied(403, "PURPOSE_DENIED"),
        ),
        (
            "nested and numeric claims beside",
            first.token(&alpha().with("realm", json!({"a": [1, {"b": null}]}))),
            ALLOWED,
        ),
    ];
    for (name, token, expected) in table {
        let outcome = gateway
            .send(request_with_token(&token, &gateway.id("Cases")))
            .await;
        assert_eq!(outcome.verdict(), expected, "{name}");
        assert_eq!(
            outcome.seen.len(),
            usize::from(expected == ALLOWED),
            "{name}"
        );
    }
    assert!(!gateway.envoy.log().contains("panicked"));
}

/// The payload header is what the guard reads; only `jwt_authn` may write it.
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_a_client_sends_is_not_believed() {
    if !skip::ready() {
        return;
    }
    let gateway = Gateway::start(demo().await.unwrap(), |_| ()).await;
    let token = gateway.fixture.issuer.token(&TokenClaims::alpha());
    let payload = token.split('.').nth(1).unwrap().to_owned();
    let other = gateway
        .fixture
        .issuer
        .token(&TokenClaims::alpha().with("sub", json!("root")));
    let other = other.split('.').nth(1).unwrap().to_owned();
    let with_payload = |payload: &str, token: Option<&str>| {
        let mut request = request_with_token(token.unwrap_or_default(), &gateway.id("Cases"));
        if token.is_none() {
            request.headers.remove(0);
        }
        request
            .headers
            .push(("x-ig-jwt-payload".into(), payload.as_bytes().to_vec()));
        request
    };
    // Also once the guard knows the payload.
    for _ in 0..2 {
        for payload in [&payload, &other] {
            let outcome = gateway.send(with_payload(payload, None)).await;
            assert_eq!(outcome.verdict(), denied(401, "UNAUTHENTICATED"));
        }
        let outcome = gateway.send(with_payload(&other, Some(&token))).await;
        assert_eq!(outcome.verdict(), ALLOWED);
        assert_eq!(outcome.seen[0].header("x-ig-actor"), ["a@alpha.io"]);
        assert!(outcome.seen[0].header("x-ig-jwt-payload").is_empty());
    }
    // Chains that are not wired as they should deny everybody.
    let unwired: [fn(&mut Value); 2] = [
        |bootstrap| filters(bootstrap).retain(|one| one["name"] != "envoy.filters.http.jwt_authn"),
        |bootstrap| {
            drop(
                provider(bootstrap)
                    .as_object_mut()
                    .unwrap()
                    .remove("forward_payload_header"),
            )
        },
    ];
    for edit in unwired {
        let gateway = Gateway::start(demo().await.unwrap(), edit).await;
        for payload in [&payload, &other] {
            let mut request = request_with_token(&token, &gateway.id("Cases"));
            request
                .headers
                .push(("x-ig-jwt-payload".into(), payload.as_bytes().to_vec()));
            let outcome = gateway.send(request).await;
            // A client may only repeat what Envoy verified of its own token.
            let is_own =
                payload == token.split('.').nth(1).unwrap() && outcome.response.status == 200;
            assert!(is_own || outcome.verdict() == denied(401, "UNAUTHENTICATED"));
            assert!(outcome.seen.is_empty() || is_own);
        }
        assert_eq!(
            gateway.send_id("Cases").await.verdict(),
            denied(401, "UNAUTHENTICATED")
        );
    }
}

fn provider(bootstrap: &mut Value) -> &mut Value {
    let filters = connection_manager(bootstrap)["http_filters"]
        .as_array_mut()
        .unwrap();
    let jwt = filters
        .iter_mut()
        .find(|filter| filter["name"] == "envoy.filters.http.jwt_authn");
    let providers = jwt.unwrap()["typed_config"]["providers"]
        .as_object_mut()
        .unwrap();
    providers.values_mut().next().unwrap()
}

fn add_key(bootstrap: &mut Value, jwk: &Value) {
    let inline = &mut provider(bootstrap)["local_jwks"]["inline_string"];
    let mut keys: Value = serde_json::from_str(inline.as_str().unwrap()).unwrap();
    keys["keys"].as_array_mut().unwrap().push(jwk.clone());
    *inline = json!(keys.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_is_followed() {
    if !skip::ready() {
        return;
    }
    let fixture = demo().await.unwrap();
    let (before, after) = (Issuer::new(20).unwrap(), Issuer::new(21).unwrap());
    let recorder = fixture.recorder.clone();
    let publish = |jwks: &[Value]| {
        recorder.serve_text("jwks".into(), json!({"keys": jwks}).to_string());
    };
    publish(&[before.jwk()]);
    let uri = format!("http://{}/texts/jwks", recorder.address);
    let gateway = Gateway::start(fixture, |bootstrap| {
        let provider = provider(bootstrap);
        provider.as_object_mut().unwrap().remove("local_jwks");
        // As `ig envoy render` writes it, but for a second instead of minutes.
        provider["remote_jwks"] = json!({
            "http_uri": {"uri": uri, "cluster": "upstream", "timeout": "1s"},
            "cache_duration": "1s",
            "async_fetch": {"fast_listener": false},
        });
        // A cached verdict would outlive its key.
        provider.as_object_mut().unwrap().remove("jwt_cache_config");
    })
    .await;
    let (old, new) = (
        before.token(&TokenClaims::alpha()),
        after.token(&TokenClaims::alpha()),
    );
    let allowed = async |token: &str| {
        gateway
            .send(request_with_token(token, &gateway.id("Cases")))
            .await
            .verdict()
            == ALLOWED
    };
    assert_eq!((allowed(&old).await, allowed(&new).await), (true, false));
    publish(&[before.jwk(), after.jwk()]);
    eventually(async || allowed(&new).await).await;
    assert!(allowed(&old).await, "overlap");
    publish(&[after.jwk()]);
    eventually(async || !allowed(&old).await).await;
    assert!(allowed(&new).await);
}

/// Waits until it holds, ten seconds at most.
pub(crate) async fn eventually(holds: impl AsyncFn() -> bool) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("it never held");
}
