//! Enforce, shadow, and what the access log says of them.

use ig_contract::Mode;
use ig_contract::snapshot::Modes;
use ig_e2e::demo;
use serde_json::json;

use crate::gateway::{ALLOWED, Gateway, denied};
use crate::skip;

pub(crate) const SHADOW: Modes = Modes {
    persisted_query: Mode::Shadow,
    policy: Mode::Shadow,
    step_up: Mode::Shadow,
    rate_limit: Mode::Shadow,
    residency: Mode::Shadow,
};

#[tokio::test(flavor = "multi_thread")]
async fn in_shadow_every_request_passes_as_it_came() {
    if !skip::ready() {
        return;
    }
    let mut fixture = demo().await.unwrap();
    fixture.head.modes = SHADOW;
    let gateway = Gateway::start(fixture, |_| ()).await;
    let mut large = gateway.request("{\"query\":\"{ me }\"}");
    large.chunks = vec![vec![b' '; 200_000]];
    let mut form = gateway.request("query=%7Bme%7D");
    form.headers[2].1 = b"application/x-www-form-urlencoded".to_vec();
    let mut anonymous = gateway.request("{ \"query\" : \"{ me }\" , \"x\":1}");
    anonymous.headers.remove(0);
    let mut odd = gateway.request("not json");
    odd.method = "PUT".into();
    odd.target = "/graphql?query=%7Bme%7D&x=1".into();
    let listed = gateway.request(&format!(" {} ", gateway.id("Cases")));
    let table = [
        (large, "REQUEST_TOO_LARGE"),
        (form, "UNSUPPORTED_MEDIA_TYPE"),
        (anonymous, "PERSISTED_QUERY_ID_REQUIRED"),
        (odd, "METHOD_NOT_ALLOWED"),
        (listed, ""),
    ];
    let count = table.len();
    let mut codes = Vec::new();
    for (mut request, code) in table {
        request
            .headers
            .push(("x-ig-tenant".into(), b"bravo".to_vec()));
        let outcome = gateway.send(request.clone()).await;
        assert_eq!(outcome.verdict(), ALLOWED, "{code}");
        let [seen] = outcome.seen.as_slice() else {
            panic!("{code}: {:?}", outcome.seen)
        };
        assert_eq!(seen.body, request.chunks.concat(), "{code}");
        assert_eq!(
            (&seen.method, &seen.target),
            (&request.method, &request.target),
            "{code}"
        );
        // Even then nobody can set our headers.
        assert_ne!(seen.header("x-ig-tenant"), ["bravo"], "{code}");
        codes.push(code);
    }
    let decisions = gateway.decisions(count).await;
    for (decision, code) in decisions.iter().zip(codes) {
        let outcome = if code.is_empty() {
            "allow"
        } else {
            "shadow-deny"
        };
        assert_eq!(decision[0]["outcome"], outcome, "{decision}");
        assert_eq!(decision[0]["code"].as_str().unwrap_or_default(), code);
        assert_eq!(decision[0]["mode"], "shadow");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_guard_has_its_mode_and_each_tenant_may_have_its_own() {
    if !skip::ready() {
        return;
    }
    let mut fixture = demo().await.unwrap();
    fixture.head.modes = Modes {
        persisted_query: Mode::Shadow,
        policy: Mode::Enforce,
        step_up: Mode::Enforce,
        ..Modes::default()
    };
    if let Some(bravo) = fixture.head.tenants.get_mut("bravo") {
        bravo.modes = Some(SHADOW);
    }
    let gateway = Gateway::start(fixture, |_| ()).await;
    // What is not in the catalogue has no record, and policy denies the unknown.
    let outcome = gateway.send_text("{ secret }").await;
    assert_eq!(outcome.verdict(), denied(403, "POLICY_DENIED"));
    assert_eq!(outcome.rule().as_deref(), Some("operation-unknown"));
    let outcome = gateway.send_id("Cases").await;
    assert_eq!(outcome.verdict(), ALLOWED);
    // The allow-list only watches: the body is the client's.
    assert_eq!(outcome.seen[0].body, gateway.id("Cases").into_bytes());
    let bravo = ig_e2e::TokenClaims::alpha().with("tenant", json!("bravo"));
    let token = gateway.fixture.issuer.token(&bravo);
    let body = json!({"query": "{ secret }"}).to_string();
    let outcome = gateway
        .send(crate::gateway::request_with_token(&token, &body))
        .await;
    assert_eq!(outcome.verdict(), ALLOWED);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_log_has_a_record_for_every_decision() {
    if !skip::ready() {
        return;
    }
    let gateway = Gateway::start(demo().await.unwrap(), |_| ()).await;
    let allowed = gateway.send_id("Cases").await;
    let refused = gateway.send_text("{ me }").await;
    let batch = format!("[{},{}]", gateway.id("Cases"), json!({"id": "unknown"}));
    gateway.send(gateway.request(&batch)).await;
    let decisions = gateway.decisions(3).await;
    let id = allowed.response.header("x-ig-decision-id").unwrap();
    assert_eq!(id.as_bytes()[14], b'7', "a UUIDv7: {id}");
    let hash = gateway.fixture.hash("Cases").to_string();
    let snapshot = gateway.fixture.snapshot().unwrap();
    let revision = ig_contract::TextHash::of(&snapshot).to_string();
    assert_eq!(
        decisions[0],
        json!([{
            "decisionId": id, "tenantId": "alpha", "actor": "a@alpha.io",
            "purpose": "investigation", "authority": null, "operation": "Cases",
            "document": hash, "outcome": "allow", "code": null, "rule": "allow",
            "mode": "enforce", "region": "eu-west-1", "revision": revision,
        }])
    );
    assert_eq!(
        decisions[1][0]["decisionId"].as_str(),
        refused.response.header("x-ig-decision-id").as_deref()
    );
    assert_eq!(decisions[1][0]["rule"], "id-required");
    let codes: Vec<_> = decisions[2]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["code"])
        .collect();
    assert_eq!(
        codes,
        [
            &json!("BATCH_ABORTED"),
            &json!("PERSISTED_QUERY_NOT_IN_LIST")
        ]
    );
}
