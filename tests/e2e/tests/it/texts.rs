//! Texts that the snapshot does not carry.

use ig_e2e::demo;

use crate::gateway::{ALLOWED, Gateway, denied};
use crate::skip;

#[tokio::test(flavor = "multi_thread")]
async fn a_text_is_fetched_once_and_believed_only_by_its_hash() {
    if !skip::ready() {
        return;
    }
    let fixture = demo().await.unwrap();
    let hash = fixture.hash("Remote").to_string();
    let recorder = fixture.recorder.clone();
    let text = fixture.texts["Remote"].clone();
    let gateway = Gateway::start(fixture, |_| ()).await;
    // The store lies.
    recorder.serve_text(hash.clone(), "query Remote { secret }".into());
    let outcome = gateway.send_id("Remote").await;
    assert_eq!(outcome.verdict(), denied(503, "GUARD_UNAVAILABLE"));
    assert_eq!(outcome.rule().as_deref(), Some("text-unavailable"));
    assert!(outcome.seen.is_empty());
    // And is mended: nothing wrong was kept.
    recorder.serve_text(hash, text);
    let before = recorder.text_requests();
    for _ in 0..3 {
        assert_eq!(gateway.send_id("Remote").await.verdict(), ALLOWED);
    }
    assert_eq!(recorder.text_requests(), before + 1);
    // Two in one batch, one of them unknown to the store.
    let batch = format!("[{},{}]", gateway.id("Remote"), gateway.id("Cases"));
    assert_eq!(
        gateway.send(gateway.request(&batch)).await.verdict(),
        ALLOWED
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_store_a_text_is_a_deny() {
    if !skip::ready() {
        return;
    }
    let mut fixture = demo().await.unwrap();
    if let Some(store) = &mut fixture.head.texts {
        store.path_prefix = "/texts/nowhere/".into();
    }
    let gateway = Gateway::start(fixture, |_| ()).await;
    assert_eq!(
        gateway.send_id("Remote").await.verdict(),
        denied(503, "GUARD_UNAVAILABLE")
    );
    assert_eq!(gateway.send_id("Cases").await.verdict(), ALLOWED);

    let mut fixture = demo().await.unwrap();
    if let Some(store) = &mut fixture.head.texts {
        store.cluster = "no-such-cluster".into();
    }
    let gateway = Gateway::start(fixture, |_| ()).await;
    let outcome = gateway.send_id("Remote").await;
    assert_eq!(outcome.verdict(), denied(503, "GUARD_UNAVAILABLE"));
    assert_eq!(gateway.send_id("Cases").await.verdict(), ALLOWED);
}
