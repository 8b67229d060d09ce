//! Keys that change while requests come.

use super::*;

/// Which key signed a token.
fn kid(token: &str) -> String {
    let header = token.split('.').next().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// The key changes while exports go on, and no proof that counts is refused. When
/// it is compromised, what it signed is refused within a moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_changes_and_no_proof_is_refused() {
    if !skip::ready() {
        return;
    }
    let bench = Bench::start().await;
    let mut ada = bench.person("ada", 3);
    bench.until_ready(&ada).await;
    let challenge = bench.challenge(&ada).await;
    let rotate = |body: Value| {
        let (status, made) = bench
            .control
            .call("POST", "/step-up/keys", body.to_string());
        assert_eq!(status, 201, "{made}");
        made["kid"].as_str().unwrap().to_owned()
    };
    let early = bench.prove(&mut ada, &challenge, false);
    let next = rotate(json!({"overlapSeconds": 1}));
    let begun = Instant::now();
    let mut signed_by = BTreeSet::new();
    let mut exports = 0;
    while begun.elapsed() < Duration::from_secs(3) {
        for gateway in &bench.gateways {
            let token = bench.prove(&mut ada, &challenge, false);
            signed_by.insert(kid(&token));
            let answer = gateway.send(export(&ada, Some(&token), "a")).await;
            assert_eq!(answer.verdict(), ALLOWED, "{:?}", answer.rule());
            exports += 1;
        }
    }
    assert!(exports > 10, "{exports}");
    assert_eq!(signed_by, BTreeSet::from([kid(&early), next]));
    // The key of before does not sign any more; what it signed counts.
    let answer = bench.gateways[1]
        .send(export(&ada, Some(&early), "a"))
        .await;
    assert_eq!(answer.verdict(), ALLOWED, "{:?}", answer.rule());

    let stolen = bench.prove(&mut ada, &challenge, false);
    rotate(json!({"force": true}));
    let forced = Instant::now();
    for gateway in &bench.gateways {
        loop {
            let answer = gateway.send(export(&ada, Some(&stolen), "a")).await;
            assert_ne!(answer.verdict(), ALLOWED);
            if answer.rule().as_deref() == Some("step-up-invalid") {
                break;
            }
            assert!(
                forced.elapsed() < Duration::from_secs(5),
                "{:?}",
                answer.rule()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let token = bench.prove(&mut ada, &challenge, false);
    let answer = bench.gateways[0]
        .send(export(&ada, Some(&token), "a"))
        .await;
    assert_eq!(answer.verdict(), ALLOWED, "{:?}", answer.rule());
}
