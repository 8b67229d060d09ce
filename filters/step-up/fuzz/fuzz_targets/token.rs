//! Any claims, signed: what passes says what it must say. And any text as a
//! token: nothing that was not signed passes.
#![no_main]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use ig_contract::snapshot::{self, Action, VerificationKey};
use ig_contract::step_up::{Acr, LEEWAY_SECONDS, MAX_LIFE_SECONDS};
use ig_step_up::{Proof, Question, StepUp};
use libfuzzer_sys::fuzz_target;

const NOW: u64 = 1_800_000_000;
const FROM: u64 = NOW - 50;

static KEY: LazyLock<SigningKey> = LazyLock::new(|| SigningKey::from_bytes(&[7; 32]));

fn ask(token: &str) -> Option<Proof> {
    let settings = snapshot::StepUp {
        issuer: "i".into(),
        keys: vec![VerificationKey {
            kid: "k".into(),
            x: URL_SAFE_NO_PAD.encode(KEY.verifying_key().as_bytes()),
        }],
        single_use: snapshot::StepUp::default_single_use(),
        max_age_seconds: 60,
        acr: Acr::PhishingResistant,
    };
    let guard = StepUp::new(&settings, "g").expect("the key is one");
    let actions = [Action {
        name: "a".into(),
        purposes: Vec::new(),
    }];
    let question = Question {
        token: Some(token),
        issuer: "x",
        subject: "s",
        tenant: "t",
        from: FROM,
        actions: &actions,
        is_cross_tenant: false,
        resource: &|| "r".to_owned(),
        now: Some(NOW),
        is_asked: false,
    };
    let first = guard.check(question);
    // What is remembered changes nothing.
    assert_eq!(first, guard.check(question));
    first.ok()
}

fuzz_target!(|claims: &str| {
    assert_eq!(ask(claims), None, "it was never signed");
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","typ":"step-up+jwt","kid":"k"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
    let signature = URL_SAFE_NO_PAD.encode(KEY.sign(signed.as_bytes()).to_bytes());
    let Some(Proof { claims, .. }) = ask(&format!("{signed}.{signature}")) else {
        return;
    };
    let whose = [&claims.iss, &claims.aud, &claims.sub, &claims.sub_iss, &claims.tid];
    assert_eq!(whose, ["i", "g", "s", "x", "t"]);
    assert!(claims.actions.iter().any(|action| action == "a"));
    assert!(claims.resource.as_deref().is_none_or(|resource| resource == "r"));
    assert!(claims.acr >= Acr::PhishingResistant);
    assert!(claims.iat >= FROM && claims.iat <= NOW + LEEWAY_SECONDS);
    assert!(claims.exp > NOW - LEEWAY_SECONDS && claims.exp - claims.iat <= MAX_LIFE_SECONDS);
    assert!(NOW - claims.auth_time.min(NOW) <= 60 + LEEWAY_SECONDS);
});
