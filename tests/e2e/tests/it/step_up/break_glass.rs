//! One-time passwords in an emergency.

use super::*;

/// RFC 6238, as an authenticator app has it.
fn one_time_password(secret: &str) -> String {
    use ring::hmac;
    let secret = data_encoding::BASE32_NOPAD
        .decode(secret.as_bytes())
        .unwrap();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &secret);
    let tag = hmac::sign(&key, &(seconds() / 30).to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 0xf);
    let four = tag.as_ref()[at..at + 4].try_into().unwrap();
    format!(
        "{:06}",
        (u32::from_be_bytes(four) & 0x7fff_ffff) % 1_000_000
    )
}

/// In an emergency a code lets one request through, and when it is over none.
#[tokio::test(flavor = "multi_thread")]
async fn break_glass_lets_one_request_through() {
    if !skip::ready() {
        return;
    }
    let bench = Bench::start().await;
    let mut ada = bench.person("ada", 3);
    bench.until_ready(&ada).await;
    let challenge = bench.challenge(&ada).await;
    let begun = bench.call(
        &ada,
        "authentication/options",
        &json!({"actions": ["otp:add"]}),
    );
    let credential = ada.key.get(&begun["publicKey"]);
    let answer = json!({"ceremony": begun["ceremony"], "credential": credential});
    let add = bench.call(&ada, "authentication/verify", &answer);
    let shown = bench.post(&ada, "/otp/registration", &json!({}), add["token"].as_str());
    let code = json!({"code": one_time_password(shown["secret"].as_str().unwrap())});
    bench.post(&ada, "/otp/registration/verify", &code, None);

    let declare = |on: bool| {
        let until = (seconds() + 3600) * 1000;
        let body = json!({"until": until, "actions": [ACTION]}).to_string();
        let method = if on { "PUT" } else { "DELETE" };
        let path = "/tenants/alpha/break-glass";
        assert_eq!(bench.control.call(method, path, body).0, 204);
    };
    let token = |number: usize| {
        let asked = json!({
            "graph": "demo", "actions": challenge["actions"],
            "resource": challenge["resource"], "recoveryCode": shown["recoveryCodes"][number],
        });
        let granted = bench.post(&ada, "/otp/verify", &asked, None);
        granted["token"].as_str().unwrap().to_owned()
    };
    let [first, second] = &bench.gateways;
    declare(true);
    let once = token(0);
    let other = first.send(export(&ada, Some(&once), "b")).await;
    assert_eq!(other.rule().as_deref(), Some("step-up-resource"));
    let exported = first.send(export(&ada, Some(&once), "a")).await;
    assert_eq!(exported.verdict(), ALLOWED, "{:?}", exported.rule());
    let again = second.send(export(&ada, Some(&once), "a")).await;
    assert_eq!(again.rule().as_deref(), Some("step-up-used"));
    // The emergency is over: what was given in it does not count any more.
    let late = token(1);
    declare(false);
    let answer = second.send(export(&ada, Some(&late), "a")).await;
    assert_eq!(answer.rule().as_deref(), Some("step-up-ended"));
    assert!(answer.seen.is_empty());
}
