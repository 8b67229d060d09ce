//! Texts from a store.

use ig_contract::TextHash;
use ig_guard::Step;

use crate::fixture::{BOTH, REMOTE, Sent, by_id, guard, rule};

fn hash(text: &str) -> TextHash {
    TextHash::of(text.as_bytes())
}

#[test]
fn a_text_is_fetched_once_and_then_known() {
    let guard = guard(BOTH, |_| ());
    let sent = Sent::post(by_id(REMOTE[0], ""));
    let (mut exchange, step) = sent.begin(Some(&guard));
    assert_eq!(step, Step::FetchTexts(vec![hash(REMOTE[0])]));
    let step = exchange.on_text(hash(REMOTE[0]), Some(REMOTE[0].into()));
    let Some(Step::Forward(forward)) = step else {
        panic!("{step:?}");
    };
    let body = String::from_utf8(forward.body.unwrap()).unwrap();
    assert!(body.contains(REMOTE[0]), "{body}");
    assert_eq!(sent.verdict(&guard).0, 200, "the next one needs no fetch");
}

#[test]
fn what_the_store_says_is_believed_by_its_hash() {
    let answers: [Option<&[u8]>; 5] = [
        None,
        Some(b""),
        Some(b"query RemoteOne { secret }"),
        Some(b"query RemoteOne { me } "),
        Some(b"\xff\xfe"),
    ];
    let guard = guard(BOTH, |_| ());
    for answer in answers {
        let (mut exchange, _) = Sent::post(by_id(REMOTE[0], "")).begin(Some(&guard));
        let step = exchange.on_text(hash(REMOTE[0]), answer.map(<[u8]>::to_vec));
        let Some(Step::Reply(reply)) = step else {
            panic!("{answer:?}: {step:?}");
        };
        assert_eq!(
            (reply.status, rule(&reply).as_str()),
            (503, "text-unavailable")
        );
    }
    // A failure is not remembered.
    let (mut exchange, _) = Sent::post(by_id(REMOTE[0], "")).begin(Some(&guard));
    let step = exchange.on_text(hash(REMOTE[0]), Some(REMOTE[0].into()));
    assert!(matches!(step, Some(Step::Forward(_))), "{step:?}");
}

#[test]
fn a_batch_waits_for_all_of_its_texts() {
    let [one, two] = REMOTE.map(|text| by_id(text, ""));
    let sent = Sent::post(format!("[{one},{two},{one}]"));
    for missing in [None, Some(1)] {
        let guard = guard(BOTH, |_| ());
        let (mut exchange, step) = sent.begin(Some(&guard));
        let Step::FetchTexts(hashes) = step else {
            panic!("{step:?}");
        };
        assert_eq!(hashes.len(), 2, "each once");
        let text = |number: usize| (Some(number) != missing).then(|| REMOTE[number].into());
        assert_eq!(exchange.on_text(hash(REMOTE[1]), text(1)), None);
        match (missing, exchange.on_text(hash(REMOTE[0]), text(0))) {
            (None, Some(Step::Forward(_))) | (Some(_), Some(Step::Reply(_))) => {}
            (_, step) => panic!("{missing:?}: {step:?}"),
        }
    }
}

/// The cache is bounded: a text that was pushed out is asked for again.
#[test]
fn texts_that_are_not_used_are_forgotten() {
    let guard = guard(BOTH, |head| {
        head.texts.as_mut().unwrap().cache_bytes = 1;
    });
    for text in [REMOTE[0], REMOTE[1], REMOTE[0]] {
        let (mut exchange, step) = Sent::post(by_id(text, "")).begin(Some(&guard));
        assert_eq!(step, Step::FetchTexts(vec![hash(text)]), "{text}");
        let step = exchange.on_text(hash(text), Some(text.into()));
        assert!(matches!(step, Some(Step::Forward(_))), "{step:?}");
    }
}
